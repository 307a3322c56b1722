"""Messages out of the DATA chunks of one SCTP association (RFC 9260 section 6.9), within bounds.

Fragments that follow one another grow into runs, kept by both their ends, so that a chunk costs the same
whatever else is waiting. TSNs are unwrapped integers (:mod:`sfu.net.tsn`).
"""

from collections import deque
from dataclasses import dataclass, field

from sfu.net.errors import NetError

END = 0x01
BEGIN = 0x02
UNORDERED = 0x04

Message = tuple[int, int, bytes]
"""Stream id, payload protocol id, payload."""


class ReassemblyOverflow(NetError):
    """The peer sent more than may wait for its missing pieces, or a message larger than allowed."""


@dataclass(slots=True)
class _Run:
    """Consecutive fragments of one message."""

    start: int
    end: int
    parts: deque[bytes]
    size: int
    begins: bool
    ends: bool
    ordered: bool
    ssn: int
    protocol: int


@dataclass(slots=True)
class _Stream:
    next_ssn: int = 0
    waiting: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    """Whole messages by stream sequence number, ahead of their turn."""
    by_start: dict[int, _Run] = field(default_factory=dict)
    """Runs that a fragment before them may extend."""
    by_end: dict[int, _Run] = field(default_factory=dict)
    """Runs that a fragment after them may extend."""


