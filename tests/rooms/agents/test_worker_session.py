"""The rules of a worker's connection, and that breaking them costs nobody else anything."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import agent, models

from rooms.agents.config import AgentsConfig
from tests.harness.agents import AgentHouse, WorkerStandIn
from tests.harness.rooms import Guest


def test_the_first_answer_is_the_registration() -> None:
    house = AgentHouse()
    house.join("alice").connect()
    worker = house.worker()
    kinds = [message.WhichOneof("message") for message in worker.sink.messages]
    assert kinds == ["register", "availability"]
    (registered,) = worker.of("register")
    assert registered.worker_id.startswith("AW_")
    assert (registered.server_info.agent_protocol, registered.server_info.node_id) == (1, "ND_test")


def test_pings_are_answered_even_before() -> None:
    worker = WorkerStandIn(AgentHouse())
    worker.say(ping=agent.WorkerPing(timestamp=5))
    (pong,) = worker.of("pong")
    assert pong.last_timestamp == 5
    assert pong.timestamp == int(worker.house.clock.wall() * 1000)


def test_a_worker_has_to_register_in_time() -> None:
    house = AgentHouse()
    worker, prompt = WorkerStandIn(house), house.worker()
    worker.say(ping=agent.WorkerPing(timestamp=5))
    house.advance(10.1)
    assert worker.sink.closed_with == (1008, "did not register in time")
    assert not prompt.closed


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"update_worker": agent.UpdateWorkerStatus(load=1)}, "not registered"),
        ({"availability": agent.AvailabilityResponse(job_id="AJ_x")}, "not registered"),
        ({}, "unknown message"),
        ({"register": agent.RegisterWorkerRequest(type=7)}, "unknown job type"),  # type: ignore[arg-type]
    ],
)
def test_what_may_not_come_first(message: dict[str, object], reason: str) -> None:
    worker = WorkerStandIn(AgentHouse())
    worker.say(**message)
    assert worker.sink.closed_with == (1008, reason)


def test_a_worker_registers_once() -> None:
    house = AgentHouse()
    worker = house.worker().register()
    assert worker.closed == "already registered"
    assert len(house.agents.context.workers) == 0


def test_workers_are_limited() -> None:
    house = AgentHouse(AgentsConfig(max_workers=1))
    first, second = house.worker(), house.worker()
    assert second.sink.closed_with == (1013, "too many workers")
    assert second.of("register") == []
    first.die()
    assert not house.worker().closed


def test_a_flood_ends_the_worker_and_nobody_else() -> None:
    house = AgentHouse()
    flooding, other = house.worker(agent_name="bot"), house.worker(agent_name="bot")
    for _ in range(1001):
        flooding.say(ping=agent.WorkerPing(timestamp=1))
    assert flooding.closed == "too many messages"
    assert len(flooding.of("pong")) < 1001
    house.dispatch()
    other.answer()
    assert len(other.assigned) == 1


def test_a_busy_worker_is_no_flood() -> None:
    house = AgentHouse()
    worker = house.worker()
    for _ in range(100):
        house.advance(1.0)
        for _ in range(100):
            worker.status(0.5)
    assert not worker.closed


def test_guessing_ends_the_worker() -> None:
    house = AgentHouse()
    worker, liar = house.worker(agent_name="bot"), house.worker(agent_name="other")
    house.dispatch()
    job_id = worker.answer()
    for _ in range(101):
        liar.report(job_id, agent.JS_FAILED)
    assert liar.closed == "answers for jobs that are not its own"
    assert [job.state.status for job in house.jobs()] == [agent.JS_RUNNING]


def test_a_worker_that_was_sent_away_is_deaf() -> None:
    house = AgentHouse()
    worker = house.worker().register()
    worker.status(0.0)
    worker.die()
    house.join("alice").connect()
    assert worker.asked == []


class Script:
    """A worker that says anything at any time, and people who come and go."""

    def __init__(self) -> None:
        self.house = AgentHouse()
        self.guests: list[Guest] = []
        self.came = 0
        self.worker = self.house.worker(agent.JT_PARTICIPANT)

    def job_id(self, which: int) -> str:
        """Of a job that it was asked about, or of none."""
        return (
            self.worker.asked[which % len(self.worker.asked)].id
            if which >= 0 and self.worker.asked
            else "AJ_x"
        )

    def availability(self, which: int, available: bool, terminate: bool) -> None:
        answer = {"job_id": self.job_id(which), "available": available, "terminate": terminate}
        self.worker.say(availability=answer)

    def update_worker(self, load: float, status: int, seq: int) -> None:
        self.worker.say(update_worker={"load": load, "status": status, "seq": seq})

    def update_job(self, which: int, status: int) -> None:
        self.worker.say(update_job={"job_id": self.job_id(which), "status": status})

    def migrate_job(self, which: int) -> None:
        self.worker.migrate(self.job_id(which))

    def simulate_job(self, room: str) -> None:
        self.worker.say(simulate_job={"room": models.Room(name=room)})

    def join(self) -> None:
        self.came += 1
        self.guests.append(self.house.join(f"guest-{self.came}").connect())

    def leave(self, which: int) -> None:
        if self.guests:
            self.guests.pop(which % len(self.guests)).session.leave(models.CLIENT_INITIATED)

    def agent_joins(self) -> None:
        if self.worker.assigned and self.worker.assigned[-1].job.room.name == "room":
            self.house.agent_joins(self.worker)

    def die(self) -> None:
        self.worker.die()
        self.worker = self.house.worker(agent.JT_PARTICIPANT)

    def advance(self, seconds: float) -> None:
        self.house.advance(seconds)


_WHICH = st.integers(-1, 5)
_STEPS = st.one_of(
    st.tuples(st.just("availability"), _WHICH, st.booleans(), st.booleans()),
    st.tuples(st.just("update_worker"), st.floats(width=32), st.integers(0, 5), st.integers(0, 9)),
    st.tuples(st.just("update_job"), _WHICH, st.integers(0, 9)),
    st.tuples(st.just("migrate_job"), _WHICH),
    st.tuples(st.just("simulate_job"), st.sampled_from(["", "room", "other"])),
    st.tuples(st.just("leave"), st.integers(0, 5)),
    st.tuples(st.just("advance"), st.sampled_from([0.5, 5.0, 11.0, 61.0])),
    st.sampled_from([("join",), ("agent_joins",), ("die",)]),
)


@given(st.lists(_STEPS, max_size=40))
def test_whatever_a_worker_says_the_books_stay_in_order(steps: list[tuple[Any, ...]]) -> None:
    script = Script()
    for name, *arguments in steps:
        getattr(script, name)(*arguments)
        check(script.house)
    for room in script.house.service.rooms():
        room.close(models.ROOM_DELETED)
    script.house.advance(100)
    assert all(job.simulated for job in script.house.agents.context.jobs.values())


def check(house: AgentHouse) -> None:
    """Everything that knows of a job knows of the same ones."""
    context = house.agents.context
    by_room = {job.id: job for book in context.books.values() for job in book.jobs.values()}
    assert by_room == context.jobs
    assert not any(job.ended for job in context.jobs.values())
    for worker in context.workers.all():
        assert set(worker.jobs) | set(worker.offers) <= set(context.jobs)
        assert all(job.worker is worker for job in (*worker.jobs.values(), *worker.offers.values()))


def test_it_is_known_who_takes_no_jobs() -> None:
    worker = WorkerStandIn(AgentHouse())
    assert (worker.session.worker_id, worker.session.busy) == ("", False)
    worker.register()
    assert worker.session.worker_id == worker.of("register")[0].worker_id
    worker.status(full=True)
    assert worker.session.busy
    worker.status()
    assert not worker.session.busy
    worker.status(draining=True)
    assert worker.session.busy
