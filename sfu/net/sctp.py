"""Data channels of one transport: an SCTP association (RFC 8831, RFC 9260) with its channels (RFC 8832).

The only user of aiortc's SCTP. aiortc keeps the association's state: set-up, acknowledgements of what we
sent, congestion window, retransmission, partial reliability, stream reset and their timers. What a peer can
aim at us is read here: every length and count is checked before aiortc sees a chunk, received data is
tracked and put together by our own bounded structures, and bad input is counted, never raised.

Packets are filled: the chunks of one turn of the event loop share them, every second packet is acknowledged
(or after 20 ms), and messages of all channels are taken in turn. aiortc's coroutines never suspend over our
wire, so they run to their end where they are called.

Longer than most files here, because aiortc has this one door and the class behind it can't be entered in
halves.
"""

# What we work with is private to aiortc: see private_names.py.
# ruff: noqa: SLF001

import asyncio
import struct
import time
from collections.abc import Callable, Coroutine
from typing import Any, Literal

from aiortc import rtcsctptransport as aiortc_sctp
from aiortc.rtcsctptransport import CHUNK_TYPES, RTCSctpCapabilities, RTCSctpTransport, SackChunk, crc32c

from sfu.net import dcep
from sfu.net.channels import Channel, ChannelListener, Channels
from sfu.net.dcep import ChannelOpen
from sfu.net.reassembly import Message, Reassembly, ReassemblyOverflow
from sfu.net.sctp_chunks import (
    ABORT,
    DATA,
    FORWARD_TSN,
    INIT,
    INIT_ACK,
    SACK,
    are_ascending,
    is_well_formed,
    read_chunks,
)
from sfu.net.tsn import ReceivedTsns

Role = Literal["server", "client"]

PORT = 5000
"""SCTP port of ours, as every WebRTC implementation has it."""
MAX_MESSAGE_SIZE = 262_144
"""Bytes of a message that we take, for ``a=max-message-size``, and the most we send."""
MAX_STREAMS = 1024
"""Streams a peer may use; Chromium never uses an id beyond 1023."""
RECEIVE_WINDOW = 1024 * 1024
"""Bytes of incomplete or out-of-turn messages held for a peer."""
MAX_HELD_CHUNKS = 8192
"""Chunks held likewise: small ones cost more memory than they carry."""
MAX_PACKET_SIZE = 4096
"""Bytes of a packet that we read; peers send up to about 1200."""

_SACK_DELAY_S = 0.02
_RTO_INITIAL_S = 0.5
_RTO_MIN_S = 0.4
"""As libwebrtc's SCTP has them. aiortc's 3 s and 1 s would make one lost packet a long silence; below 0.4 s a
peer's delayed SACK (200 ms) would be taken for a loss."""
_RTT_PLAUSIBLE_S = 60.0
_MAX_TSN_AHEAD = 0xFFFF
"""A SACK can't report beyond it."""
_MAX_GAPS = 200
_MAX_DUPLICATES = 20
_QUEUED_CHUNKS = 64
"""Chunks cut from messages ahead of the congestion window: few, so that channels keep taking turns."""

_PACKET_SIZE = aiortc_sctp.SCTP_MAX_PACKET_LENGTH
_CHUNK_SIZE = aiortc_sctp.USERDATA_MAX_LENGTH

_BEFORE_INIT = frozenset({INIT, INIT_ACK, ABORT})
_data_header = struct.Struct("!LHHL")
_common_header = struct.Struct("!HHL")

# What aiortc's state machine may raise when chunks come in an order it did not think of.
_AIORTC_ERRORS = (AssertionError, AttributeError, LookupError, TypeError, ValueError, struct.error)


Soon = Callable[[Callable[[], None]], None]


def call_soon(work: Callable[[], None]) -> None:
    """In the next turn of the event loop, whatever else there is to do."""
    asyncio.get_running_loop().call_soon(work)


