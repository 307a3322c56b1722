"""The data channels of one association: who they are, what waits in them, and whose turn it is to send."""

from collections import deque
from typing import Protocol

from sfu.net import dcep
from sfu.net.dcep import ChannelOpen, DcepError

MAX_CHANNELS = 64
"""Channels open at a time; LiveKit clients open three."""
MAX_BUFFERED_BYTES = 16 * 1024 * 1024
"""Bytes that may wait in one channel. The engine gives up on a slow subscriber long before."""

_STRING, _BINARY, _STRING_EMPTY, _BINARY_EMPTY = 51, 53, 56, 57
"""Payload protocol ids (RFC 8831 section 8)."""


class ChannelListener(Protocol):
    """Who hears of channels and messages."""

    def channel_opened(self, label: str) -> None:
        """A channel of this label can be used: the peer opened it, or acknowledged ours."""

    def message(self, label: str, payload: bytes, binary: bool) -> None:
        """A whole message came; text is UTF-8 (so the peer claims) with ``binary`` False."""


class Channel:
    """One channel, with the attributes that aiortc's stream reset looks at (in its spelling)."""

    __slots__ = ("buffered", "id", "negotiated", "opening", "queue", "readyState")

    def __init__(self, stream_id: int, opening: ChannelOpen, state: str) -> None:
        self.id = stream_id
        self.opening = opening
        self.negotiated = False
        self.readyState = state
        """One of ``connecting``, ``open``, ``closing`` and ``closed``."""
        self.queue: deque[tuple[int, bytes]] | None = None
        """None while nothing waits: an empty deque takes 760 bytes, and channels are idle for hours."""
        self.buffered = 0
        """Bytes in the queue."""

    @property
    def ordered(self) -> bool:
        """Before the peer has acknowledged a channel, nothing may overtake its opening (RFC 8832 section
        6)."""
        return self.opening.ordered or self.readyState == "connecting"

    def _setReadyState(self, state: str) -> None:  # noqa: N802 - aiortc's name
        self.readyState = state
        if state in ("closing", "closed"):
            self.queue = None
            self.buffered = 0


class Channels:
    """Channels by stream and by label. ``first_id`` is 1 for the DTLS server and 0 for the client (RFC
    8832)."""

    def __init__(self, listener: ChannelListener, first_id: int) -> None:
        self.by_id: dict[int, Channel] = {}
        self.rejected = 0
        self._by_label: dict[str, Channel] = {}
        self._listener = listener
        self._first_id = first_id
        self._turns: deque[Channel] = deque()

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self._by_label)

    @property
    def has_messages(self) -> bool:
        return bool(self._turns)

    def buffered(self, label: str) -> int:
        channel = self._by_label.get(label)
        return channel.buffered if channel is not None else 0

    def open(self, opening: ChannelOpen) -> None:
        """Ask the peer for a channel, on the next free stream of our parity."""
        stream_id = self._first_id
        while stream_id in self.by_id:
            stream_id += 2
        self._queue(self._add(stream_id, opening, "connecting"), dcep.PROTOCOL_ID, bytes(opening))

    def send(self, label: str, payload: bytes, binary: bool) -> bool:
        """Queue a message; False if there is no such channel or too much waits in it."""
        channel = self._by_label.get(label)
        if channel is None or channel.buffered + len(payload) > MAX_BUFFERED_BYTES:
            return False
        if payload:
            self._queue(channel, _BINARY if binary else _STRING, payload)
        else:
            self._queue(channel, _BINARY_EMPTY if binary else _STRING_EMPTY, b"\x00")
        return True

    def next_message(self) -> tuple[Channel, int, bytes] | None:
        """Take the next message to send, (channel, protocol id, payload), of the channels in turn."""
        while self._turns:
            channel = self._turns.popleft()
            if channel.queue:
                protocol, payload = channel.queue.popleft()
                channel.buffered -= len(payload)
                if channel.queue:
                    self._turns.append(channel)
                else:
                    channel.queue = None
                return channel, protocol, payload
        return None

    def take(self, stream_id: int, protocol: int, payload: bytes) -> None:
        """Act on a message of the peer's: an opening, its acknowledgement, or something for the listener."""
        channel = self.by_id.get(stream_id)
        if protocol == dcep.PROTOCOL_ID:
            self._take_dcep(stream_id, channel, payload)
        elif channel is None or channel.readyState not in ("connecting", "open"):
            self.rejected += 1
        elif protocol in (_BINARY, _STRING):
            self._listener.message(channel.opening.label, payload, protocol == _BINARY)
        elif protocol in (_BINARY_EMPTY, _STRING_EMPTY):
            self._listener.message(channel.opening.label, b"", protocol == _BINARY_EMPTY)
        else:
            self.rejected += 1

    def forget_label(self, channel: Channel) -> None:
        """Send no more on a channel that closes."""
        if self._by_label.get(channel.opening.label) is channel:
            del self._by_label[channel.opening.label]

    def _take_dcep(self, stream_id: int, channel: Channel | None, payload: bytes) -> None:
        if payload == dcep.ACK and channel is not None:
            if channel.readyState == "connecting":
                channel.readyState = "open"
                self._listener.channel_opened(channel.opening.label)
            return
        try:
            opening = dcep.parse_open(payload)
        except DcepError:
            self.rejected += 1
            return
        if channel is not None or len(self.by_id) >= MAX_CHANNELS:
            self.rejected += 1
            return
        self._queue(self._add(stream_id, opening, "open"), dcep.PROTOCOL_ID, dcep.ACK)
        self._listener.channel_opened(opening.label)

    def _add(self, stream_id: int, opening: ChannelOpen, state: str) -> Channel:
        channel = self.by_id[stream_id] = self._by_label[opening.label] = Channel(stream_id, opening, state)
        return channel

    def _queue(self, channel: Channel, protocol: int, payload: bytes) -> None:
        if channel.queue is None:
            channel.queue = deque()
            self._turns.append(channel)
        channel.queue.append((protocol, payload))
        channel.buffered += len(payload)
