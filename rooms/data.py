"""Data packets: from one participant's channel to the others'.

Contents are relayed; the sender is what the server knows it to be. Sequence numbers and their order belong to
the sender and are never touched: receivers drop what they have seen.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError
from livekit.protocol import models, rtc

from sfu.control import DATA_TRACK, LOSSY, RELIABLE, ChannelOpened, DataReceived, SendData, TransportId

from . import control, data_tracks
from .hosting import TOPIC
from .rate import DataRate

if TYPE_CHECKING:
    from .room import Room
    from .session import Session

_TELL_OF_EXCESS_S = 1.0
"""A participant is told at most so often that it sends too much."""
_MAX_NONCES = 1000
"""Nonces remembered against repetition, in each room; as digests, since senders choose their length."""


@dataclass(slots=True)
class DataInbox:
    """What is known of one participant's channels."""

    rate: DataRate | None = None
    """How fast it may send."""
    last_sequence: int = 0
    """Highest sequence number received on the reliable channel; told on resume."""
    reliable_open: bool = False
    """Whether reliable data can be sent to it."""
    sink: Callable[[bytes], None] | None = None
    """Takes packets for a client that has no channels."""
    told_of_excess_at: float = float("-inf")
    """When it was last told that it sends too much."""

    def deliver_to(self, sink: Callable[[bytes], None]) -> None:
        """Hand packets to somebody who takes them over another way than a data channel, from now on."""
        self.sink = sink
        self.reliable_open = True


@dataclass(frozen=True, slots=True)
class Destinations:
    """Whom a packet is for; everybody when both are empty."""

    identities: frozenset[str] = frozenset()
    sids: frozenset[str] = frozenset()

    def include(self, session: "Session") -> bool:
        """Whether this participant is meant."""
        if not self.identities and not self.sids:
            return True
        return session.participant.identity in self.identities or session.participant.sid in self.sids


@dataclass(frozen=True, slots=True)
class _Kept:
    at: float
    sender_sid: str
    destinations: Destinations
    payload: bytes