class SctpAssociation:
    """One association. ``send`` gets SCTP packets for DTLS; DTLS gives what it decrypts to :meth:`feed`."""

    def __init__(
        self,
        send: Callable[[bytes], None],
        role: Role,
        listener: ChannelListener,
        local_port: int = PORT,
        soon: Soon = call_soon,
    ) -> None:
        """``soon`` calls something in one of the next turns of the event loop."""
        self._channels = Channels(listener, first_id=1 if role == "server" else 0)
        self._association = _Association(send, role, self._channels, local_port, soon)

    @property
    def state(self) -> str:
        """One of ``new``, ``connecting``, ``connected`` and ``closed``."""
        return str(self._association.state)

    @property
    def rejected(self) -> int:
        """Packets, chunks and messages that were refused."""
        return self._association.rejected + self._channels.rejected

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that :meth:`send` knows."""
        return self._channels.labels

    def start(self, remote_port: int = PORT, max_message_size: int = 65_536) -> None:
        """Begin the association once DTLS is up; both ends do (RFC 8841 section 9.3).

        ``max_message_size`` is the peer's ``a=max-message-size`` in bytes, 0 for no limit.
        """
        size = min(max_message_size or MAX_MESSAGE_SIZE, MAX_MESSAGE_SIZE)
        _run(self._association.start(RTCSctpCapabilities(maxMessageSize=size), remote_port))

    def feed(self, packet: bytes) -> None:
        """Take one SCTP packet from the peer."""
        self._association.feed(packet)

    def open_channel(self, label: str, ordered: bool = True, max_retransmits: int | None = None) -> None:
        """Open a channel, now or as soon as the association is up. The listener hears when the peer
        agreed."""
        self._channels.open(ChannelOpen(label, ordered, max_retransmits))
        self._association.schedule_flush()

    def send(self, label: str, payload: bytes, binary: bool = True) -> bool:
        """Queue a message on the channel opened last under this label; it leaves soon.

        False if there is no such channel, the message is larger than the peer takes, or too much waits
        already.
        """
        if len(payload) > self._association.max_message_size or not self._channels.send(
            label, payload, binary
        ):
            return False
        self._association.schedule_flush()
        return True

    def buffered(self, label: str) -> int:
        """Bytes queued on a channel and not yet cut into chunks; 0 if there is no such channel."""
        return self._channels.buffered(label)

    def close(self) -> None:
        """Abort the association and stop its timers."""
        self._association.close()


class _Wire:
    """What aiortc asks of a DTLS transport; it sends through :meth:`_Association._send_chunk` alone."""

    state = "connected"

    def __init__(self, role: Role) -> None:
        self._role = role

    def _register_data_receiver(self, receiver: object) -> None:
        """We feed the association ourselves."""

    def _unregister_data_receiver(self, receiver: object) -> None:
        """As above."""


class _Association(RTCSctpTransport):  # type: ignore[misc]
    """aiortc's association with our own reading, receiving, packing and channels."""

    def __init__(
        self, send: Callable[[bytes], None], role: Role, channels: Channels, local_port: int, soon: Soon
    ) -> None:
        super().__init__(_Wire(role), port=local_port)
        self.rejected = 0
        self.channels = channels
        self._data_channels = channels.by_id
        self._deliver = send
        self._inbound_streams_max = MAX_STREAMS
        self._outbound_streams_count = MAX_STREAMS
        self._rto = _RTO_INITIAL_S
        self._received: ReceivedTsns | None = None
        self._reassembly = Reassembly(MAX_MESSAGE_SIZE, RECEIVE_WINDOW, MAX_HELD_CHUNKS)
        self._prune_due = False
        self._messages: list[Message] = []
        self._outgoing: list[bytes] = []
        self._corked = False
        self._filling = False
        self._retransmit_due = False
        self._peer_window = RECEIVE_WINDOW
        self._soon = soon
        self._flush_due = False
        self._sack_handle: asyncio.TimerHandle | None = None
        self._unacknowledged_packets = 0

    _forward_tsn_chunk: Any
    _fast_recovery_transmit: bool
    _reconfig_response_seq: int

    @property
    def max_message_size(self) -> int:
        return int(self._remote_max_message_size)

    @property
    def _closed(self) -> bool:
        return bool(self.state == "closed")

    # Packets in

    def feed(self, packet: bytes) -> None:
        if self.state in ("new", "closed"):
            return
        self._corked = True
        try:
            self._read(packet)
        except ReassemblyOverflow:
            self.rejected += 1
            self._corked = False
            self.close()
            return
        finally:
            self._corked = False
        if self._prune_due and self._received is not None:
            self._prune_due = False
            self._reassembly.prune(self._received.last)
        if self._sack_needed:
            self._acknowledge()
        self._send_packets()
        messages, self._messages = self._messages, []
        for message in messages:
            self.channels.take(*message)
        if self.channels.has_messages:
            self.schedule_flush()

    def _read(self, packet: bytes) -> None:
        """Check a packet and act on its chunks up to the first that is malformed."""
        if not self._is_sound(packet):
            self.rejected += 1
            return
        sacked = False
        for kind, flags, body in read_chunks(packet):
            if self._received is None and kind not in _BEFORE_INIT:
                self.rejected += 1
            elif kind == DATA:
                self._take_data(flags, body)
            elif not is_well_formed(kind, body) or (kind == SACK and sacked):
                # A packet carries one SACK; more would multiply the work of looking through what we sent.
                self.rejected += 1
                return
            else:
                sacked |= kind == SACK
                self._take_chunk(kind, flags, body)
            if self._closed:
                return

    def _is_sound(self, packet: bytes) -> bool:
        """Whether size, verification tag and checksum are right (RFC 9260 section 8.5)."""
        if not 16 <= len(packet) <= MAX_PACKET_SIZE or len(packet) % 4:
            return False
        tag = int.from_bytes(packet[4:8], "big")
        if packet[12] == INIT:
            # An INIT is alone in its packet.
            size = int.from_bytes(packet[14:16], "big")
            if tag or len(packet) - 12 != size + (-size & 3):
                return False
        elif tag != self._local_verification_tag:
            return False
        checksum = int.from_bytes(packet[8:12], "little")
        return bool(checksum == crc32c(packet[:8] + b"\x00\x00\x00\x00" + packet[12:]))

    def _take_data(self, flags: int, body: bytes) -> None:
        if len(body) <= _data_header.size or self._received is None:
            self.rejected += 1
            return
        tsn, stream_id, ssn, protocol = _data_header.unpack_from(body)
        payload = body[_data_header.size :]
        received = self._received
        unwrapped = received.unwrap(tsn)
        if received.has(unwrapped):
            self._sack_needed = True
            if len(self._sack_duplicates) < _MAX_DUPLICATES:
                self._sack_duplicates.append(tsn)
            return
        if unwrapped != received.last + 1 and (
            unwrapped > received.last + _MAX_TSN_AHEAD or not self._reassembly.has_room(len(payload))
        ):
            # Not acknowledged, so the peer sends it again when there is room.
            self.rejected += 1
            return
        self._sack_needed = True
        received.add(unwrapped)
        self._last_received_tsn = received.cumulative_tsn
        if stream_id >= MAX_STREAMS:
            self.rejected += 1
            return
        self._messages += self._reassembly.add(stream_id, unwrapped, flags, ssn, protocol, payload)
        if self._reconfig_deferred is not None:
            self._guard(self._reset_deferred_streams())

    def _take_chunk(self, kind: int, flags: int, body: bytes) -> None:
        if kind == FORWARD_TSN:
            self._take_forward_tsn(body)
        elif kind in CHUNK_TYPES:
            self._guard(self._receive_chunk(CHUNK_TYPES[kind](flags, body)))

    def _guard(self, coroutine: Coroutine[Any, Any, None]) -> None:
        try:
            _run(coroutine)
        except _AIORTC_ERRORS:
            self.rejected += 1

    async def _receive_chunk(self, chunk: Any) -> None:
        if chunk.type not in (INIT, INIT_ACK):
            await super()._receive_chunk(chunk)
            return
        if not chunk.initiate_tag or not chunk.outbound_streams or not chunk.inbound_streams:
            self.rejected += 1
        elif chunk.type == INIT_ACK:
            await super()._receive_chunk(chunk)
            self._begin(keep=self._received is not None)
        elif self._association_state != self.State.ESTABLISHED:
            # A duplicate must be answered again, but mustn't take back what has come since the first.
            repeated = self._received is not None and chunk.initiate_tag == self._remote_verification_tag
            reconfig_sequence = self._reconfig_response_seq
            await super()._receive_chunk(chunk)
            if repeated:
                self._reconfig_response_seq = reconfig_sequence
            self._begin(keep=repeated)

    def _begin(self, keep: bool) -> None:
        if not keep and self._last_received_tsn is not None:
            self._received = ReceivedTsns(self._last_received_tsn)
        elif self._received is not None:
            self._last_received_tsn = self._received.cumulative_tsn

    def _take_forward_tsn(self, body: bytes) -> None:
        if self._received is None:
            return
        self._sack_needed = True
        tsn = self._received.unwrap(int.from_bytes(body[:4], "big"))
        if tsn <= self._received.last:
            return
        self._received.advance(tsn)
        self._last_received_tsn = self._received.cumulative_tsn
        for stream_id, ssn in struct.iter_unpack("!HH", body[4:]):
            if stream_id < MAX_STREAMS:
                self._messages += self._reassembly.skip(stream_id, ssn)
        self._prune_due = True
        if self._reconfig_deferred is not None:
            self._guard(self._reset_deferred_streams())

    async def _reset_deferred_streams(self) -> None:
        request = self._reconfig_deferred
        await super()._reset_deferred_streams()
        if request is not None and self._reconfig_deferred is None:
            for stream_id in request.streams:
                self._reassembly.reset(stream_id)

    async def _receive_sack_chunk(self, chunk: Any) -> None:
        """Let aiortc act on a SACK that speaks of nothing we haven't sent, in ascending blocks."""
        highest = self._sent_queue[-1].tsn if self._sent_queue else self._advanced_peer_ack_tsn
        outstanding = (highest - chunk.cumulative_tsn) % (1 << 32)
        if outstanding > (highest - self._last_sacked_tsn) % (1 << 32) or not are_ascending(
            chunk.gaps, outstanding
        ):
            self.rejected += 1
            return
        self._peer_window = chunk.advertised_rwnd
        self._retransmit_due |= bool(chunk.gaps)
        await super()._receive_sack_chunk(chunk)

    def _update_rto(self, R: float) -> None:  # noqa: N803 - aiortc's name
        # aiortc measures with the wall clock, which may be set while a packet is under way.
        if 0.0 <= R < _RTT_PLAUSIBLE_S:
            super()._update_rto(R)
            self._rto = min(max(_RTO_MIN_S, self._srtt + 4 * self._rttvar), self._rto)

    # Acknowledgements

    def _acknowledge(self) -> None:
        """Send a SACK at once for losses, duplicates and every second packet, else after a while."""
        self._unacknowledged_packets += 1
        if (
            self._unacknowledged_packets > 1
            or self._sack_duplicates
            or (self._received is not None and self._received.has_gaps)
        ):
            self._queue_sack()
        elif self._sack_handle is None:
            self._sack_handle = self._loop.call_later(_SACK_DELAY_S, self._sack_late)

    def _sack_late(self) -> None:
        self._sack_handle = None
        if self._sack_needed:
            self._queue_sack()
            self._send_packets()

    def _queue_sack(self) -> None:
        """Put a SACK before the other chunks to send."""
        if self._received is None or self._closed:
            return
        sack = SackChunk()
        sack.cumulative_tsn = self._received.cumulative_tsn
        sack.advertised_rwnd = max(0, RECEIVE_WINDOW - self._reassembly.held_bytes)
        sack.gaps = self._received.gaps(_MAX_GAPS)
        sack.duplicates = self._sack_duplicates[:]
        self._sack_duplicates.clear()
        self._sack_needed = False
        self._unacknowledged_packets = 0
        if self._sack_handle is not None:
            self._sack_handle.cancel()
            self._sack_handle = None
        self._outgoing.insert(0, bytes(sack))

    # Packets out

    async def _send_chunk(self, chunk: Any) -> None:
        self._outgoing.append(bytes(chunk))
        if not self._corked:
            self._send_packets()

    def _send_packets(self) -> None:
        """Pack the chunks that wait; INIT and INIT ACK go alone (RFC 9260 section 6.10)."""
        if self._sack_needed and self._outgoing and self._association_state == self.State.ESTABLISHED:
            self._queue_sack()
        chunks, self._outgoing = self._outgoing, []
        packed: list[bytes] = []
        size = _common_header.size + 4
        for chunk in chunks:
            alone = chunk[0] in (INIT, INIT_ACK)
            if packed and (alone or size + len(chunk) > _PACKET_SIZE):
                self._send_packet(b"".join(packed), self._remote_verification_tag)
                packed, size = [], _common_header.size + 4
            if alone:
                self._send_packet(chunk, 0 if chunk[0] == INIT else self._remote_verification_tag)
                continue
            packed.append(chunk)
            size += len(chunk)
        if packed:
            self._send_packet(b"".join(packed), self._remote_verification_tag)

    def _send_packet(self, chunks: bytes, tag: int) -> None:
        header = _common_header.pack(self._local_port, self._remote_port, tag)
        checksum: int = crc32c(header + b"\x00\x00\x00\x00" + chunks)
        self._deliver(header + checksum.to_bytes(4, "little") + chunks)

    async def _transmit(self) -> None:
        """Send what the congestion window and the peer's window allow, bundled."""
        if self._filling or self._closed:
            return
        corked, self._corked = self._corked, True
        try:
            if self._forward_tsn_chunk is not None:
                await self._send_chunk(self._forward_tsn_chunk)
                self._forward_tsn_chunk = None
                if not self._t3_handle:
                    self._t3_start()
            burst = (2 if self._fast_recovery_exit is not None else 4) * _CHUNK_SIZE
            # One chunk may always be under way, to find out when a closed window opens.
            window = min(self._flight_size + burst, self._cwnd, max(self._peer_window, 1))
            if not self._retransmit_due or await self._retransmit(window):
                await self._transmit_new(window)
        finally:
            self._corked = corked
        if not corked:
            self._send_packets()

    async def _retransmit(self, window: int) -> bool:
        """Send again what was lost; False if the window ends before that is done."""
        earliest = True
        for chunk in self._sent_queue:
            if chunk._retransmit and not chunk._acked:
                if self._fast_recovery_transmit:
                    self._fast_recovery_transmit = False
                elif self._flight_size >= window:
                    return False
                self._flight_size_increase(chunk)
                chunk._misses = 0
                chunk._retransmit = False
                chunk._sent_count += 1
                await self._send_chunk(chunk)
                if earliest:
                    self._t3_restart()
            earliest = False
        self._retransmit_due = False
        return True

    async def _transmit_new(self, window: int) -> None:
        now = time.time()
        while self._outbound_queue and self._flight_size < window:
            chunk = self._outbound_queue.popleft()
            self._sent_queue.append(chunk)
            self._flight_size_increase(chunk)
            chunk._sent_count += 1
            chunk._sent_time = now
            await self._send_chunk(chunk)
            if not self._t3_handle:
                self._t3_start()

    def _t1_expired(self) -> None:
        # The transport under us decides when to give up, not a count of INITs.
        self._t1_failures = 0
        super()._t1_expired()

    def _t3_expired(self) -> None:
        self._retransmit_due = True
        super()._t3_expired()

    # Channels

    def schedule_flush(self) -> None:
        """Send what the channels hold, soon and once."""
        if not self._flush_due and not self._closed:
            self._flush_due = True
            self._soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        _run(self._data_channel_flush())

    async def _data_channel_flush(self) -> None:
        """Cut messages of the channels in turn, as long as their chunks can leave."""
        if self._association_state != self.State.ESTABLISHED:
            return
        corked, self._corked = self._corked, True
        while self.channels.has_messages and len(self._outbound_queue) < _QUEUED_CHUNKS:
            self._filling = True
            while len(self._outbound_queue) < _QUEUED_CHUNKS and (message := self.channels.next_message()):
                await self._cut(*message)
            self._filling = False
            await self._transmit()
        await self._transmit_reconfig()
        self._corked = corked
        if not corked:
            self._send_packets()

    async def _cut(self, channel: Channel, protocol: int, payload: bytes) -> None:
        if protocol == dcep.PROTOCOL_ID:
            await self._send(channel.id, protocol, payload)
            return
        lifetime_ms = channel.opening.max_lifetime_ms
        await self._send(
            channel.id,
            protocol,
            payload,
            expiry=None if lifetime_ms is None else time.time() + lifetime_ms / 1000,
            max_retransmits=channel.opening.max_retransmits,
            ordered=channel.ordered,
        )

    def _data_channel_close(self, channel: Channel) -> None:
        self.channels.forget_label(channel)
        super()._data_channel_close(channel)

    def _data_channel_closed(self, stream_id: int) -> None:
        channel = self.channels.by_id.get(stream_id)
        if channel is not None:
            self.channels.forget_label(channel)
            super()._data_channel_closed(stream_id)

    def close(self) -> None:
        if self._closed:
            return
        _run(self.stop())
        if self._sack_handle is not None:
            self._sack_handle.cancel()
            self._sack_handle = None
        self._outgoing.clear()


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine of aiortc's to its end; over our wire it never waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError("aiortc's SCTP waited for something")
