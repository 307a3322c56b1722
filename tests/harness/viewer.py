"""What a subscriber makes of one stream: it puts packets in order, asks again for missing ones, and says at the end
which pictures a decoder could have shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

from sfu.codecs import vp8
from sfu.rtp import rtcp
from sfu.rtp.extensions import walk
from sfu.rtp.header import RtpHeader
from sfu.rtp.sequence import extend

NACK_AFTER_S = 0.02
NACK_AGAIN_S = 0.06
NACK_TIMES = 12
PLI_AFTER_S = 0.3
SENDER_SSRC = 1


@dataclass(slots=True)
class Got:
    """One packet as it came."""

    sequence: int
    """Extended."""
    timestamp: int
    marker: bool
    payload_type: int
    payload: bytes
    extensions: dict[int, bytes]
    at: float
    resent: bool


@dataclass(slots=True)
class Picture:
    """Packets of one timestamp."""

    timestamp: int
    packets: list[Got]
    complete: bool
    """All its packets are there, first to last."""
    decodable: bool
    """Complete, and so is what it refers to."""
    descriptor: vp8.Vp8Descriptor | None = None


@dataclass(slots=True)
class _Missing:
    since: float
    ask_at: float
    asked: int = 0


@dataclass(slots=True)
class Viewer:
    """One media SSRC with its retransmissions."""

    ssrc: int
    rtx_ssrc: int
    mime: str
    clock_rate: int
    packets: dict[int, Got] = field(default_factory=dict)
    """By extended sequence number."""
    duplicates: list[Got] = field(default_factory=list)
    resent: list[Got] = field(default_factory=list)
    """Retransmissions, useful or not."""
    asks: bool = True
    """Send NACKs and PLIs."""
    _highest: int = -1
    _missing: dict[int, _Missing] = field(default_factory=dict)
    _pli_at: float = 0.0
    _pli_wanted: bool = False

    @property
    def due_at(self) -> float | None:
        """When feedback is due."""
        times = [missing.ask_at for missing in self._missing.values() if missing.asked < NACK_TIMES]
        return min(times) if times and self.asks else None

    @property
    def in_order(self) -> list[Got]:
        return [self.packets[sequence] for sequence in sorted(self.packets)]

    @property
    def holes(self) -> list[int]:
        """Extended numbers between first and last that never came."""
        if not self.packets:
            return []
        return [n for n in range(min(self.packets), max(self.packets)) if n not in self.packets]

    def receive(self, header: RtpHeader, data: bytes, now: float) -> None:
        payload = data[header.payload_start : header.payload_end]
        number, resent = header.sequence, header.ssrc == self.rtx_ssrc
        if resent:
            number, payload = int.from_bytes(payload[:2], "big"), payload[2:]
        sequence = extend(self._highest, number) if self._highest >= 0 else (1 << 16) + number
        places = walk(data, header.extension_profile, header.extension_start, header.extension_end)
        got = Got(
            sequence,
            header.timestamp,
            header.marker,
            header.payload_type,
            payload,
            {id_: data[at : at + size] for id_, at, size in places},
            now,
            resent,
        )
        if resent:
            self.resent.append(got)
        if sequence in self.packets:
            self.duplicates.append(got)
            return
        self.packets[sequence] = got
        self._note(sequence, now)

    def feedback(self, now: float) -> Iterator[bytes]:
        """RTCP that is due."""
        if not self.asks:
            return
        due = [n for n, m in self._missing.items() if m.ask_at <= now and m.asked < NACK_TIMES]
        for number in due:
            missing = self._missing[number]
            missing.asked += 1
            missing.ask_at = now + NACK_AGAIN_S
            if missing.asked == NACK_TIMES:
                self._pli_wanted = True
        if due:
            yield rtcp.build_nack(SENDER_SSRC, self.ssrc, [number & 0xFFFF for number in due])
        if self._pli_wanted and now >= self._pli_at:
            self._pli_wanted = False
            self._pli_at = now + PLI_AFTER_S
            yield rtcp.build_pli(SENDER_SSRC, self.ssrc)

    def pictures(self) -> list[Picture]:
        """Pictures in order, judged as a VP8 decoder with temporal layers would."""
        judge = _Judge()
        pictures = []
        groups = groupby(self.in_order, key=lambda got: got.timestamp)
        for timestamp, group in groups:
            pictures.append(judge.picture(timestamp, list(group)))
        return pictures

    def _note(self, sequence: int, now: float) -> None:
        if self._highest < 0:
            self._highest = sequence
        for number in range(self._highest + 1, sequence):
            self._missing[number] = _Missing(now, now + NACK_AFTER_S)
        self._missing.pop(sequence, None)
        self._highest = max(self._highest, sequence)


class _Judge:
    """Follows what refers to what: base pictures to the base before, others to what is below them or their own."""

    def __init__(self) -> None:
        self._last = -1
        self._broken_from = 0
        """Lowest temporal layer that can't be decoded; 0 until a key frame."""

    def picture(self, timestamp: int, packets: list[Got]) -> Picture:
        first = vp8.parse(packets[0].payload)
        numbers = [packet.sequence for packet in packets]
        whole = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        follows = self._last < 0 or numbers[0] == self._last + 1
        complete = whole and first is not None and first.start and packets[-1].marker
        temporal = first.tid if first is not None else 0
        if not follows:  # whatever is missing in between may have been anything
            self._broken_from = 0
        if complete and first is not None and first.keyframe:
            self._broken_from = 8
        elif complete and first is not None and first.layer_sync and temporal > 0 and self._broken_from > 0:
            self._broken_from = max(self._broken_from, temporal + 1)
        decodable = complete and temporal < self._broken_from
        if not complete:
            self._broken_from = min(self._broken_from, temporal)
        self._last = numbers[-1]
        return Picture(timestamp, packets, complete, decodable, first)


def body(payload: bytes, is_vp8: bool) -> bytes:
    """What an engine must not change: a VP8 payload behind its descriptor, others whole."""
    descriptor = vp8.parse(payload) if is_vp8 else None
    return payload[descriptor.header_length :] if descriptor is not None else payload
