"""Scenarios that clients ask for in their tests."""

from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from . import departure

if TYPE_CHECKING:
    from .session import Session

_RESUME_WITHIN_S = 5.0
"""How long a scenario about the next resume waits for it."""
_MAX_SPEAKING_S = 60


class Simulation:
    """Scenarios that wait for the next resume."""

    def __init__(self) -> None:
        self._drop_resume_until: float | None = None
        self._drop_after_resume_until: float | None = None

    def drop_resume(self, now: float) -> None:
        """Let the next resume find its connection closed before it was told anything."""
        self._drop_resume_until = now + _RESUME_WITHIN_S

    def drop_after_resume(self, now: float) -> None:
        """Close the connection right after the next resume."""
        self._drop_after_resume_until = now + _RESUME_WITHIN_S

    def drops_resume(self, now: float) -> bool:
        """Whether this resume is to fail; asked once."""
        until, self._drop_resume_until = self._drop_resume_until, None
        return until is not None and now <= until

    def drops_after_resume(self, now: float) -> bool:
        """Whether the connection is to be closed after this resume; asked once."""
        until, self._drop_after_resume_until = self._drop_after_resume_until, None
        return until is not None and now <= until


def simulate(session: "Session", request: rtc.SimulateScenario) -> None:
    """Do as if. The bandwidth scenario changes nothing: the limit isn't for the client to set."""
    now = session.context.clock.now()
    match request.WhichOneof("scenario"):
        case "speaker_update":
            duration_s = min(max(request.speaker_update, 0), _MAX_SPEAKING_S)
            session.room.speakers.pretend(session, duration_s)
        case "node_failure":
            departure.end(session, models.SERVER_SHUTDOWN, silently=True)
        case "migration":
            departure.end(session, models.MIGRATION, silently=True)
        case "server_leave":
            session.leave(models.SERVER_SHUTDOWN)
        case "switch_candidate_protocol":
            _switch_candidate_protocol(session, request.switch_candidate_protocol)
        case "disconnect_signal_on_resume":
            session.simulation.drop_after_resume(now)
        case "disconnect_signal_on_resume_no_messages":
            session.simulation.drop_resume(now)
        case "leave_request_full_reconnect":
            session.leave(models.UNKNOWN_REASON, rtc.LeaveRequest.RECONNECT)


def _switch_candidate_protocol(session: "Session", protocol: rtc.CandidateProtocol) -> None:
    """Clients reconnect by themselves after asking; the next join then offers TCP alone. There is no TLS."""
    if protocol == rtc.TCP:
        session.room.force_tcp.add(session.participant.identity)
    else:
        session.room.force_tcp.discard(session.participant.identity)
