"""Agents of one server: what happens in rooms becomes jobs, and workers get them.

Dispatches are the standing orders of a room: those that it was made with, or one for the agents without a name, and
those that the API adds. Each makes a job for the room, for each participant that is there, and for each that
publishes; which of these come to something depends on the workers there are.
"""

from collections.abc import Iterable

from livekit.protocol import agent, agent_dispatch, models

from rooms.errors import DispatchNotFound, InvalidRequest, LimitExceeded, RoomNotFound
from rooms.ids import DISPATCH, JOB, Ids
from rooms.join import check_limits
from rooms.participant import is_dependent
from rooms.ports import Clock, TokenMinter
from rooms.service import RoomService

from .config import AgentsConfig
from .context import AgentContext, Book
from .dispatch import Dispatch
from .errors import GOING_AWAY, TRY_LATER, WorkerRefused
from .job import Job
from .placement import Placement
from .registration import MAX_NAME_CHARS, Key, deployment_problem
from .supervision import Supervision
from .wishes import Wishes
from .worker import Worker
from .workers import Workers

_CHANCES = 2**53


class AgentService:
    """A ``rooms.ports.RoomObserver`` of the rooms that it is then attached to. Synchronous, as they are."""

    def __init__(
        self, config: AgentsConfig, rooms: RoomService, minter: TokenMinter, clock: Clock, ids: Ids
    ) -> None:
        self.config = config
        self._ids = ids
        self._clock = clock
        workers = Workers(lambda: ids.number(0, _CHANCES - 1) / _CHANCES)
        self.context = AgentContext(config, rooms, workers, minter, clock, ids)
        self._supervision = Supervision(self.context, self._restart)
        self._placement = Placement(self.context, self._supervision)
        self._supervision.on_finished = self._finished
        self._wishes = Wishes(config.job_wait_s)
        self._stopping = False

    # --- workers ---

    def check_place(self) -> None:
        """Raise WorkerRefused when no other worker can be taken."""
        if self._stopping:
            raise WorkerRefused("the server is stopping", GOING_AWAY)
        if len(self.context.workers) >= self.config.max_workers:
            raise WorkerRefused("too many workers", TRY_LATER)

    def register(self, worker: Worker) -> None:
        """A worker has registered; it may have come just in time for what waits."""
        key = worker.registration.key
        self.context.workers.add(worker)
        self._placement.fill(worker)
        for dispatch, identity in self._wishes.take(*key[:3], self._clock.now()):
            self._want(dispatch, key.kind, identity)

    def update_worker(self, worker: Worker, status: agent.UpdateWorkerStatus) -> None:
        """A worker tells how it fares."""
        was_available = worker.available
        worker.update(status)
        if not was_available:
            self._placement.fill(worker)

    def answer(self, worker: Worker, response: agent.AvailabilityResponse) -> None:
        """A worker takes a job or doesn't. Raises WorkerRefused."""
        self._placement.answered(worker, response)

    def update_job(self, worker: Worker, update: agent.UpdateJobStatus) -> None:
        """A worker tells how a job fares. Raises WorkerRefused."""
        self._supervision.updated(worker, update)

    def migrate(self, worker: Worker, job_ids: Iterable[str]) -> None:
        """A worker that was away tells which jobs it still has."""
        self._supervision.migrate(worker, job_ids)

    def simulate(self, worker: Worker, request: agent.SimulateJobRequest) -> None:
        """A worker wants a job for itself, in a room that it names. Raises WorkerRefused."""
        if not request.room.name or len(request.room.name) > MAX_NAME_CHARS:
            raise WorkerRefused("a simulated job needs a room")
        if worker.simulated >= self.config.max_simulated_jobs:
            raise WorkerRefused("too many simulated jobs")
        participant = request.participant if request.HasField("participant") else None
        kind = agent.JT_ROOM if participant is None else agent.JT_PUBLISHER
        key = worker.registration.key._replace(kind=kind)
        job = Job(self._ids.make(JOB), request.room.name, key, participant=participant, room=request.room)
        self.context.add(job)
        self._placement.simulate(job, worker)

    def lost(self, worker: Worker) -> None:
        """A worker's connection is gone."""
        self.context.workers.remove(worker)
        self._placement.lost(worker)
        self._supervision.worker_lost(worker)

    def shutdown(self) -> None:
        """Send every worker away, and take none any more."""
        self._stopping = True
        workers = self.context.workers.all()
        for worker in workers:
            self.context.workers.remove(worker)
        for worker in workers:
            worker.refuse(WorkerRefused("the server is stopping", GOING_AWAY))

    # --- dispatches ---

    def create_dispatch(
        self, request: agent_dispatch.CreateAgentDispatchRequest, api_key: str = ""
    ) -> agent_dispatch.AgentDispatch:
        """Order an agent for a room, which is made for this API key if need be.

        Raises InvalidRequest, LimitExceeded, RoomNotFound, RoomFull or ShuttingDown.
        """
        self._check(request)
        self.context.rooms.demand(request.room, api_key)
        book = self.context.book(request.room)
        if len(book.dispatches) >= self.config.max_dispatches:
            raise LimitExceeded(f"the room has {self.config.max_dispatches} dispatches already")
        dispatch = self._order(request.room, book, request)
        for identity in sorted(book.publishers):
            self._want(dispatch, agent.JT_PUBLISHER, identity)
        for identity in sorted(book.people):
            self._want(dispatch, agent.JT_PARTICIPANT, identity)
        return dispatch.message()

    def delete_dispatch(self, room_name: str, dispatch_id: str) -> agent_dispatch.AgentDispatch:
        """Cancel an order and end its jobs. Raises RoomNotFound or DispatchNotFound."""
        dispatch = self._book(room_name).dispatches.pop(dispatch_id, None)
        if dispatch is None:
            raise DispatchNotFound
        dispatch.deleted_at = self._clock.wall()
        self._wishes.drop(dispatch)
        for job in list(dispatch.jobs.values()):
            self._supervision.finish(job, agent.JS_SUCCESS, reason=agent.JSR_DISPATCH_DELETED)
        return dispatch.message()

    def list_dispatches(self, room_name: str, dispatch_id: str = "") -> list[agent_dispatch.AgentDispatch]:
        """The orders of a room, or the one of this id. Raises RoomNotFound."""
        dispatches = self._book(room_name).dispatches.values()
        return [dispatch.message() for dispatch in dispatches if dispatch_id in ("", dispatch.id)]

    def _book(self, room_name: str) -> Book:
        if self.context.rooms.room(room_name) is None:
            raise RoomNotFound
        return self.context.book(room_name)

    def _check(self, request: agent_dispatch.CreateAgentDispatchRequest) -> None:
        config = self.context.rooms.config
        self.context.rooms.check_name(request.room)
        problem = deployment_problem(request.deployment)
        if problem:
            raise InvalidRequest(problem)
        if len(request.agent_name) > MAX_NAME_CHARS:
            raise LimitExceeded(f"agent name length exceeds limits: max length {MAX_NAME_CHARS}")
        check_limits("", request.metadata, request.attributes, config)

    def _order(
        self,
        room_name: str,
        book: Book,
        wish: agent_dispatch.CreateAgentDispatchRequest | agent_dispatch.RoomAgentDispatch,
    ) -> Dispatch:
        dispatch = Dispatch(
            id=self._ids.make(DISPATCH),
            room_name=room_name,
            agent_name=wish.agent_name,
            metadata=wish.metadata,
            deployment=wish.deployment,
            attributes=dict(wish.attributes),
            restart_policy=wish.restart_policy,
            created_at=self._clock.wall(),
        )
        book.dispatches[dispatch.id] = dispatch
        self._want(dispatch, agent.JT_ROOM, "")
        return dispatch

    # --- rooms ---

    def room_started(self, room: models.Room) -> None:
        """Place the orders that the room was made with; without any, one for agents that have no name."""
        found = self.context.rooms.room(room.name)
        wishes = [
            wish
            for wish in (found.settings.agents if found else ())
            if not deployment_problem(wish.deployment)
        ]
        book = self.context.book(room.name)
        for wish in wishes[: self.config.max_dispatches] or [agent_dispatch.RoomAgentDispatch()]:
            self._order(room.name, book, wish)

    def room_finished(self, room: models.Room) -> None:
        """End all of its jobs."""
        book = self.context.books.pop(room.name, Book())
        for dispatch in book.dispatches.values():
            self._wishes.drop(dispatch)
        for job in list(book.jobs.values()):
            self._supervision.finish(job, agent.JS_SUCCESS, reason=agent.JSR_ROOM_CLOSED)

    def participant_joined(self, room: models.Room, participant: models.ParticipantInfo) -> None:
        """An agent has come, or somebody who may need one."""
        if is_dependent(participant):
            job = self.context.agent(room.name, participant.identity)
            if job is not None:
                self._supervision.agent_joined(job)
            return
        book = self.context.book(room.name)
        book.people.add(participant.identity)
        self._supervision.participant_returned(book, participant.identity)
        for dispatch in list(book.dispatches.values()):
            self._want(dispatch, agent.JT_PARTICIPANT, participant.identity)

    def track_published(
        self,
        room: models.Room,
        participant: models.ParticipantInfo,
        track: models.TrackInfo,  # noqa: ARG002
    ) -> None:
        """Somebody publishes, which counts once."""
        book = self.context.book(room.name)
        if is_dependent(participant) or participant.identity in book.publishers:
            return
        book.publishers.add(participant.identity)
        for dispatch in list(book.dispatches.values()):
            self._want(dispatch, agent.JT_PUBLISHER, participant.identity)

    def participant_left(self, room: models.Room, participant: models.ParticipantInfo) -> None:
        """An agent has gone, or somebody whose agents may have to go with them."""
        identity = participant.identity
        if is_dependent(participant):
            job = self.context.agent(room.name, identity)
            if job is not None:
                self._supervision.agent_left(job, participant.disconnect_reason)
            return
        book = self.context.book(room.name)
        book.people.discard(identity)
        book.publishers.discard(identity)
        for dispatch in book.dispatches.values():
            self._wishes.drop(dispatch, identity)
        self._supervision.participant_left(book, identity)

    def participant_aborted(self, room: models.Room, participant: models.ParticipantInfo) -> None:
        """Somebody came no further than the door."""
        self.participant_left(room, participant)

    def track_unpublished(
        self, room: models.Room, participant: models.ParticipantInfo, track: models.TrackInfo
    ) -> None:
        """An agent stays when its publisher pauses."""

    # --- jobs ---

    def _want(self, dispatch: Dispatch, kind: agent.JobType, identity: str) -> None:
        """Launch what a dispatch makes for a participant (or the room), unless there is a job for it already."""
        if dispatch.serves(kind, identity):
            return
        keys = self.context.workers.keys(dispatch.agent_name, kind, dispatch.deployment)
        if not keys:
            self._wishes.add(dispatch, kind, identity, self._clock.now())
        for key in keys:
            self._launch(dispatch, key, identity)

    def _launch(self, dispatch: Dispatch, key: Key, identity: str, restarts: int = 0) -> None:
        participant = None
        if identity:
            session = self.context.session(dispatch.room_name, identity)
            if session is None:
                return
            participant = session.info()
        job = Job(
            self._ids.make(JOB), dispatch.room_name, key, dispatch, participant=participant, restarts=restarts
        )
        self.context.add(job)
        self._placement.seek(job)

    def _restart(self, job: Job) -> None:
        """A job that failed begins anew, if it is still wanted."""
        dispatch, book = job.dispatch, self.context.books.get(job.room_name)
        if dispatch is None or book is None or book.dispatches.get(dispatch.id) is not dispatch:
            return
        if not dispatch.serves(job.key.kind, job.target):
            self._launch(dispatch, job.key, job.target, job.restarts + 1)

    def _finished(self, job: Job, worker: Worker | None) -> None:
        self._placement.withdraw(job)
        if worker is not None and not self._stopping:
            self._placement.fill(worker)
