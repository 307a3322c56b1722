"""Who is asked about a job, and what happens when they say no, nothing, or nonsense."""

from livekit.protocol import agent

from rooms.agents.config import AgentsConfig
from tests.harness.agents import AgentHouse, WorkerStandIn


def house_with(*loads: float, **config: float) -> tuple[AgentHouse, list[WorkerStandIn]]:
    house = AgentHouse(AgentsConfig(**config))  # type: ignore[arg-type]
    workers = [house.worker(agent_name="bot") for _ in loads]
    for worker, load in zip(workers, loads, strict=True):
        worker.status(load)
    return house, workers


def asked(workers: list[WorkerStandIn]) -> list[WorkerStandIn]:
    return [worker for worker in workers if worker.asked]


def test_one_worker_is_asked_at_a_time_until_one_takes_it() -> None:
    house, workers = house_with(0.1, 0.5, 0.9)
    house.dispatch()
    for number in range(1, 3):
        assert len(asked(workers)) == number
        last = next(
            worker for worker in asked(workers) if not worker.session._worker or worker.session._worker.offers
        )
        last.answer(available=False)
    assert len(asked(workers)) == 3
    last = next(worker for worker in workers if worker.session._worker and worker.session._worker.offers)
    last.answer()
    assert [len(worker.assigned) for worker in workers if worker is not last] == [0, 0]
    assert len(last.assigned) == 1
    assert len({worker.asked[0].id for worker in workers}) == 1


def test_what_is_offered_is_worded_as_livekit_does() -> None:
    house, (worker,) = house_with(0.0)
    order = house.dispatch(metadata="m", attributes={"a": "b"})
    (job,) = worker.asked
    assert job.dispatch_id == order.id
    assert (job.agent_name, job.metadata, dict(job.attributes)) == ("bot", "m", {"a": "b"})
    assert job.room.name == "room"
    assert job.room.sid.startswith("RM_")
    assert job.state.status == agent.JS_RUNNING
    assert job.state.started_at > 1_000_000_000 * 1_000_000_000
    assert not job.HasField("participant")


def test_the_token_is_for_an_agent_in_that_room() -> None:
    house, (worker,) = house_with(0.0)
    house.dispatch()
    worker.answer(
        participant_identity="helper",
        participant_name="Helper",
        participant_metadata="meta",
        participant_attributes={"x": "y"},
    )
    assert worker.assigned[0].job.state.participant_identity == "helper"
    claims = house.minter.claims[-1]
    assert (claims.issuer, claims.identity, claims.name) == ("devkey", "helper", "Helper")
    assert (claims.kind, claims.metadata) == ("agent", "meta")
    assert claims.attributes == {"x": "y", "lk.agent_name": "bot"}
    assert claims.expires_at == house.clock.wall() + 3600
    assert claims.video is not None
    assert (claims.video.room, claims.video.room_join, claims.video.agent) == ("room", True, True)


def test_an_agent_without_an_identity_gets_one() -> None:
    house, (worker,) = house_with(0.0)
    house.dispatch()
    job_id = worker.answer()
    assert house.minter.claims[-1].identity == f"agent-{job_id}"


def test_the_token_is_signed_with_the_workers_own_key() -> None:
    house = AgentHouse()
    worker = house.worker(agent_name="bot", issuer="otherkey")
    house.dispatch()
    worker.answer()
    assert house.minter.claims[-1].issuer == "otherkey"


def test_a_worker_that_says_nothing_is_passed_over() -> None:
    house, (deaf, other) = house_with(0.0, 1.0)
    house.dispatch()
    assert asked([deaf, other]) == [deaf]
    house.advance(9.9)
    assert not other.asked
    house.advance(0.2)
    other.answer()
    assert len(other.assigned) == 1
    deaf.answer()
    assert not deaf.assigned, "its answer is late"


def test_a_worker_that_never_answers_is_sent_away() -> None:
    house, (deaf,) = house_with(0.0)
    for number in range(3):
        assert not deaf.closed
        house.dispatch(room=f"room-{number}")
        house.advance(10.1)
    assert deaf.closed == "answers nothing that it is asked"


def test_a_worker_that_is_lost_while_it_is_asked_costs_the_job_nothing() -> None:
    house, (first, second) = house_with(0.0, 1.0)
    house.dispatch()
    first.die()
    second.answer()
    assert len(second.assigned) == 1


