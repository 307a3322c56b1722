"""A client's end of a transport inside the engine's process; above the line the only way to packets.

Whoever holds a :class:`Tap` has no peer connection: its packets go in where a decrypted packet would, and what the
engine would encrypt for it comes out. The offers are still made and answered as by any other client, so that the
control plane sees no difference.
"""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from sfu.control import MediaKind, TrackId
from sfu.peer.transport import Transport
from sfu.rtp import rtcp
from sfu.rtp.errors import RtpError
from sfu.rtp.header import parse_header
from sfu.tap.lines import Lines
from sfu.tap.packets import Outgoing, Tapped

if TYPE_CHECKING:
    from sfu.engine import Engine

MAX_WAITING = 4096
"""Packets and messages that may wait for one turn of the event loop; further ones are dropped."""


class TapListener(Protocol):
    """Hears what comes to a tap, in order, by the event loop and never from within a call to the engine."""

    def media(self, packet: Tapped) -> None:
        """A packet of a track that is subscribed to."""

    def keyframe_wanted(self, cid: str) -> None:
        """Somebody can't go on with a published track without a key frame."""

    def data(self, label: str, payload: bytes) -> None:
        """A message of a data channel."""

    def tap_closed(self) -> None:
        """The transport is gone; nothing more comes."""


class Tap:
    """Made by ``LocalPool.tap``. All calls after the transport's end are ignored."""

    def __init__(self, engine: "Engine", transport: Transport, listener: TapListener) -> None:
        self._engine = engine
        self._transport = transport
        self._listener = listener
        self._lines = Lines()
        self._outgoing: dict[str, Outgoing] = {}
        self._waiting: deque[Callable[[], None]] = deque()
        self._losses = engine.context.losses
        transport.house(self)

    # --- negotiation ---

    def publish(self, cid: str, kind: MediaKind) -> None:
        """Send a track from the next offer on; ``cid`` is the id that it was announced with."""
        ssrc = 1 + secrets.randbelow(0xFFFFFFFF)
        self._outgoing[cid] = Outgoing(kind, ssrc, secrets.randbits(15))
        self._lines.publish(cid, kind, ssrc)

    def unpublish(self, cid: str) -> None:
        """Send a track no longer."""
        self._outgoing.pop(cid, None)
        self._lines.unpublish(cid)

    def require(self, audios: int, videos: int) -> None:
        """Offer (more) lines to receive on, as SectionsNeeded says."""
        self._lines.require(audios, videos)

    def next_offer(self) -> str | None:
        """The offer to make now, if there is one; it counts as made."""
        return self._lines.next_offer()

    def answered(self) -> None:
        """The offer was answered."""
        self._lines.answered()

    # --- to the engine ---

    def send(
        self,
        cid: str,
        payloads: Sequence[bytes],
        timestamp: int,
        *,
        level: int | None = None,
        first: bool = False,
    ) -> None:
        """Send the packets of one frame: ``timestamp`` by the RTP clock, taken now.

        ``level`` is that of audio in -dBov, 0 to 127; ``first`` says that audio begins after a pause.
        """
        outgoing = self._outgoing.get(cid)
        if outgoing is None or self._transport.closed:
            return
        packets = outgoing.packets(payloads, timestamp, level=level, first=first)
        report = outgoing.report(timestamp, time.monotonic(), time.time())
        self._engine.feed(self._transport, packets, () if report is None else (report,))

    def ask_for_keyframe(self, track_id: TrackId) -> None:
        """Say that a subscribed track can't be decoded."""
        down = self._transport.subscribing.down_tracks.get(track_id)
        if down is not None and not self._transport.closed:
            self._engine.feed(self._transport, (), (rtcp.build_pli(1, down.ssrc),))

    def send_data(self, label: str, payload: bytes) -> None:
        """Send a message on a data channel."""
        if not self._transport.closed:
            self._transport.message(label, payload, True)

    # --- from the engine (sfu.peer.transport.Resident) ---

    def rtp(self, packet: bytes) -> None:
        """See TapPort."""
        try:
            header = parse_header(packet, len(packet))
        except RtpError:
            self._losses.tapped += 1
            return
        down = self._transport.subscribing.by_ssrc.get(header.ssrc)
        if down is None or header.payload_start == header.payload_end:
            return
        payload = packet[header.payload_start : header.payload_end]
        tapped = Tapped(down.track_id, header.sequence, header.timestamp, header.marker, payload)
        self._tell(partial(self._listener.media, tapped))

    def rtcp(self, packet: bytes) -> None:
        """See TapPort."""
        try:
            packets = rtcp.parse_compound(packet)
        except RtpError:
            self._losses.tapped += 1
            return
        for one in packets:
            if isinstance(one, rtcp.Pli):
                for cid, outgoing in self._outgoing.items():
                    if outgoing.ssrc == one.media_ssrc:
                        self._tell(partial(self._listener.keyframe_wanted, cid))

    def data(self, label: str, payload: bytes) -> None:
        """See Resident."""
        self._tell(partial(self._listener.data, label, payload))

    def closed(self) -> None:
        """See Resident."""
        self._waiting.append(self._listener.tap_closed)
        self._tell_soon()

    def _tell(self, call: Callable[[], None]) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._losses.tapped += 1
            return
        self._waiting.append(call)
        self._tell_soon()

    def _tell_soon(self) -> None:
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for call in waiting:
            call()
