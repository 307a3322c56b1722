"""How long a session lives: while it waits for media, without a signal connection, and without media."""

from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from sfu.control import ReceiverOverflow, TransportConnected, TransportFailed, TransportId

from .timers import Waits
from .updates import announce

if TYPE_CHECKING:
    from .session import Session

_RECOVERY_S = 15.0
"""How long the ICE restart after that resume may take; JavaScript waits as long."""
_ANSWER_S = 15.0
"""How long a client may take to answer an offer of the server."""


class _Wait(Enum):
    JOIN = auto()
    SIGNAL = auto()
    RESUME = auto()
    RECOVERY = auto()
    ANSWER = auto()
    TOKEN = auto()


class Lifetime:
    """The timers of one session."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._waits = Waits[_Wait]()
        self.started_at = session.context.clock.now()
        """When the participant joined, by the clock's ``now``."""

    def start(self) -> None:
        """The session has begun."""
        config = self._session.context.config
        self._wait(_Wait.JOIN, config.join_timeout_s, lambda: self._session.leave(models.JOIN_FAILURE))
        self._wait(_Wait.TOKEN, config.token_refresh_s, self._refresh_token)

    def stop(self) -> None:
        """The session is over."""
        self._waits.end_all()

    def connected(self, transport_id: TransportId) -> None:
        """A transport is up. The primary one makes the participant active."""
        session = self._session
        self.answered(transport_id)
        if transport_id != session.legs.primary or session.participant.active:
            return
        self._waits.end(_Wait.JOIN)
        session.participant.state = models.ParticipantInfo.ACTIVE
        announce(session)
        session.context.observer.participant_joined(session.room.info(), session.info())
        session.subscriptions.reconcile_all()

    def signal_lost(self) -> None:
        """Without media nothing is left of the session; with it, the client has a while to come back."""
        session = self._session
        if not session.participant.active:
            session.leave(models.SIGNAL_CLOSE)
            return
        self._waits.end(_Wait.ANSWER)
        grace_s = session.context.config.signal_loss_grace_s
        self._wait(_Wait.SIGNAL, grace_s, lambda: session.leave(models.SIGNAL_CLOSE))

    def resumed(self) -> None:
        """The client is back. Media that had failed must be negotiated anew before long."""
        self._waits.end(_Wait.SIGNAL, _Wait.RESUME)
        if self._session.legs.failed:
            self._wait(_Wait.RECOVERY, _RECOVERY_S, self._mismatch)

    def media_failed(self, transport_id: TransportId) -> None:
        """A transport is lost: have the client resume, and wait a moment for it."""
        session = self._session
        session.legs.failed.add(transport_id)
        self._waits.end(_Wait.RECOVERY)
        if _Wait.RESUME in self._waits:
            return
        session.signal.leave(models.CONNECTION_TIMEOUT, rtc.LeaveRequest.RESUME)
        self._waits.end(_Wait.SIGNAL)
        grace_s = session.context.config.reconnect_grace_s
        self._wait(_Wait.RESUME, grace_s, lambda: session.leave(models.CONNECTION_TIMEOUT))

    def offered(self) -> None:
        """The server made an offer, which a connected client has to answer."""
        if self._session.participant.active and self._session.signal.connected:
            self._wait(_Wait.ANSWER, _ANSWER_S, self._mismatch)

    def answered(self, transport_id: TransportId) -> None:
        """Both sides agree again on a transport."""
        legs = self._session.legs
        legs.failed.discard(transport_id)
        if transport_id == legs.subscribing:
            self._waits.end(_Wait.ANSWER)
        if not legs.failed:
            self._waits.end(_Wait.RECOVERY)

    def _mismatch(self) -> None:
        self._session.leave(models.STATE_MISMATCH, rtc.LeaveRequest.RECONNECT)

    def _refresh_token(self) -> None:
        self._session.refresh_token()
        self._wait(_Wait.TOKEN, self._session.context.config.token_refresh_s, self._refresh_token)

    def _wait(self, wait: _Wait, delay_s: float, action: Callable[[], None]) -> None:
        self._waits.begin(wait, self._session.context.later(delay_s, action))


def transport_connected(session: "Session", event: TransportConnected) -> None:
    """DTLS is up."""
    session.lifetime.connected(event.transport_id)


def transport_failed(session: "Session", event: TransportFailed) -> None:
    """Consent expired, or DTLS closed."""
    session.lifetime.media_failed(event.transport_id)


def receiver_overflow(session: "Session", event: ReceiverOverflow) -> None:  # noqa: ARG001
    """Reliable data for this client is lost; only a fresh start makes that good."""
    session.leave(models.STATE_MISMATCH, rtc.LeaveRequest.RECONNECT)
