"""Header extensions of publishers, read as one number.

An extension block is taken as one big-endian integer. A *layout* says where the elements are in it; it fits every block
whose bits outside the elements' values are the same, which one masked comparison tells. Publishers use few layouts, so
blocks are walked element by element only when one is new.
"""

from collections.abc import Mapping

from sfu.rtp.errors import RtpError
from sfu.rtp.extensions import ONE_BYTE_PROFILE, TWO_BYTE_MASK, TWO_BYTE_PROFILE, ExtensionUri, walk

HEAD_BYTES = 4
"""Profile and length in front of the elements; part of the number."""
LAYOUTS = 256
"""Layouts of one numbering that are remembered."""


class Layout:
    """Elements of a block by position. Compare by identity: a numbering keeps one object for each layout."""

    __slots__ = ("elements", "level", "mask", "pattern", "source", "twcc")

    def __init__(
        self, source: "SourceExtensions", mask: int, pattern: int, elements: tuple[tuple[int, int, int], ...]
    ) -> None:
        self.source = source
        self.mask = mask
        """Bits that are the same in all blocks of the layout, zeros in front included ..."""
        self.pattern = pattern
        """... and what they are."""
        self.elements = elements
        """Id, shift and size in bits of each value, in order."""
        self.twcc = _shift(elements, source.twcc_id, 16, only=True)
        """How far to shift for the transport-wide sequence number; -1 without."""
        self.level = _shift(elements, source.level_id, 8, only=False)
        """How far to shift for the byte with the audio level; -1 without."""

    def value(self, block: int, id_: int) -> bytes | None:
        """The element of an id (the last of several); None without."""
        for number, shift, bits in reversed(self.elements):
            if number == id_:
                return (block >> shift & (1 << bits) - 1).to_bytes(bits // 8, "big")
        return None


class SourceExtensions:
    """A publisher's numbering of header extensions."""

    __slots__ = ("_known", "level_id", "none", "twcc_id", "uris")

    def __init__(self, uris: Mapping[int, str]) -> None:
        self.uris = dict(uris)
        self.twcc_id = self.id_of(ExtensionUri.TRANSPORT_CC)
        self.level_id = self.id_of(ExtensionUri.AUDIO_LEVEL)
        self._known: dict[tuple[int, int], Layout] = {}
        self.none = Layout(self, -1, 0, ())
        """The layout of packets without extensions; their block is 0."""

    def id_of(self, uri: str) -> int:
        """The id of an extension; 0 when it was not negotiated."""
        return next((id_ for id_, known in self.uris.items() if known == uri), 0)

    def layout(self, block: memoryview | bytes) -> Layout:
        """Find out the layout of a block, its profile and length included.

        Raises:
            RtpError: an element reaches past the block.
        """
        size = len(block)
        if size < HEAD_BYTES:
            raise RtpError("header extension without its length")
        profile = block[0] << 8 | block[1]
        elements = tuple(
            (id_, 8 * (size - at - length), 8 * length)
            for id_, at, length in walk(block, profile, HEAD_BYTES, size)
        )
        known = profile == ONE_BYTE_PROFILE or profile & TWO_BYTE_MASK == TWO_BYTE_PROFILE
        mask = -1 if known else -1 << 8 * (size - HEAD_BYTES)
        for _, shift, bits in elements:
            mask ^= (1 << bits) - 1 << shift
        pattern = int.from_bytes(block, "big") & mask
        found = self._known.get((mask, pattern))
        if found is None:
            if len(self._known) >= LAYOUTS:
                self._known.clear()
            found = self._known[mask, pattern] = Layout(self, mask, pattern, elements)
        return found


def _shift(elements: tuple[tuple[int, int, int], ...], wanted: int, bits: int, *, only: bool) -> int:
    """How far to shift a block for the first ``bits`` of the first element of an id that has them; -1 for none.

    With ``only`` the element must have no more than these.
    """
    if wanted:
        for id_, shift, size in elements:
            if id_ == wanted and (size == bits if only else size >= bits):
                return shift + size - bits
    return -1
