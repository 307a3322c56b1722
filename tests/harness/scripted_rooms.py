"""A model that does what a test says, for tests of what stands before the real one."""

from collections.abc import Callable
from dataclasses import dataclass, field

from livekit.protocol import models, rtc

from rooms.errors import RoomFull, RoomNotFound
from rooms.join import JoinRequest
from rooms.ports import SignalSink

JOIN = rtc.SignalResponse(
    join=rtc.JoinResponse(participant=models.ParticipantInfo(sid="PA_test", identity="u"), ping_interval=5)
)


@dataclass
class ScriptedSession:
    """Remembers what it is told."""

    request: JoinRequest
    sink: SignalSink
    on_request: Callable[["ScriptedSession", rtc.SignalRequest], None]
    requests: list[rtc.SignalRequest] = field(default_factory=list)
    lost: int = 0

    def handle(self, request: rtc.SignalRequest) -> None:
        self.requests.append(request)
        self.on_request(self, request)

    def signal_lost(self, sink: SignalSink) -> None:
        assert sink is self.sink
        self.lost += 1


@dataclass
class ScriptedRooms:
    """Sends ``join`` to everyone; rooms named in ``full`` are full, those in ``absent`` don't exist."""

    full: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    sessions: list[ScriptedSession] = field(default_factory=list)
    on_request: Callable[[ScriptedSession, rtc.SignalRequest], None] = lambda session, request: None

    async def admit(self, request: JoinRequest) -> None:
        self.check(request)

    def check(self, request: JoinRequest) -> None:
        assert request.claims.video is not None
        if request.claims.video.room in self.absent and not request.claims.video.room_create:
            raise RoomNotFound("requested room does not exist")

    def join(self, request: JoinRequest, sink: SignalSink) -> ScriptedSession:
        self.check(request)
        assert request.claims.video is not None
        if request.claims.video.room in self.full:
            raise RoomFull("the room is full")
        session = ScriptedSession(request, sink, self.on_request)
        self.sessions.append(session)
        sink.send(JOIN)
        return session

    def resume(self, request: JoinRequest, sink: SignalSink) -> ScriptedSession | None:
        for session in self.sessions:
            if request.participant_sid == "PA_test":
                session.sink = sink
                sink.send(rtc.SignalResponse(reconnect=rtc.ReconnectResponse()))
                return session
        sink.send(rtc.SignalResponse(leave=rtc.LeaveRequest(action=rtc.LeaveRequest.Action.RECONNECT)))
        return None
