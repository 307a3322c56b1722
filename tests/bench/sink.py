"""The receiving end of all peers: counts every stream, and looks closely at a few."""

import time
from typing import Any

import numpy as np

from tests.bench.crowd import Crowd
from tests.bench.sockets import Floats, Ints, PeerSocket
from tests.harness.keyed_peer import KeyedPeer

SAMPLE = 8
"""Streams whose packets are decrypted and whose numbers must follow one on the other."""


class Sink:
    """Drains the socket. ``received`` is shared with the engine's process, for the floor."""

    def __init__(self, crowd: Crowd, socket: PeerSocket, received: Any) -> None:
        self._socket = socket
        self._received = received
        owners: dict[int, KeyedPeer] = {}
        sources: dict[int, int] = {}
        for person in crowd.people:
            for stream in person.peer.received.values():
                owners[stream.ssrc] = person.peer
                sources[stream.ssrc] = person.sources[stream.track_id]
        self.sources = [sources[ssrc] for ssrc in sorted(sources)]
        """SSRC that each stream is a copy of."""
        self._ssrcs = np.array(sorted(owners) or [-1], np.int64)
        self.counts = np.zeros(len(owners), np.int64)
        """Packets by stream; empty where nobody receives."""
        chosen = np.linspace(0, len(owners) - 1, min(SAMPLE, len(owners))).astype(int)
        self._sampled = np.zeros(len(self._ssrcs), np.bool_)
        self._sampled[chosen] = True
        self._peers = {index: owners[int(self._ssrcs[index])] for index in chosen.tolist()}
        self._last: dict[int, int] = {}
        self._words = socket.rows.view(">u4")
        self.busy_s = 0.0
        """Time that taking datagrams took."""
        self._arrivals: list[tuple[Ints, Ints, Floats]] | None = None
        self.media = 0
        """Packets of known streams."""
        self.other = 0
        """RTCP, STUN, and packets of unknown streams."""
        self.checked = 0
        self.forged = 0
        """Sampled packets that did not authenticate."""
        self.holes = 0
        """Numbers that a sampled stream skipped or repeated."""

    def drain(self) -> int:
        """Take one batch; returns how many."""
        began_at = time.perf_counter()
        count = self._socket.receive()
        if count:
            self._take(count)
            self.busy_s += time.perf_counter() - began_at
        return count

    def drain_uncounted(self) -> int:
        """Take one batch of the floor's, whose packets are not for these keys; returns how many.

        The same work but for decrypting, so that both find the same receiver at the other end of the socket.
        """
        sampled, counts, media, other = self._sampled, self.counts, self.media, self.other
        self._sampled, self.counts = np.zeros_like(sampled), np.zeros_like(counts)
        try:
            return self.drain()
        finally:
            self._sampled, self.counts, self.media, self.other = sampled, counts, media, other

    def _take(self, count: int) -> None:
        rows = self._socket.rows[:count]
        rtp = (rows[:, 0] >= 128) & ((rows[:, 1] < 192) | (rows[:, 1] > 223))
        ssrcs = self._words[:count, 2].astype(np.int64)
        at = np.minimum(np.searchsorted(self._ssrcs, ssrcs), len(self._ssrcs) - 1)
        known = rtp & (self._ssrcs[at] == ssrcs)
        media = int(known.sum())
        self.media += media
        self.other += count - media
        if media:
            self.counts += np.bincount(at[known], minlength=len(self.counts))
            if self._arrivals is not None:
                stamps = self._words[:count, 1][known].astype(np.int64)
                self._arrivals.append((at[known], stamps, self._socket.arrivals_s(count)[known]))
        look = known & self._sampled[at]
        if look.any():
            self._look(np.flatnonzero(look).tolist(), at, count)
        self._received.value += count

    def empty(self) -> None:
        """Take all that waits."""
        while self.drain():
            pass

    def forget(self) -> None:
        """Count from here."""
        self.counts[:] = 0
        self.media = self.other = 0

    def record_arrivals(self) -> None:
        """Note from here when packets arrive."""
        self._socket.timestamp()
        self._arrivals = []

    def arrivals(self) -> tuple[Ints, Ints, Floats]:
        """End the notes; returns stream, RTP timestamp and Unix time of each packet."""
        noted, self._arrivals = self._arrivals or [], None
        if not noted:
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        streams, stamps, times = zip(*noted, strict=True)
        return np.concatenate(streams), np.concatenate(stamps), np.concatenate(times)

    def restart(self) -> None:
        """Look from here: what came before was for setting up."""
        self.checked = self.forged = self.holes = 0

    def _look(self, rows: list[int], at: Any, count: int) -> None:
        lengths = self._socket.lengths(count)
        for row in rows:
            index = int(at[row])
            data = self._socket.rows[row, : lengths[row]].tobytes()
            self.checked += 1
            sequence = int.from_bytes(data[2:4], "big")
            if self._peers[index].srtp.unprotect(data) is None:
                self.forged += 1
            last = self._last.get(index)
            if last is not None and sequence != (last + 1) & 0xFFFF:
                self.holes += 1
            self._last[index] = sequence
