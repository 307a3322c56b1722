"""All registered workers, and the choice among those of a kind."""

from collections.abc import Callable, Collection

from livekit.protocol import agent

from .registration import Key
from .worker import Worker


class Workers:
    """By id and by key."""

    def __init__(self, draw: Callable[[], float]) -> None:
        """``draw`` gives a chance number, 0 included and 1 not."""
        self._draw = draw
        self._by_id: dict[str, Worker] = {}
        self._by_key: dict[Key, dict[str, Worker]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, worker: Worker) -> None:
        """A worker has registered."""
        self._by_id[worker.id] = worker
        self._by_key.setdefault(worker.registration.key, {})[worker.id] = worker

    def remove(self, worker: Worker) -> None:
        """A worker is gone."""
        if self._by_id.pop(worker.id, None) is None:
            return
        alike = self._by_key[worker.registration.key]
        del alike[worker.id]
        if not alike:
            del self._by_key[worker.registration.key]

    def all(self) -> list[Worker]:
        """Everyone."""
        return list(self._by_id.values())

    def keys(self, agent_name: str, kind: agent.JobType, deployment: str) -> list[Key]:
        """The keys of workers for such jobs: one for each namespace that has any."""
        return [key for key in self._by_key if key[:3] == (agent_name, kind, deployment)]

    def any(self, key: Key) -> bool:
        """Whether there is any worker of a key."""
        return key in self._by_key

    def others(self, key: Key, tried: Collection[str]) -> bool:
        """Whether there is a worker that was not tried, even if it can't take a job now."""
        return any(worker_id not in tried for worker_id in self._by_key.get(key, ()))

    def choose(self, key: Key, tried: Collection[str]) -> Worker | None:
        """An available worker that was not tried, by chance and the likelier the less loaded it is.

        Those without load to spare, and those that have left an offer unanswered, are for when there is no other.
        """
        available = [
            worker
            for worker_id, worker in self._by_key.get(key, {}).items()
            if worker_id not in tried and worker.available
        ]
        fit = [worker for worker in available if worker.load < 1 and not worker.unanswered]
        if not fit:
            return available[int(self._draw() * len(available))] if available else None
        rest = self._draw() * sum(1 - worker.load for worker in fit)
        for worker in fit:
            rest -= 1 - worker.load
            if rest < 0:
                return worker
        return fit[-1]
