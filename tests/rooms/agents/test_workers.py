from collections import Counter

from livekit.protocol import agent

from rooms.agents.config import AgentsConfig
from rooms.agents.registration import Key, Registration
from rooms.agents.worker import Worker
from rooms.agents.workers import Workers
from tests.harness.agents import RecordingWorkerSink

KEY = Key("", agent.JT_ROOM, "", "")


def worker(name: str, load: float = 0.0, **registration: str) -> Worker:
    read = Registration.read(agent.RegisterWorkerRequest(**registration))  # type: ignore[arg-type]
    made = Worker(name, read, "devkey", RecordingWorkerSink(), AgentsConfig())
    made.load = load
    return made


class Draws:
    """Evenly spread numbers, one after the other."""

    def __init__(self, count: int) -> None:
        self.count, self.drawn = count, 0

    def __call__(self) -> float:
        self.drawn += 1
        return ((self.drawn - 1) % self.count) / self.count


def pool(*members: Worker, draws: int = 1000) -> Workers:
    workers = Workers(Draws(draws))
    for member in members:
        workers.add(member)
    return workers


def test_less_loaded_workers_are_chosen_more_often() -> None:
    workers = pool(worker("idle", 0.2), worker("busy", 0.8))
    chosen = Counter(workers.choose(KEY, ()).id for _ in range(1000))  # type: ignore[union-attr]
    assert abs(chosen["idle"] - 800) <= 1


def test_workers_without_load_to_spare_are_for_when_there_is_no_other() -> None:
    full = worker("full", 1.0)
    workers = pool(full, worker("free", 0.99))
    assert {workers.choose(KEY, ()).id for _ in range(100)} == {"free"}  # type: ignore[union-attr]
    assert workers.choose(KEY, {"free"}) is full


def test_workers_that_left_an_offer_unanswered_come_last() -> None:
    deaf = worker("deaf")
    deaf.unanswered = 1
    workers = pool(deaf, worker("loaded", 0.9))
    assert {workers.choose(KEY, ()).id for _ in range(100)} == {"loaded"}  # type: ignore[union-attr]
    assert workers.choose(KEY, {"loaded"}) is deaf


def test_nobody_is_chosen_twice_or_when_not_available() -> None:
    one, other = worker("one"), worker("other")
    other.full = True
    workers = pool(one, other)
    assert workers.choose(KEY, ()) is one
    assert workers.choose(KEY, {"one"}) is None
    assert workers.others(KEY, {"one"})
    assert not workers.others(KEY, {"one", "other"})


def test_only_workers_of_the_key_are_chosen() -> None:
    named = worker("named", agent_name="bot")
    workers = pool(named, worker("blue", agent_name="bot", deployment="blue"))
    assert workers.choose(KEY, ()) is None
    assert workers.choose(Key("bot", agent.JT_ROOM, "", ""), ()) is named
    assert workers.choose(Key("bot", agent.JT_PUBLISHER, "", ""), ()) is None


def test_there_is_a_key_for_each_namespace() -> None:
    workers = pool(worker("a", namespace="x"), worker("b", namespace="y"), worker("c", namespace="y"))
    found = workers.keys("", agent.JT_ROOM, "")
    assert [key.namespace for key in found] == ["x", "y"]


def test_a_worker_that_is_gone_is_forgotten() -> None:
    one = worker("one")
    workers = pool(one)
    workers.remove(one)
    workers.remove(one)
    assert len(workers) == 0
    assert not workers.any(KEY)
    assert workers.choose(KEY, ()) is None