class DataRelay:
    """The data packets of one room."""

    def __init__(self, room: "Room") -> None:
        self._room = room
        self._kept: deque[_Kept] = deque()
        self._kept_bytes = 0
        self._nonces: OrderedDict[bytes, None] = OrderedDict()

    def receive(self, sender: "Session", label: str, payload: bytes) -> None:
        """One message of a participant's data channel, whatever its label."""
        if sender.ended or not sender.participant.permission.can_publish_data:
            return
        if (rates := self._rates(sender)) and not self._in_time(sender, rates, len(payload)):
            return
        if label == DATA_TRACK:
            data_tracks.relay(sender, payload)
        elif label in (RELIABLE, LOSSY):
            self._receive_packet(sender, label, payload)
        else:
            self._receive_unlabelled(sender, payload)

    def send(
        self, packet: models.DataPacket, label: str, sender: "Session | None", destinations: Destinations
    ) -> None:
        """Send a finished packet to everybody whom it is for but its sender; None is the server itself."""
        packet.kind = models.DataPacket.RELIABLE if label == RELIABLE else models.DataPacket.LOSSY
        payload = packet.SerializeToString()
        addressed = [
            session
            for session in self._room.sessions.values()
            if session is not sender and destinations.include(session)
        ]
        if label == RELIABLE:
            if not all(session.data.reliable_open for session in addressed):
                self._keep(sender, destinations, payload)
            self._send_to((session for session in addressed if session.data.reliable_open), label, payload)
        else:
            self._send_to((session for session in addressed if session.participant.active), label, payload)

    def say(self, topic: str, payload: bytes, destinations: Destinations | None = None) -> None:
        """Send something of the server's own, to everybody unless told otherwise."""
        packet = models.DataPacket(user=models.UserPacket(payload=payload, topic=topic))
        self.send(packet, RELIABLE, None, destinations or Destinations())

    def send_once(self, packet: models.DataPacket, label: str, destinations: Destinations) -> None:
        """Send a user packet of the server's own, unless one with its nonce was sent already."""
        if self._is_new(packet.user.nonce):
            self.send(packet, label, None, destinations)

    def channel_opened(self, session: "Session", event: ChannelOpened) -> None:
        """Reliable data can be sent now; what came since the participant joined is made up for."""
        if (
            event.label != RELIABLE
            or event.transport_id != session.legs.primary
            or session.data.reliable_open
        ):
            return
        session.data.reliable_open = True
        self._expire()
        for kept in self._kept:
            late = kept.at >= session.lifetime.started_at
            own = kept.sender_sid == session.participant.sid
            if late and not own and kept.destinations.include(session):
                self._send_to((session,), RELIABLE, kept.payload)

    def _rates(self, sender: "Session") -> list[DataRate]:
        return [rate for rate in (sender.data.rate, self._room.data_rate) if rate is not None]

    def _in_time(self, sender: "Session", rates: list[DataRate], size: int) -> bool:
        """Whether a message is within its limits. What is too much is counted, and its sender told so."""
        now = self._room.context.clock.now()
        for rate in rates:
            excess = rate.excess(now, size)
            if excess is not None:
                rate.refused += 1
                if now - sender.data.told_of_excess_at >= _TELL_OF_EXCESS_S:
                    sender.data.told_of_excess_at = now
                    sender.reply(rtc.RequestResponse.LIMIT_EXCEEDED, message=excess)
                return False
        for rate in rates:
            rate.take(now, size)
        return True

    def _receive_packet(self, sender: "Session", label: str, payload: bytes) -> None:
        try:
            packet = models.DataPacket.FromString(payload)
        except DecodeError:
            return
        if label == RELIABLE and packet.sequence:
            if packet.sequence <= sender.data.last_sequence:
                return
            sender.data.last_sequence = packet.sequence
        if packet.user.topic == TOPIC:
            self._answer(sender, packet)
            return
        if self._room.rpc.receive(sender, packet) or not self._acceptable(sender, packet):
            return
        _sign(sender, packet)
        if packet.WhichOneof("value") == "metrics":
            self._send_metrics(sender, packet, label)
        else:
            self._send_if_allowed(sender, packet, label)

    def _answer(self, sender: "Session", request: models.DataPacket) -> None:
        """A host's request, which is for the server alone."""

        def reply(payload: bytes) -> None:
            sender.room.data.say(TOPIC, payload, Destinations(sids=frozenset((sender.participant.sid,))))

        control.answer(sender, request.user.payload, reply)

    def _send_if_allowed(self, sender: "Session", packet: models.DataPacket, label: str) -> None:
        def decided(objection: str | None) -> None:
            if objection is None and not sender.ended:
                self.send(packet, label, sender, _destinations(packet))

        sender.context.gate.data(sender, packet, label, decided)

    def _acceptable(self, sender: "Session", packet: models.DataPacket) -> bool:
        match packet.WhichOneof("value"):
            case "transcription":
                return sender.participant.kind == models.ParticipantInfo.AGENT
            case "user" if packet.user.nonce:
                return self._is_new(packet.user.nonce)
        return True

    def _is_new(self, nonce: bytes) -> bool:
        digest = blake2b(nonce, digest_size=16).digest()
        if digest in self._nonces:
            return False
        self._nonces[digest] = None
        if len(self._nonces) > _MAX_NONCES:
            self._nonces.popitem(last=False)
        return True

    def _receive_unlabelled(self, sender: "Session", payload: bytes) -> None:
        identity = "" if sender.participant.hidden else sender.participant.identity
        packet = models.DataPacket(participant_identity=identity, user=models.UserPacket(payload=payload))
        self._send_if_allowed(sender, packet, RELIABLE)

    def _send_metrics(self, sender: "Session", packet: models.DataPacket, label: str) -> None:
        listeners = frozenset(
            session.participant.sid
            for session in self._room.sessions.values()
            if session.participant.permission.can_subscribe_metrics and session is not sender
        )
        if listeners:
            self.send(packet, label, sender, Destinations(sids=listeners))

    def _send_to(self, sessions: "Iterable[Session]", label: str, payload: bytes) -> None:
        legs: Collection[TransportId] = tuple(
            session.legs.primary for session in sessions if not _delivered(session, payload)
        )
        if legs:
            self._room.context.media.execute(SendData(tuple(legs), label, payload))

    def _keep(self, sender: "Session | None", destinations: Destinations, payload: bytes) -> None:
        sender_sid = "" if sender is None else sender.participant.sid
        self._kept.append(_Kept(self._room.context.clock.now(), sender_sid, destinations, payload))
        self._kept_bytes += len(payload)
        self._expire()

    def _expire(self) -> None:
        config = self._room.context.config
        oldest = self._room.context.clock.now() - config.reliable_cache_s
        while self._kept and (self._kept[0].at < oldest or self._kept_bytes > config.reliable_cache_bytes):
            self._kept_bytes -= len(self._kept.popleft().payload)


def _delivered(session: "Session", payload: bytes) -> bool:
    if session.data.sink is None:
        return False
    session.data.sink(payload)
    return True


def _sign(sender: "Session", packet: models.DataPacket) -> None:
    """Put the sender into a packet, whatever it said of itself; somebody hidden leaves no trace."""
    participant = sender.participant
    sid, identity = ("", "") if participant.hidden else (participant.sid, participant.identity)
    if packet.WhichOneof("value") == "user":
        packet.user.participant_sid = sid
        packet.user.participant_identity = identity
        everybody = dict.fromkeys((*packet.destination_identities, *packet.user.destination_identities))
        packet.destination_identities[:] = everybody
        packet.user.destination_identities[:] = everybody
    packet.participant_sid = sid
    if not _speaks_for_another(participant.kind, identity, packet):
        packet.participant_identity = identity


def _speaks_for_another(kind: models.ParticipantInfo.Kind, identity: str, packet: models.DataPacket) -> bool:
    """An agent may lend its voice to somebody else in chat and text; that is marked as generated."""
    if kind != models.ParticipantInfo.AGENT or packet.participant_identity in ("", identity):
        return False
    match packet.WhichOneof("value"):
        case "chat_message":
            packet.chat_message.generated = True
        case "stream_header" if packet.stream_header.WhichOneof("content_header") == "text_header":
            packet.stream_header.text_header.generated = True
        case _:
            return False
    return True


def _destinations(packet: models.DataPacket) -> Destinations:
    sids = packet.user.destination_sids if packet.WhichOneof("value") == "user" else ()
    return Destinations(frozenset(packet.destination_identities), frozenset(sids))


def data_received(session: "Session", event: DataReceived) -> None:
    """A message of one of the client's channels."""
    session.room.data.receive(session, event.label, event.payload)


def channel_opened(session: "Session", event: ChannelOpened) -> None:
    """A data channel is ready."""
    session.room.data.channel_opened(session, event)