def test_a_worker_may_end_a_job_unstarted() -> None:
    house, (worker, other) = house_with(0.0, 1.0)
    house.dispatch()
    worker.answer(available=False, terminate=True)
    assert not other.asked
    assert [job.state.status for job in house.jobs()] == [agent.JS_SUCCESS]


def test_when_all_refuse_the_job_has_failed() -> None:
    house, workers = house_with(0.0, 0.0)
    house.dispatch()
    for _ in workers:
        next(w for w in workers if w.session._worker and w.session._worker.offers).answer(available=False)
    (job,) = house.jobs()
    assert (job.state.status, job.state.reason) == (agent.JS_FAILED, agent.JSR_NO_CAPACITY)
    assert job.state.error == "no worker available"


def test_a_job_waits_while_workers_are_full() -> None:
    house, (worker,) = house_with(0.0)
    worker.status(full=True)
    house.dispatch()
    assert not worker.asked
    (job,) = house.jobs()
    assert (job.state.status, job.state.reason) == (agent.JS_PENDING, agent.JSR_NO_CAPACITY)
    house.advance(30)
    worker.status(0.2)
    worker.answer()
    assert [job.state.status for job in house.jobs()] == [agent.JS_RUNNING]


def test_a_job_does_not_wait_for_ever() -> None:
    house, (worker,) = house_with(0.0)
    worker.status(full=True)
    house.dispatch()
    house.advance(60.1)
    worker.status(0.0)
    assert not worker.asked
    assert [job.state.status for job in house.jobs()] == [agent.JS_FAILED]


def test_without_patience_it_gives_up_as_livekit_does() -> None:
    house, (worker,) = house_with(0.0, job_wait_s=0.0)
    worker.status(full=True)
    house.dispatch()
    worker.status(0.0)
    assert not worker.asked
    assert [job.state.status for job in house.jobs()] == [agent.JS_FAILED]


def test_jobs_wait_their_turn_when_a_worker_is_asked_enough_already() -> None:
    house, (worker,) = house_with(0.0, max_offers=2)
    for number in range(5):
        house.dispatch(room=f"room-{number}")
    assert [job.room.name for job in worker.asked] == ["room-0", "room-1"]
    worker.answer(job_id=worker.asked[0].id)
    worker.answer(job_id=worker.asked[1].id, available=False)
    assert [job.room.name for job in worker.asked[2:]] == ["room-2", "room-3"]


def test_an_agent_never_takes_the_place_of_a_participant() -> None:
    house, (liar, honest) = house_with(0.0, 1.0)
    alice = house.join("alice").connect()
    house.dispatch()
    liar.answer(participant_identity="alice")
    assert not liar.assigned
    assert not alice.session.ended
    honest.answer(participant_identity="helper")
    assert len(honest.assigned) == 1


def test_two_agents_never_go_by_one_identity() -> None:
    house, (worker,) = house_with(0.0)
    house.dispatch()
    worker.answer(participant_identity="helper")
    house.dispatch()
    worker.answer(participant_identity="helper")
    assert len(worker.assigned) == 1
    assert house.jobs()[-1].state.error == "identity is another agent's"


def test_an_answer_that_nobody_could_join_with_is_a_refusal() -> None:
    house, (worker,) = house_with(0.0)
    for fields in (
        {"participant_identity": "i" * 257},
        {"participant_name": "n" * 257},
        {"participant_metadata": "m" * (512 * 1024 + 1)},
        {"participant_attributes": {"a": "b" * (64 * 1024)}},
    ):
        house.dispatch()
        worker.answer(**fields)
        assert house.jobs()[-1].state.status == agent.JS_FAILED
    assert not worker.assigned


def test_a_refusal_by_one_does_not_keep_others_waiting() -> None:
    """A job that one worker refused stays with the queue, and the worker gets the next."""
    house, (busy, worker) = house_with(0.0, 0.0)
    busy.status(full=True)
    house.dispatch(room="first")
    worker.answer(available=False)
    house.dispatch(room="second")
    assert [job.room.name for job in worker.asked] == ["first", "second"]
    busy.status(0.0)
    assert [job.room.name for job in busy.asked] == ["first"]
