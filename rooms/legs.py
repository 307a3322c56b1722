"""A participant's peer connections: one both ways, or a publishing and a subscribing one."""

from typing import TYPE_CHECKING

from livekit.protocol import rtc

from sfu.control import CloseTransport, OpenTransport, RestartIce, TransportId, TransportRole

if TYPE_CHECKING:
    from .session import Session

_SUBSCRIBER_PRIMARY_PROTOCOL = 3
"""Client protocol from which two peer connections mean that the server offers first."""
_HIGHEST_FIRST_OFFER = 256
"""Offer ids of the server begin at random, as LiveKit's do, so that sessions can be told apart."""


class Legs:
    """Which transports there are, which of them decides that media is connected, and what became of them."""

    def __init__(self, session: "Session", single: bool) -> None:
        participant = session.participant
        self._session = session
        self.single = single
        self.subscriber_primary = (
            not single
            and bool(participant.permission.can_subscribe)
            and participant.protocol >= _SUBSCRIBER_PRIMARY_PROTOCOL
        )
        self.publishing = self._name(TransportRole.SINGLE if single else TransportRole.PUBLISHER)
        self.subscribing: TransportId | None = self.publishing if single else None
        self.failed: set[TransportId] = set()
        """Lost, and not negotiated anew since."""
        self.unanswered: rtc.SessionDescription | None = None
        """The server's own offer that the client has yet to answer."""
        self.restart_when_answered = False
        self._tcp_only = False

    @property
    def primary(self) -> TransportId:
        """The transport that makes the participant active, and that data is sent on."""
        if self.subscriber_primary and self.subscribing is not None:
            return self.subscribing
        return self.publishing

    def all(self) -> list[TransportId]:
        """Every open transport."""
        legs = [self.publishing]
        if self.subscribing is not None and not self.single:
            legs.append(self.subscribing)
        return legs

    def open(self, tcp_only: bool = False) -> None:
        """Make the transports that a join needs."""
        self._tcp_only = tcp_only
        self._open(self.publishing, TransportRole.SINGLE if self.single else TransportRole.PUBLISHER)
        if self.subscriber_primary:
            self.open_subscribing()

    def open_subscribing(self) -> TransportId:
        """The transport for subscriptions, made when first needed."""
        if self.subscribing is None:
            self.subscribing = self._name(TransportRole.SUBSCRIBER)
            self._open(self.subscribing, TransportRole.SUBSCRIBER)
        return self.subscribing

    def restart_subscribing(self) -> None:
        """The client came back: have its subscribing transport find a path again.

        An offer that it may never have got comes first, as it was: there is only one at a time.
        """
        if self.single or self.subscribing is None:
            return
        if self.unanswered is not None:
            self.restart_when_answered = True
            self._session.signal.send(rtc.SignalResponse(offer=self.unanswered))
        else:
            self._session.context.media.execute(RestartIce(self.subscribing))

    def close(self) -> None:
        """Drop all of them."""
        for transport_id in self.all():
            self._session.context.directory.sessions.pop(transport_id, None)
            self._session.context.media.execute(CloseTransport(transport_id))

    def _open(self, transport_id: TransportId, role: TransportRole) -> None:
        context = self._session.context
        context.directory.sessions[transport_id] = self._session
        context.media.execute(
            OpenTransport(
                router_id=self._session.room.router_id,
                transport_id=transport_id,
                role=role,
                cname=self._session.participant.sid,
                first_offer_id=context.ids.number(1, _HIGHEST_FIRST_OFFER),
                tcp_only=self._tcp_only,
                playout_delay_ms=self._session.room.settings.playout_delay_ms,
            )
        )

    def _name(self, role: TransportRole) -> TransportId:
        return TransportId(f"{self._session.participant.sid}.{role.value}")
