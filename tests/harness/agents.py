"""A server with agents: the real ``AgentService`` on a house's rooms, and workers that do what a test says."""

from typing import Any

from livekit.protocol import agent, agent_dispatch, models, rtc

from rooms.agents.config import AgentsConfig
from rooms.agents.service import AgentService
from rooms.agents.worker_session import WorkerSession
from rooms.context import ServerIdentity
from rooms.join import JoinRequest
from tests.harness.media_plane import publishing
from tests.harness.rooms import Guest, House


class RecordingWorkerSink:
    """A worker's connection that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[agent.ServerMessage] = []
        self.closed_with: tuple[int, str] | None = None

    def send(self, message: agent.ServerMessage) -> None:
        assert self.closed_with is None, "sent after close"
        self.messages.append(agent.ServerMessage.FromString(message.SerializeToString()))

    def close(self, code: int = 1000, reason: str = "") -> None:
        assert self.closed_with is None, "closed twice"
        self.closed_with = (code, reason)


class WorkerStandIn:
    """A worker, as it speaks to the server."""

    def __init__(self, house: "AgentHouse", issuer: str = "devkey") -> None:
        self.house = house
        self.sink = RecordingWorkerSink()
        self.session = WorkerSession(house.agents, self.sink, issuer, ServerIdentity(node_id="ND_test"))

    def say(self, **message: Any) -> None:
        """Send one WorkerMessage."""
        self.session.handle(agent.WorkerMessage(**message))

    def register(self, kind: agent.JobType = agent.JT_ROOM, **fields: Any) -> "WorkerStandIn":
        self.say(register=agent.RegisterWorkerRequest(type=kind, **fields))
        return self

    def status(self, load: float = 0.0, *, full: bool = False, **fields: Any) -> None:
        status = agent.WS_FULL if full else agent.WS_AVAILABLE
        self.say(update_worker=agent.UpdateWorkerStatus(status=status, load=load, **fields))

    def of(self, kind: str) -> list[Any]:
        return [getattr(m, kind) for m in self.sink.messages if m.WhichOneof("message") == kind]

    @property
    def asked(self) -> list[agent.Job]:
        """Jobs that it was asked about."""
        return [request.job for request in self.of("availability")]

    @property
    def assigned(self) -> list[agent.JobAssignment]:
        return self.of("assignment")

    @property
    def terminated(self) -> list[str]:
        """Ids of jobs that it was told to end."""
        return [termination.job_id for termination in self.of("termination")]

    @property
    def closed(self) -> str:
        """Why it was sent away; empty while it wasn't."""
        return self.sink.closed_with[1] if self.sink.closed_with else ""

    def answer(self, *, available: bool = True, job_id: str = "", **fields: Any) -> str:
        """Answer the last job that it was asked about, or that of ``job_id``; its id."""
        job_id = job_id or self.asked[-1].id
        self.say(availability=agent.AvailabilityResponse(job_id=job_id, available=available, **fields))
        return job_id

    def report(self, job_id: str, status: agent.JobStatus, error: str = "") -> None:
        self.say(update_job=agent.UpdateJobStatus(job_id=job_id, status=status, error=error))

    def migrate(self, *job_ids: str) -> None:
        self.say(migrate_job=agent.MigrateJobRequest(job_ids=job_ids))

    def die(self) -> None:
        """Lose the connection."""
        self.session.lost()


class AgentHouse(House):
    """A house whose rooms may have agents."""

    def __init__(self, config: AgentsConfig | None = None, **options: Any) -> None:
        super().__init__(options.pop("room_config", None), **options)
        self.agents = AgentService(config or AgentsConfig(), self.service, self.minter, self.clock, self.ids)
        self.observers.add(self.agents)

    def worker(
        self, kind: agent.JobType = agent.JT_ROOM, *, issuer: str = "devkey", **fields: Any
    ) -> WorkerStandIn:
        """A registered worker."""
        return WorkerStandIn(self, issuer).register(kind, **fields)

    def dispatch(
        self, agent_name: str = "bot", room: str = "room", *, api_key: str = "", **fields: Any
    ) -> agent_dispatch.AgentDispatch:
        """Order an agent by the API."""
        request = agent_dispatch.CreateAgentDispatchRequest(agent_name=agent_name, room=room, **fields)
        return self.agents.create_dispatch(request, api_key)

    def jobs(self, room: str = "room") -> list[agent.Job]:
        """All jobs of a room that its dispatches list."""
        return [job for dispatch in self.agents.list_dispatches(room) for job in dispatch.state.jobs]

    def agent_joins(self, worker: WorkerStandIn, room: str = "room") -> Guest:
        """The agent of the worker's last assignment connects, with the claims of its token."""
        token = worker.assigned[-1].token
        claims = self.minter.claims[int(token.removeprefix("token-")) - 1]
        assert claims.video is not None
        assert claims.video.room == room
        description = rtc.SessionDescription(type="offer", sdp=publishing(), id=1)
        client = models.ClientInfo(protocol=17)
        return Guest(self, JoinRequest(claims=claims, client=client, publisher_offer=description)).connect()
