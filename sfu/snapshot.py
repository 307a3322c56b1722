"""What an engine has to tell of itself, in numbers: taken when somebody asks, so that it costs nothing otherwise."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from sfu.control import MediaKind
from sfu.overload import STEPS

if TYPE_CHECKING:
    from sfu.engine import Engine

OVERLOAD_STEPS = STEPS
"""The highest :attr:`Snapshot.overload`."""


class Loss(Enum):
    """Why an engine has dropped something."""

    RECEIVE_BUFFER = "receive_buffer"
    """Datagrams for which the sockets' receive buffers had no room (on Linux)."""
    STRANGER = "stranger"
    """Datagrams from addresses that nobody has validated."""
    UNAUTHENTICATED = "unauthenticated"
    """Packets that failed authentication, or came before their keys."""
    OVERLOAD = "overload"
    """Incoming packets of video that were left out because the engine could not keep up."""
    OVERSIZED = "oversized"
    """Incoming packets that were too large to be forwarded."""
    SEND_BUFFER = "send_buffer"
    """Copies that the kernel or a TCP connection did not take, mostly because their buffers were full."""
    NO_DESTINATION = "no_destination"
    """Copies for peers without keys or an address: not connected yet, or no more."""
    UNPROTECTED = "unprotected"
    """Copies that SRTP refused to encrypt."""
    RETRANSMISSION = "retransmission"
    """Retransmissions that were not sent, mostly because the send buffers were full a moment before."""
    RTCP = "rtcp"
    """RTCP that was not sent, for any of these reasons."""
    STUN_DTLS = "stun_dtls"
    """STUN and DTLS, data channels in it, that were not sent, for any of these reasons."""
    MESSAGE = "message"
    """Lossy data messages for receivers that were too slow for them."""
    IN_PROCESS = "in_process"
    """Packets and messages for clients in the server's own process that were too slow for them."""

    @property
    def incoming(self) -> bool:
        """Whether it hits what comes, once, and not what goes to each receiver."""
        return self in _INCOMING


_INCOMING = frozenset(
    {Loss.RECEIVE_BUFFER, Loss.STRANGER, Loss.UNAUTHENTICATED, Loss.OVERLOAD, Loss.OVERSIZED}
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Totals since the start, but for what is called current."""

    transports: int
    """Current peer connections."""
    published: Mapping[MediaKind, int]
    """Current published tracks."""
    subscribed: Mapping[MediaKind, int]
    """Current subscriptions to them."""
    overload: int
    """Current level: 0 when all is well, OVERLOAD_STEPS when no video is forwarded."""
    overloads: int
    """Times that it rose from 0."""
    datagrams_in: int
    """From UDP: media, RTCP, DTLS and STUN."""
    packets_out: int
    """RTP handed to the kernel or to TCP connections, retransmissions included."""
    octets_out: int
    """The same, encrypted, without headers of UDP and IP."""
    rtcp_out: int
    """Packets of RTCP."""
    lost: Mapping[Loss, int]
    """All reasons, 0 included."""


def snapshot(engine: "Engine") -> Snapshot:
    """How an engine is doing. Takes longer the more tracks are published: a millisecond for some thousands."""
    counters, tick = engine.egress.counters, engine.tick
    published: Counter[MediaKind] = Counter()
    subscribed: Counter[MediaKind] = Counter()
    for track in engine.context.tracks.values():
        published[track.kind] += 1
        subscribed[track.kind] += len(track.down_tracks)
    return Snapshot(
        transports=len(engine.transports),
        published={kind: published[kind] for kind in MediaKind},
        subscribed={kind: subscribed[kind] for kind in MediaKind},
        overload=tick.overload.level,
        overloads=tick.overload.raised,
        datagrams_in=tick.datagrams + tick.late_datagrams,
        packets_out=counters.packets,
        octets_out=counters.octets,
        rtcp_out=engine.outbox.packets,
        lost=_lost(engine),
    )


def _lost(engine: "Engine") -> Mapping[Loss, int]:
    counters, tick, losses = engine.egress.counters, engine.tick, engine.context.losses
    return {
        Loss.RECEIVE_BUFFER: sum(port.unread for port in (*engine.ports, *engine.reports.ports)),
        Loss.STRANGER: engine.mux.strangers,
        Loss.UNAUTHENTICATED: tick.rejected,
        Loss.OVERLOAD: tick.left_out,
        Loss.OVERSIZED: engine.forwarder.oversized,
        Loss.SEND_BUFFER: counters.dropped,
        Loss.NO_DESTINATION: counters.no_destination,
        Loss.UNPROTECTED: counters.unprotected,
        Loss.RETRANSMISSION: losses.retransmissions,
        Loss.RTCP: engine.outbox.dropped,
        Loss.STUN_DTLS: engine.mux.unsent,
        Loss.MESSAGE: losses.messages,
        Loss.IN_PROCESS: losses.tapped,
    }