class Reassembly:
    """All streams of an association. ``max_bytes`` and ``max_chunks`` bound what waits; see
    :meth:`has_room`."""

    def __init__(self, max_message_size: int, max_bytes: int, max_chunks: int) -> None:
        self.held_bytes = 0
        self.held_chunks = 0
        self._max_message_size = max_message_size
        self._max_bytes = max_bytes
        self._max_chunks = max_chunks
        self._streams: dict[int, _Stream] = {}

    def has_room(self, size: int) -> bool:
        """Whether a chunk of this size that isn't the next in order may be taken."""
        return self.held_bytes + size <= self._max_bytes and self.held_chunks < self._max_chunks

    def add(
        self, stream_id: int, tsn: int, flags: int, ssn: int, protocol: int, payload: bytes
    ) -> list[Message]:
        """Take a new chunk and return the messages it completes, in order.

        Raises ReassemblyOverflow when a message, or all that waits, grows beyond the bounds.
        """
        stream = self._streams.get(stream_id)
        if stream is None:
            stream = self._streams[stream_id] = _Stream()
        ordered = not flags & UNORDERED
        if flags & BEGIN and flags & END:
            return self._finish(stream_id, stream, ordered, ssn, protocol, payload)
        run = _Run(
            tsn,
            tsn,
            deque((payload,)),
            len(payload),
            bool(flags & BEGIN),
            bool(flags & END),
            ordered,
            ssn,
            protocol,
        )
        self._hold(len(payload), 1)
        run = _join(stream, run)
        if run.size > self._max_message_size:
            raise ReassemblyOverflow("message size")
        if not (run.begins and run.ends):
            return []
        self._release(run.size, len(run.parts))
        return self._finish(stream_id, stream, run.ordered, run.ssn, run.protocol, b"".join(run.parts))

    def skip(self, stream_id: int, ssn: int) -> list[Message]:
        """Give up waiting for ordered messages up to this one; return those behind which others waited."""
        stream = self._streams.get(stream_id)
        if stream is None:
            stream = self._streams[stream_id] = _Stream()
        first, steps = stream.next_ssn, (ssn + 1 - stream.next_ssn) & 0xFFFF
        if not 0 < steps < 0x8000:
            return []
        if steps <= len(stream.waiting):
            passed = [(first + step) & 0xFFFF for step in range(steps)]
        else:
            passed = sorted(stream.waiting, key=lambda one: (one - first) & 0xFFFF)
            passed = [one for one in passed if (one - first) & 0xFFFF < steps]
        messages = [self._take(stream_id, stream, one) for one in passed if one in stream.waiting]
        stream.next_ssn = (ssn + 1) & 0xFFFF
        return messages + self._due(stream_id, stream)

    def prune(self, last_tsn: int) -> None:
        """Drop fragments whose missing neighbours the sender gave up: all TSNs up to ``last_tsn`` have
        come."""
        if not self.held_chunks:
            return
        for stream in self._streams.values():
            runs = {id(run): run for run in (*stream.by_start.values(), *stream.by_end.values())}
            for run in runs.values():
                if (not run.begins and run.start <= last_tsn + 1) or (not run.ends and run.end < last_tsn):
                    _detach(stream, run)
                    self._release(run.size, len(run.parts))

    def reset(self, stream_id: int) -> None:
        """Forget a stream: the peer has closed it, and starts it again from sequence number 0."""
        stream = self._streams.pop(stream_id, None)
        if stream is None:
            return
        for _, payload in stream.waiting.values():
            self._release(len(payload), 1)
        runs = {id(run): run for run in (*stream.by_start.values(), *stream.by_end.values())}
        for run in runs.values():
            self._release(run.size, len(run.parts))

    def _finish(
        self, stream_id: int, stream: _Stream, ordered: bool, ssn: int, protocol: int, payload: bytes
    ) -> list[Message]:
        """Pass a whole message on, or let it wait for its turn."""
        message = (stream_id, protocol, payload)
        if not ordered:
            return [message]
        ahead = (ssn - stream.next_ssn) & 0xFFFF
        if ahead == 0:
            stream.next_ssn = (ssn + 1) & 0xFFFF
            return [message, *self._due(stream_id, stream)] if stream.waiting else [message]
        if ahead < 0x8000 and ssn not in stream.waiting:
            self._hold(len(payload), 1)
            stream.waiting[ssn] = (protocol, payload)
        return []

    def _due(self, stream_id: int, stream: _Stream) -> list[Message]:
        """Take the waiting messages whose turn it is."""
        messages = []
        while stream.next_ssn in stream.waiting:
            messages.append(self._take(stream_id, stream, stream.next_ssn))
            stream.next_ssn = (stream.next_ssn + 1) & 0xFFFF
        return messages

    def _take(self, stream_id: int, stream: _Stream, ssn: int) -> Message:
        protocol, payload = stream.waiting.pop(ssn)
        self._release(len(payload), 1)
        return stream_id, protocol, payload

    def _hold(self, size: int, chunks: int) -> None:
        self.held_bytes += size
        self.held_chunks += chunks
        # The next chunk in order is taken even without room, since it may be what the rest waits for; a
        # peer that respects the window never gets a whole message beyond it.
        if (
            self.held_bytes > self._max_bytes + self._max_message_size
            or self.held_chunks > 2 * self._max_chunks
        ):
            raise ReassemblyOverflow("window")

    def _release(self, size: int, chunks: int) -> None:
        self.held_bytes -= size
        self.held_chunks -= chunks


def _join(stream: _Stream, run: _Run) -> _Run:
    """Merge a new run with its neighbours, and file the result by those ends that may still grow."""
    if not run.begins and (left := stream.by_end.pop(run.start - 1, None)) is not None:
        run = _merge(stream, left, run)
    if not run.ends and (right := stream.by_start.pop(run.end + 1, None)) is not None:
        run = _merge(stream, run, right)
    if run.begins and run.ends:
        _detach(stream, run)
    else:
        if not run.begins:
            stream.by_start[run.start] = run
        if not run.ends:
            stream.by_end[run.end] = run
    return run


def _merge(stream: _Stream, left: _Run, right: _Run) -> _Run:
    """Append the shorter run to the longer one; the beginning knows what the message is."""
    _detach(stream, left)
    _detach(stream, right)
    if len(left.parts) >= len(right.parts):
        left.parts.extend(right.parts)
        parts = left.parts
    else:
        right.parts.extendleft(reversed(left.parts))
        parts = right.parts
    left.parts, left.end, left.ends = parts, right.end, right.ends
    left.size += right.size
    return left


def _detach(stream: _Stream, run: _Run) -> None:
    stream.by_start.pop(run.start, None)
    stream.by_end.pop(run.end, None)
