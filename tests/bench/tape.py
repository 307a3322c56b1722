"""What the peers will send, made before it is measured: protected datagrams in the order of media time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sfu.rtp import rtcp, twcc
from tests.bench.crowd import Crowd, Person
from tests.harness.rtp_source import KEYFRAME_FACTOR, AudioSource, SentPacket, VideoSource

TWCC_INTERVAL_S = 0.05
"""Chromium's, for any client that may send more than 0.2 Mbit/s."""
REPORT_INTERVAL_S = 1.0
CHECK_INTERVAL_S = 2.5
"""Chromium's ICE checks on a connection in use."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tape:
    """Datagrams by column. ``bursts`` are the ends of what is sent in one go."""

    data: npt.NDArray[np.uint8]
    peers: Ints
    pointers: Ints
    lengths: Ints
    at: npt.NDArray[np.float64]
    """When they are due, in media time."""
    ssrcs: Ints
    """Of media, 0 for the rest."""
    timestamps: Ints
    """RTP timestamps of media, 0 for the rest."""
    bursts: list[int]
    copies: list[int]
    """Datagrams that are to come out of the engine for all up to the end of each burst."""
    media: int
    """Media packets on the tape; the rest is RTCP and STUN."""

    @property
    def starts(self) -> list[int]:
        """First datagram of each burst."""
        return [0, *self.bursts[:-1]]

    def part(self, start: int, stop: int) -> tuple[Ints, Ints, Ints]:
        """Peers, pointers and lengths of some of the datagrams."""
        return self.peers[start:stop], self.pointers[start:stop], self.lengths[start:stop]


@dataclass(slots=True)
class _Entry:
    at: float
    peer: int
    data: bytes
    copies: int
    ssrc: int
    """0 for what is not media."""
    timestamp: int


class Studio:
    """Makes one tape after the other, each going on where the last ended."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._now = 0.1

    def record(
        self,
        duration_s: float,
        *,
        feedback: bool,
        keyframes: bool = False,
        keyframe_s: float = 0.0,
        among: Sequence[Person] | None = None,
    ) -> Tape:
        """The next stretch of media time; with ``keyframes`` every picture is one, for receivers that join,
        with ``keyframe_s`` there is one after so long.

        Who is not ``among`` the people given is silent, and makes up for it on the next tape.
        """
        start, self._now = self._now, self._now + duration_s
        entries: list[_Entry] = []
        for person in self._crowd.people if among is None else among:
            for until in _steps(start, self._now, keyframe_s):
                entries += _media(person, until, keyframe=keyframes or keyframe_s > 0)
            if feedback and person.sources:
                entries += _feedback(person, start, self._now)
        entries.sort(key=lambda entry: (entry.at, entry.peer))
        return _tape(entries)

    def reports(self) -> list[tuple[int, bytes]]:
        """A sender report of each stream."""
        return [
            (person.number, person.peer.srtp.protect_rtcp(source.sender_report(self._now)))
            for person in self._crowd.publishers
            for track in person.tracks
            for source in track.sources
        ]


def _media(person: Person, until: float, *, keyframe: bool) -> list[_Entry]:
    """The packets due, in the order in which they leave, in which clients number them transport-wide."""
    wanted: dict[VideoSource | AudioSource, int] = {}
    for track in person.tracks:
        wanted.update(zip(track.sources, track.wanted, strict=True))
    begun = set[VideoSource | AudioSource]()
    entries: list[_Entry] = []
    while wanted and (source := min(wanted, key=lambda one: one.next_at)).next_at <= until:
        first = keyframe and source not in begun
        begun.add(source)
        for sent in _keyframe(source) if first else source.take(source.next_at):
            data = person.peer.srtp.protect(sent.data)
            entries.append(
                _Entry(sent.sent_at, person.number, data, wanted[source], sent.ssrc, sent.timestamp)
            )
    return entries


def _keyframe(source: VideoSource | AudioSource) -> list[SentPacket]:
    """The next picture, as a key frame no larger than others."""
    if isinstance(source, AudioSource):
        return source.take(source.next_at)
    source.keyframe()
    bitrate_bps, source.bitrate_bps = source.bitrate_bps, source.bitrate_bps / KEYFRAME_FACTOR
    packets = source.take(source.next_at)
    source.bitrate_bps = bitrate_bps
    return packets


def _steps(start: float, end: float, interval_s: float) -> list[float]:
    """Ends of equal parts of about the interval; one if there is none."""
    parts = max(1, round((end - start) / interval_s)) if interval_s else 1
    return [start + (end - start) * (n + 1) / parts for n in range(parts)]


def _feedback(person: Person, start: float, end: float) -> list[_Entry]:
    """What a browser that receives says meanwhile: transport feedback, receiver reports, ICE checks."""
    peer, number = person.peer, person.number
    ssrcs = sorted({stream.ssrc for stream in peer.received.values()})
    arrivals = [(1000 + n, 5_000_000 + 4_000 * n) for n in range(12)]
    feedback = twcc.build_feedback(1, ssrcs[0], arrivals, 0)[0]
    blocks = tuple(rtcp.ReportBlock(ssrc, 0, 0, 1000, 30, 0, 0) for ssrc in ssrcs[:31])
    report = rtcp.build_receiver_report(rtcp.ReceiverReport(1, blocks))
    phase = number * 0.618 % 1
    due = [
        *((at, feedback) for at in _beats(start, end, TWCC_INTERVAL_S, phase)),
        *((at, report) for at in _beats(start, end, REPORT_INTERVAL_S, phase)),
        *((at, b"") for at in _beats(start, end, CHECK_INTERVAL_S, phase)),
    ]
    return [  # protected in the order of sending, or replay protection would refuse them
        _Entry(at, number, peer.srtp.protect_rtcp(packet) if packet else peer.check(), 0, 0, 0)
        for at, packet in sorted(due)
    ]


def _beats(start: float, end: float, interval_s: float, phase: float) -> list[float]:
    """Instants that go on from stretch to stretch."""
    first = math.ceil(start / interval_s - phase)
    return [(n + phase) * interval_s for n in range(first, math.ceil(end / interval_s - phase))]


def _tape(entries: list[_Entry]) -> Tape:
    data = np.frombuffer(b"".join(entry.data for entry in entries), np.uint8)
    lengths = np.array([len(entry.data) for entry in entries], np.int64)
    starts = np.cumsum(lengths) - lengths
    bursts: list[int] = []
    copies: list[int] = []
    total = 0
    for index, entry in enumerate(entries):
        total += entry.copies
        following = entries[index + 1] if index + 1 < len(entries) else None
        if following is None or (following.at, following.peer) != (entry.at, entry.peer):
            bursts.append(index + 1)
            copies.append(total)
    return Tape(
        data,
        np.array([entry.peer for entry in entries], np.int64),
        data.ctypes.data + starts,
        lengths,
        np.array([entry.at for entry in entries]),
        np.array([entry.ssrc for entry in entries], np.int64),
        np.array([entry.timestamp for entry in entries], np.int64),
        bursts,
        copies,
        sum(entry.ssrc > 0 for entry in entries),
    )
