"""Header extensions towards subscribers: few profiles, each packet's block written once per profile.

Subscribers number header extensions as their SDP says. Those with equal numbers share a profile, so a packet's
extension block is built per profile and not per copy. What differs by copy (the transport-wide sequence number) has a
fixed place in the block and is stamped by the matrix.
"""

from collections.abc import Mapping, Sequence

from sfu.rtp.extensions import ExtensionUri

_PER_COPY = (ExtensionUri.TRANSPORT_CC, ExtensionUri.ABS_SEND_TIME)
FIXED_HEADER = 12
_ONE_BYTE = 0xBEDE
_TWO_BYTE = 0x1000

_CONSUMED = frozenset(
    {
        *_PER_COPY,
        ExtensionUri.MID,
        ExtensionUri.RID,
        ExtensionUri.REPAIRED_RID,
        ExtensionUri.TRANSMISSION_OFFSET,
        ExtensionUri.VIDEO_LAYERS_ALLOCATION,
    }
)
"""Extensions that mean something between the publisher and the server only, or are rewritten here."""

_TRANSLATIONS = 1024
"""Publishers' numberings that a profile remembers."""

_PLAYOUT_DELAY_STEP_MS = 10

Element = tuple[int, bytes]
"""Id and value of a header extension, in the publisher's numbering."""


class Profile:
    """One numbering of header extensions. Compare by identity: an engine keeps one object per numbering."""

    __slots__ = ("_constant", "_translations", "abs_send_time_id", "ids", "twcc_id")

    def __init__(self, ids: Mapping[str, int], playout_delay: bytes = b"") -> None:
        """``playout_delay`` is put on every packet, in place of the publisher's own; empty passes that on."""
        self.ids = dict(ids)
        """Extension URI to the id that the subscriber expects."""
        self.twcc_id = self.ids.get(ExtensionUri.TRANSPORT_CC, 0)
        self.abs_send_time_id = self.ids.get(ExtensionUri.ABS_SEND_TIME, 0)
        delay_id = self.ids.get(ExtensionUri.PLAYOUT_DELAY, 0) if playout_delay else 0
        self._constant: tuple[Element, ...] = ((delay_id, playout_delay),) if delay_id else ()
        self._translations: dict[int, dict[int, int]] = {}

    def translation(self, source: "SourceExtensions") -> dict[int, int]:
        """Publisher's extension id to ours, for those that are passed on."""
        found = self._translations.get(source.number)
        if found is None:
            if len(self._translations) >= _TRANSLATIONS:
                self._translations.clear()
            ours = {id_ for id_, _ in self._constant}
            found = {
                their_id: self.ids[uri]
                for their_id, uri in source.uris.items()
                if uri in self.ids and uri not in _CONSUMED and self.ids[uri] not in ours
            }
            self._translations[source.number] = found
        return found

    def header(
        self, source: "SourceExtensions", elements: Sequence[Element], abs_send_time: bytes
    ) -> tuple[bytes, int]:
        """RTP header (numbers still zero) with its extension block, and where the TWCC number goes (0: nowhere)."""
        translation = self.translation(source)
        passed = [(translation[id_], data) for id_, data in elements if id_ in translation]
        passed.extend(self._constant)
        if not passed and not self.twcc_id and not self.abs_send_time_id:
            return b"\x80" + bytes(FIXED_HEADER - 1), 0
        two_byte = any(id_ > 14 or not 0 < len(data) <= 16 for id_, data in passed)
        two_byte = two_byte or self.twcc_id > 14 or self.abs_send_time_id > 14
        parts: list[bytes] = []
        twcc_at = 0
        if self.twcc_id:
            parts.append(_element(self.twcc_id, b"\0\0", two_byte))
            twcc_at = FIXED_HEADER + 4 + len(parts[0]) - 2
        if self.abs_send_time_id:
            parts.append(_element(self.abs_send_time_id, abs_send_time, two_byte))
        parts.extend([_element(id_, data, two_byte) for id_, data in passed])
        block = b"".join(parts)
        words = (len(block) + 3) // 4
        head = (_TWO_BYTE if two_byte else _ONE_BYTE) << 16 | words
        return (
            b"\x90" + bytes(FIXED_HEADER - 1) + head.to_bytes(4, "big") + block.ljust(words * 4, b"\0"),
            twcc_at,
        )


def playout_delay(least_ms: int, most_ms: int) -> bytes:
    """Value of the playout-delay extension: twelve bits each, in steps of 10 ms (libwebrtc's ``playout-delay``)."""
    return (least_ms // _PLAYOUT_DELAY_STEP_MS << 12 | most_ms // _PLAYOUT_DELAY_STEP_MS).to_bytes(3, "big")


def _element(id_: int, data: bytes, two_byte: bool) -> bytes:
    if two_byte:
        return bytes((id_, len(data))) + data
    return bytes(((id_ << 4) | (len(data) - 1),)) + data


class SourceExtensions:
    """A publisher's numbering; ``number`` is unique in the engine so that profiles can remember translations."""

    __slots__ = ("number", "uris")

    def __init__(self, number: int, uris: Mapping[int, str]) -> None:
        self.number = number
        self.uris = dict(uris)


class ProfileRegistry:
    """Keeps one object per numbering, for both directions. Numberings are few; both maps are bounded."""

    __slots__ = ("_counter", "_profiles", "_sources", "limit")

    def __init__(self, limit: int = 1024) -> None:
        self.limit = limit
        self._profiles: dict[tuple[bytes, tuple[tuple[str, int], ...]], Profile] = {}
        self._sources: dict[tuple[tuple[int, str], ...], SourceExtensions] = {}
        self._counter = 0

    def profile(self, ids: Mapping[str, int], playout_delay: bytes = b"") -> Profile:
        """The profile of a subscriber's section."""
        key = playout_delay, tuple(sorted(ids.items()))
        found = self._profiles.get(key)
        if found is None:
            found = Profile(ids, playout_delay)
            if len(self._profiles) < self.limit:
                self._profiles[key] = found
        return found

    def source(self, uris: Mapping[int, str]) -> SourceExtensions:
        """The numbering of a publisher's transport."""
        key = tuple(sorted(uris.items()))
        found = self._sources.get(key)
        if found is None:
            self._counter += 1
            found = SourceExtensions(self._counter, uris)
            if len(self._sources) < self.limit:
                self._sources[key] = found
        return found
