"""Jobs at work: whether their agent is in the room, whether their worker is there, and how they end.

What an agent or a worker may lose and find again (a reconnect, a redeployed worker) has a while for it. A job whose
agent is lost for good has failed, and begins anew with another worker as far as its dispatch allows.
"""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice

from livekit.protocol import agent, agent_dispatch, models

from rooms import moderation
from rooms.participant import AGENT_KINDS

from .context import AgentContext, Book
from .job import MAX_ERROR_CHARS, Job, Wait
from .worker import Worker

_ENDINGS = (agent.JS_SUCCESS, agent.JS_FAILED, agent.JS_CANCELLED)
_ROOM_IS_OVER = (models.ROOM_DELETED, models.ROOM_CLOSED, models.SERVER_SHUTDOWN)
_WENT = (models.CLIENT_INITIATED, models.USER_UNAVAILABLE, models.USER_REJECTED, models.AGENT_ERROR)
_LEFT = "agent worker left the room"
"""LiveKit's words."""


class Supervision:
    """What becomes of jobs; ``restart`` is given those that shall begin anew."""

    def __init__(self, context: AgentContext, restart: Callable[[Job], None]) -> None:
        self._context = context
        self._restart = restart
        self.on_finished: Callable[[Job, Worker | None], None] = lambda _job, _worker: None
        """Called for every job that ends, with the worker that has one job less."""

    # --- agents ---

    def assigned(self, job: Job) -> None:
        """A worker took a job: its agent is to come before long, or the worker to say that it is at it."""
        self._await(
            job, Wait.JOIN, self._context.config.join_timeout_s, lambda: self._lost(job, "agent did not join")
        )

    def agent_joined(self, job: Job) -> None:
        """The agent is in the room."""
        job.waits.end(Wait.JOIN, Wait.RETURN)

    def agent_left(self, job: Job, reason: models.DisconnectReason) -> None:
        """The agent is not in the room any more, or has tried to get there in vain."""
        if reason in _ROOM_IS_OVER:
            self.finish(job, agent.JS_SUCCESS, reason=agent.JSR_ROOM_CLOSED)
        elif reason == models.PARTICIPANT_REMOVED:
            self.finish(job, agent.JS_FAILED, _LEFT)
        elif reason in _WENT and job.worker is None:
            # Agents leave politely when their worker dies, too; until it is given up, that decides.
            if job.abandoned:
                self.finish(job, agent.JS_SUCCESS)
        elif reason in _WENT and job.worker is not None:
            # What it has come to is for the worker to say, once the agent's process has ended.
            job.worker.terminate(job.id)
            self._await(
                job,
                Wait.RETURN,
                self._context.config.agent_return_s,
                partial(self.finish, job, _word(reason)),
            )
        else:
            self._await(job, Wait.RETURN, self._context.config.agent_return_s, lambda: self._lost(job, _LEFT))

    def _lost(self, job: Job, error: str) -> None:
        self.finish(job, agent.JS_FAILED, error, restart=True)

    # --- workers ---

    def updated(self, worker: Worker, update: agent.UpdateJobStatus) -> None:
        """A worker tells how a job fares. Raises WorkerRefused when it does nothing but guess."""
        job = worker.job(update.job_id)
        if job is None:
            return
        job.state.error = update.error[:MAX_ERROR_CHARS]
        if update.status in _ENDINGS:
            restart = update.status == agent.JS_FAILED
            self.finish(job, update.status, job.state.error, terminate=False, restart=restart)
        elif update.status == agent.JS_RUNNING:
            job.waits.end(Wait.JOIN)
            job.touch(self._context.clock.wall())

    def worker_lost(self, worker: Worker) -> None:
        """A worker is gone. Its agents may be well, and it may come back to them."""
        for job in list(worker.jobs.values()):
            worker.release(job)
            job.worker = None
            self._await_adoption(job)

    def migrate(self, worker: Worker, job_ids: Iterable[str]) -> None:
        """A worker that has lost its connection says which jobs it still has.

        It gets those that are nobody's, were given to a worker like itself, and are not over.
        """
        for job_id in islice(job_ids, self._context.config.max_jobs):
            job = self._context.jobs.get(job_id)
            if job is None or not self._adoptable(job, worker):
                continue
            job.waits.end(Wait.ADOPTION)
            job.worker = worker
            worker.jobs[job.id] = job
            job.state.worker_id = worker.id
            job.touch(self._context.clock.wall())

    def _adoptable(self, job: Job, worker: Worker) -> bool:
        ours = job.key == worker.registration.key and job.issuer == worker.issuer
        return ours and job.assigned and job.worker is None

    def _await_adoption(self, job: Job) -> None:
        self._await(job, Wait.ADOPTION, self._context.config.worker_return_s, lambda: self._not_adopted(job))

    def _not_adopted(self, job: Job) -> None:
        """Without worker and signal connection an agent is as good as dead; with one it works on."""
        session = self._context.session(job.room_name, job.identity)
        if session is not None and session.signal.connected:
            job.abandoned = True
            self._await_adoption(job)
        else:
            self._lost(job, "agent worker was lost")

    # --- participants ---

    def participant_left(self, book: Book, identity: str) -> None:
        """Somebody left whom agents are for."""
        patience_s = self._context.config.participant_return_s
        for job in [job for job in book.jobs.values() if job.target == identity]:
            self._await(job, Wait.PARTICIPANT, patience_s, partial(self.finish, job, agent.JS_SUCCESS))

    def participant_returned(self, book: Book, identity: str) -> None:
        """Somebody is there, perhaps again."""
        for job in book.jobs.values():
            if job.target == identity:
                job.waits.end(Wait.PARTICIPANT)

    # --- ends ---

    def finish(
        self,
        job: Job,
        status: agent.JobStatus,
        error: str = "",
        *,
        reason: agent.JobStateReason = agent.JSR_UNSPECIFIED,
        terminate: bool = True,
        restart: bool = False,
    ) -> None:
        """End a job; its worker is told unless it was the one to say so, and its agent has to go."""
        if job.ended:
            return
        context = self._context
        job.ended = True
        job.waits.end_all()
        worker, job.worker = job.worker, None
        if worker is not None:
            if terminate and job.id in worker.jobs:
                worker.terminate(job.id)
            worker.release(job)
        again = restart and self._may_restart(job)
        job.state.error = error
        job.state.reason = agent.JSR_RETRYING if again else reason
        job.touch(context.clock.wall(), status)
        self._close_books(job)
        self.on_finished(job, worker)
        if job.assigned:
            context.later(context.config.leave_grace_s, lambda: self._put_out(job))
        if again:
            delay_s = context.config.restart_delay_s * 2.0**job.restarts
            context.later(delay_s, lambda: self._restart(job))

    def _may_restart(self, job: Job) -> bool:
        dispatch = job.dispatch
        willing = dispatch is not None and dispatch.restart_policy != agent_dispatch.JRP_NEVER
        return willing and job.restarts < self._context.config.max_job_restarts

    def _close_books(self, job: Job) -> None:
        self._context.drop(job)
        dispatch = job.dispatch
        if dispatch is not None and dispatch.jobs.pop(job.id, None) is not None:
            dispatch.ended.append(job.message())
            while len(dispatch.ended) > self._context.config.max_kept_jobs:
                dispatch.ended.popleft()

    def _put_out(self, job: Job) -> None:
        """Remove the agent of a job that is over, unless somebody else goes by its identity now."""
        context = self._context
        session = context.session(job.room_name, job.identity)
        if session is None or session.participant.kind not in AGENT_KINDS:
            return
        if context.agent(job.room_name, job.identity) is None:
            moderation.remove(session)

    def _await(self, job: Job, wait: Wait, delay_s: float, action: Callable[[], None]) -> None:
        if not job.ended:
            job.waits.begin(wait, self._context.later(delay_s, action))


def _word(reason: models.DisconnectReason) -> agent.JobStatus:
    """What a job has come to whose agent left for this reason, and whose worker says nothing."""
    return agent.JS_FAILED if reason == models.AGENT_ERROR else agent.JS_SUCCESS
