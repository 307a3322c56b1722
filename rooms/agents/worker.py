"""One registered worker: how loaded it is, which jobs it has, and whether it keeps to the rules."""

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from livekit.protocol import agent

from .config import AgentsConfig
from .errors import WorkerRefused
from .ports import WorkerSink
from .registration import Registration

if TYPE_CHECKING:
    from .job import Job

_REMEMBERED = 1000
"""Jobs that a worker had of late; what it says of them after their end is no fault."""
_MAX_LOAD = 1.0


class Worker:
    """What the server knows of a worker. Made when it registers."""

    def __init__(
        self, worker_id: str, registration: Registration, issuer: str, sink: WorkerSink, config: AgentsConfig
    ) -> None:
        self.id = worker_id
        self.registration = registration
        self.issuer = issuer
        """The API key that it came with, which signs the tokens of its agents."""
        self.sink = sink
        self.load = 0.0
        self.full = False
        self.draining = False
        self.offers: dict[str, Job] = {}
        """Jobs that it was asked about, by id."""
        self.jobs: dict[str, Job] = {}
        """Jobs that it has, by id."""
        self.unanswered = 0
        """Offers in a row that it let pass."""
        self.refuse: Callable[[WorkerRefused], None] = lambda _refusal: None
        """Ends its connection."""
        self._config = config
        self._sequence = 0
        self._strays = 0
        self._past: OrderedDict[str, None] = OrderedDict()

    @property
    def available(self) -> bool:
        """Whether it may be asked to take another job."""
        config = self._config
        room = len(self.offers) < config.max_offers and len(self.jobs) < config.max_jobs
        return room and not self.full and not self.draining

    @property
    def simulated(self) -> int:
        """How many of its jobs it simulates."""
        return sum(job.simulated for job in (*self.offers.values(), *self.jobs.values()))

    def update(self, status: agent.UpdateWorkerStatus) -> None:
        """Take its word on how it fares. What is older than the last is skipped, nonsense counts as full load."""
        if status.seq:
            if status.seq <= self._sequence:
                return
            self._sequence = status.seq
        if status.HasField("status"):
            self.full = status.status != agent.WS_AVAILABLE
        self.draining = status.draining
        # Less than nothing would draw every job to it.
        self.load = min(max(status.load, 0.0), _MAX_LOAD) if math.isfinite(status.load) else _MAX_LOAD

    def ask(self, job: "Job") -> None:
        """It is asked about a job."""
        self.offers[job.id] = job

    def answer(self, job_id: str) -> "Job | None":
        """The job that it was asked about; None (and a stray answer) when it wasn't."""
        job = self.offers.pop(job_id, None)
        if job is None:
            self._stray(job_id)
        else:
            self.unanswered = 0
            self._remember(job_id)
        return job

    def miss(self, job: "Job") -> None:
        """It did not answer in time."""
        self.offers.pop(job.id, None)
        self._remember(job.id)
        self.unanswered += 1

    def job(self, job_id: str) -> "Job | None":
        """One of its jobs; None (and a stray answer) when it isn't."""
        job = self.jobs.get(job_id)
        if job is None:
            self._stray(job_id)
        return job

    def release(self, job: "Job") -> None:
        """It has nothing to do with a job any more."""
        self.offers.pop(job.id, None)
        self.jobs.pop(job.id, None)
        self._remember(job.id)

    def terminate(self, job_id: str) -> None:
        """Tell it to end a job."""
        self.sink.send(agent.ServerMessage(termination=agent.JobTermination(job_id=job_id)))

    def _remember(self, job_id: str) -> None:
        self._past[job_id] = None
        if len(self._past) > _REMEMBERED:
            self._past.popitem(last=False)

    def _stray(self, job_id: str) -> None:
        if job_id in self._past:
            return
        self._strays += 1
        if self._strays > self._config.max_stray_answers:
            raise WorkerRefused("answers for jobs that are not its own")
