"""Header extensions towards subscribers: few profiles, each packet's block written once per profile.

Subscribers number header extensions as their SDP says. Those with equal numbers share a profile, so a packet's
extension block is built per profile and not per copy. What differs by copy (the transport-wide sequence number) has a
fixed place in the block and is stamped by the matrix.
"""

from collections.abc import Mapping
from itertools import count
from typing import NamedTuple

from sfu.forwarding.layout import Layout, SourceExtensions
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

_PLAYOUT_DELAY_STEP_MS = 10

_PLANS = 1024
"""Publishers' layouts that a profile remembers."""


_numbers = count()


class Plan(NamedTuple):
    """How a profile's headers are made of blocks of one layout: numbers again, so that a few shifts do it."""

    base: int
    """The header with all values zero."""
    size: int
    """Its bytes."""
    twcc_at: int
    sent: int
    """How far to shift the send time; -1 for none."""
    moves: tuple[tuple[int, int, int], ...]
    """Of each value that is passed on: shift in the publisher's block, mask, shift in the header."""


class Profile:
    """One numbering of header extensions. Compare by identity: an engine keeps one object per numbering."""

    __slots__ = (
        "_constant",
        "_made",
        "_made_at",
        "_made_of",
        "_plans",
        "abs_send_time_id",
        "ids",
        "number",
        "twcc_id",
    )

    def __init__(self, ids: Mapping[str, int], playout_delay: bytes = b"") -> None:
        """``playout_delay`` is put on every packet, in place of the publisher's own; empty passes that on."""
        self.number = next(_numbers)
        """No other profile's, ever."""
        self.ids = dict(ids)
        """Extension URI to the id that the subscriber expects."""
        self.twcc_id = self.ids.get(ExtensionUri.TRANSPORT_CC, 0)
        self.abs_send_time_id = self.ids.get(ExtensionUri.ABS_SEND_TIME, 0)
        delay_id = self.ids.get(ExtensionUri.PLAYOUT_DELAY, 0) if playout_delay else 0
        self._constant: tuple[tuple[int, bytes], ...] = ((delay_id, playout_delay),) if delay_id else ()
        self._plans: dict[Layout, Plan] = {}
        self._made_of: Plan | None = None
        """The plan of the newest header without a publisher's values: those of a tick are all the same ..."""
        self._made_at = -1
        """... at one send time ..."""
        self._made = b"", 0
        """... as this one."""

    def header(self, layout: Layout, block: int, abs_send_time: int) -> tuple[bytes, int]:
        """RTP header (numbers still zero) with its extension block, and where the TWCC number goes (0: nowhere)."""
        plan = self._plans.get(layout)
        if plan is None:
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            plan = self._plans[layout] = self.plan(layout)
        elif self._made_of is plan and self._made_at == abs_send_time:
            return self._made
        header, size, twcc_at, sent, moves = plan
        if sent >= 0:
            header |= abs_send_time << sent
        for shift, mask, out in moves:
            header |= (block >> shift & mask) << out
        made = header.to_bytes(size, "big"), twcc_at
        if not moves:
            self._made_of, self._made_at, self._made = plan, abs_send_time, made
        return made

    def plan(self, layout: Layout) -> Plan:
        """How headers are made of blocks of a layout."""
        passed = self._passed(layout)
        elements = list(self._constant)
        if self.abs_send_time_id:
            elements.insert(0, (self.abs_send_time_id, bytes(3)))
        if self.twcc_id:
            elements.insert(0, (self.twcc_id, bytes(2)))
        ours = len(elements)
        elements += [(id_, bytes(bits // 8)) for id_, _, bits in passed]
        if not elements:
            return Plan(0x80 << 8 * (FIXED_HEADER - 1), FIXED_HEADER, 0, -1, ())
        two_byte = any(id_ > 14 or not 0 < len(value) <= 16 for id_, value in elements)
        block = b""
        ends = []
        for id_, value in elements:
            head = (id_, len(value)) if two_byte else (id_ << 4 | len(value) - 1,)
            block += bytes(head) + value
            ends.append(len(block))
        words = (len(block) + 3) // 4
        start = (_TWO_BYTE if two_byte else _ONE_BYTE) << 16 | words
        header = b"\x90" + bytes(FIXED_HEADER - 1) + start.to_bytes(4, "big") + block.ljust(words * 4, b"\0")
        shifts = [8 * (words * 4 - end) for end in ends]
        return Plan(
            int.from_bytes(header, "big"),
            len(header),
            FIXED_HEADER + 4 + ends[0] - 2 if self.twcc_id else 0,
            shifts[1 if self.twcc_id else 0] if self.abs_send_time_id else -1,
            tuple(
                (shift, (1 << bits) - 1, out)
                for (_, shift, bits), out in zip(passed, shifts[ours:], strict=True)
            ),
        )

    def _passed(self, layout: Layout) -> list[tuple[int, int, int]]:
        """What is passed on of a publisher's elements: our id, shift and size in bits."""
        ours = {id_ for id_, _ in self._constant}
        ids = {
            theirs: self.ids[uri]
            for theirs, uri in layout.source.uris.items()
            if uri in self.ids and uri not in _CONSUMED and self.ids[uri] not in ours
        }
        return [(ids[id_], shift, bits) for id_, shift, bits in layout.elements if id_ in ids]


def playout_delay(least_ms: int, most_ms: int) -> bytes:
    """Value of the playout-delay extension: twelve bits each, in steps of 10 ms (libwebrtc's ``playout-delay``)."""
    return (least_ms // _PLAYOUT_DELAY_STEP_MS << 12 | most_ms // _PLAYOUT_DELAY_STEP_MS).to_bytes(3, "big")


class ProfileRegistry:
    """Keeps one object per numbering, for both directions. Numberings are few; both maps are bounded."""

    __slots__ = ("_profiles", "_sources", "limit")

    def __init__(self, limit: int = 1024) -> None:
        self.limit = limit
        self._profiles: dict[tuple[bytes, tuple[tuple[str, int], ...]], Profile] = {}
        self._sources: dict[tuple[tuple[int, str], ...], SourceExtensions] = {}

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
            found = SourceExtensions(uris)
            if len(self._sources) < self.limit:
                self._sources[key] = found
        return found
