"""Finding a worker for a job: those that may get it are asked one at a time until one takes it.

Which one is asked next is chance, weighed by load. One that refuses, lets its time pass or is lost is not asked again
about the same job. While every worker is full the job waits; when all have refused it has failed.
"""

from itertools import islice

from livekit.protocol import agent

from auth.grants import Claims
from rooms.errors import RoomsError
from rooms.join import check_limits
from rooms.participant import AGENT_KINDS

from .context import AgentContext
from .errors import WorkerRefused
from .job import Job, Wait
from .registration import Key
from .supervision import Supervision
from .worker import Worker

NAME_ATTRIBUTE = "lk.agent_name"
"""Attribute by which clients know which agent they talk to."""
TOKEN_TTL_S = 3600.0
"""How long an agent may take to its first join (LiveKit's)."""


class Placement:
    """Jobs that have no worker yet."""

    def __init__(self, context: AgentContext, supervision: Supervision) -> None:
        self._context = context
        self._supervision = supervision
        self._waiting: dict[Key, dict[str, Job]] = {}

    def seek(self, job: Job) -> None:
        """Ask the next worker, wait for one, or give up."""
        workers, config = self._context.workers, self._context.config
        worker = workers.choose(job.key, job.tried)
        if worker is not None:
            self._ask(job, worker)
        elif config.job_wait_s and not self._all_refused(job):
            self._waiting.setdefault(job.key, {})[job.id] = job
            job.state.reason = agent.JSR_NO_CAPACITY
            if Wait.WORKER not in job.waits:
                job.waits.begin(
                    Wait.WORKER, self._context.later(config.job_wait_s, lambda: self._give_up(job))
                )
        else:
            self._give_up(job)

    def simulate(self, job: Job, worker: Worker) -> None:
        """Ask the worker that wants to simulate the job, and no other."""
        self._ask(job, worker)

    def answered(self, worker: Worker, response: agent.AvailabilityResponse) -> None:
        """A worker says whether it takes a job. Raises WorkerRefused when it does nothing but guess."""
        job = worker.answer(response.job_id)
        if job is not None:
            job.waits.end(Wait.ANSWER)
            if response.available:
                self._assign(job, worker, response)
            elif response.terminate:
                self._supervision.finish(job, agent.JS_SUCCESS)
            else:
                self._refused(job)
        self.fill(worker)

    def fill(self, worker: Worker) -> None:
        """A worker may have room: ask it about jobs that wait."""
        waiting = self._waiting.get(worker.registration.key)
        if not waiting or not worker.available:
            return
        for job in list(islice(waiting.values(), 2 * self._context.config.max_offers)):
            if not worker.available:
                return
            if worker.id not in job.tried:
                self._ask(job, worker)

    def lost(self, worker: Worker) -> None:
        """A worker is gone: ask others what it was asked."""
        for job in list(worker.offers.values()):
            worker.release(job)
            job.waits.end(Wait.ANSWER)
            self._refused(job)

    def withdraw(self, job: Job) -> None:
        """A job is over before anybody took it."""
        self._unqueue(job)
        job.waits.end(Wait.WORKER, Wait.ANSWER)

    def _all_refused(self, job: Job) -> bool:
        workers = self._context.workers
        return workers.any(job.key) and not workers.others(job.key, job.tried)

    def _ask(self, job: Job, worker: Worker) -> None:
        context = self._context
        self._unqueue(job)
        job.waits.end(Wait.WORKER)
        job.tried.add(worker.id)
        job.worker = worker
        room = context.rooms.room(job.room_name)
        if room is not None:
            job.room = room.info()
        worker.ask(job)
        timeout_s = context.config.availability_timeout_s
        job.waits.begin(Wait.ANSWER, context.later(timeout_s, lambda: self._unanswered(job)))
        # As LiveKit words it: what is offered is shown as if it had been taken.
        offer = job.message()
        now_ns = int(context.clock.wall() * 1e9)
        offer.state.CopyFrom(
            agent.JobState(status=agent.JS_RUNNING, started_at=now_ns, updated_at=now_ns, worker_id=worker.id)
        )
        worker.sink.send(agent.ServerMessage(availability=agent.AvailabilityRequest(job=offer)))

    def _unanswered(self, job: Job) -> None:
        worker = job.worker
        assert worker is not None
        worker.miss(job)
        if worker.unanswered >= self._context.config.max_unanswered:
            worker.refuse(WorkerRefused("answers nothing that it is asked"))
        self._refused(job)

    def _refused(self, job: Job) -> None:
        job.worker = None
        if job.simulated:
            self._give_up(job)
        else:
            self.seek(job)

    def _give_up(self, job: Job) -> None:
        error = job.state.error or "no worker available"
        self._supervision.finish(job, agent.JS_FAILED, error, reason=agent.JSR_NO_CAPACITY)

    def _unqueue(self, job: Job) -> None:
        waiting = self._waiting.get(job.key, {})
        waiting.pop(job.id, None)
        if not waiting:
            self._waiting.pop(job.key, None)

    # --- assignment ---

    def _assign(self, job: Job, worker: Worker, response: agent.AvailabilityResponse) -> None:
        claims = self._claims(job, worker, response)
        problem = self._problem(job, claims)
        if problem:
            job.state.error = problem
            self._refused(job)
            return
        context = self._context
        job.waits.end(Wait.WORKER)
        job.identity, job.issuer = claims.identity, worker.issuer
        worker.jobs[job.id] = job
        job.state.Clear()
        job.state.worker_id = worker.id
        job.state.participant_identity = job.identity
        job.touch(context.clock.wall(), agent.JS_RUNNING)
        token = context.minter.refresh(claims)
        assignment = agent.JobAssignment(job=job.message(), token=token)
        worker.sink.send(agent.ServerMessage(assignment=assignment))
        self._supervision.assigned(job)

    def _claims(self, job: Job, worker: Worker, response: agent.AvailabilityResponse) -> Claims:
        name = worker.registration.key.agent_name
        return Claims(
            issuer=worker.issuer,
            identity=response.participant_identity or f"agent-{job.id}",
            name=response.participant_name,
            kind="agent",
            metadata=response.participant_metadata,
            attributes={**response.participant_attributes, NAME_ATTRIBUTE: name},
            video=worker.registration.grant(job.room_name),
            expires_at=self._context.clock.wall() + TOKEN_TTL_S,
        )

    def _problem(self, job: Job, claims: Claims) -> str:
        """Why nobody can join with these claims; empty if somebody can."""
        context = self._context
        limits = context.rooms.config
        if len(claims.identity) > limits.max_identity_chars:
            return "identity is too long"
        try:
            check_limits(claims.name, claims.metadata, claims.attributes, limits)
        except RoomsError as error:
            return str(error)
        holder = context.session(job.room_name, claims.identity)
        if holder is not None and holder.participant.kind not in AGENT_KINDS:
            return "identity is a participant's"
        if context.agent(job.room_name, claims.identity) is not None:
            return "identity is another agent's"
        return ""
