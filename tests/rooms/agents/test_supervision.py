"""How jobs at work end, and what is done about agents, workers and participants that get lost."""

from livekit.protocol import agent, agent_dispatch, models

from rooms.agents.config import AgentsConfig
from tests.harness.agents import AgentHouse, WorkerStandIn
from tests.harness.rooms import Guest


def at_work(**config: float) -> tuple[AgentHouse, WorkerStandIn, Guest, str]:
    """Alice is in a room with an agent; the house, the worker, the agent and the job's id."""
    house = AgentHouse(AgentsConfig(**config))  # type: ignore[arg-type]
    worker = house.worker(agent_name="bot")
    house.join("alice").connect()
    house.dispatch()
    job_id = worker.answer()
    helper = house.agent_joins(worker)
    worker.report(job_id, agent.JS_RUNNING)
    return house, worker, helper, job_id


def states(house: AgentHouse) -> list[str]:
    return [agent.JobStatus.Name(job.state.status) for job in house.jobs()]


def present(house: AgentHouse) -> set[str]:
    room = house.service.room("room")
    return set(room.sessions) if room else set()


def test_a_worker_ends_its_job() -> None:
    house, worker, helper, job_id = at_work()
    worker.report(job_id, agent.JS_SUCCESS)
    (job,) = house.jobs()
    assert (job.state.status, job.state.error) == (agent.JS_SUCCESS, "")
    assert job.state.ended_at >= job.state.started_at > 0
    assert worker.terminated == []
    house.advance(3.1)
    assert helper.session.ended, "an agent without a job has to go"


def test_an_agent_that_leaves_ends_its_job() -> None:
    house, worker, helper, job_id = at_work()
    helper.request(leave={})
    assert worker.terminated == [job_id]
    assert states(house) == ["JS_RUNNING"], "the worker has the last word"
    worker.report(job_id, agent.JS_SUCCESS)
    assert states(house) == ["JS_SUCCESS"]


def test_the_last_word_is_not_waited_for_for_ever() -> None:
    house, worker, helper, job_id = at_work()
    helper.request(leave={})
    house.advance(10.1)
    assert states(house) == ["JS_SUCCESS"]
    worker.report(job_id, agent.JS_FAILED)
    assert states(house) == ["JS_SUCCESS"]
    assert not worker.closed


def test_an_agent_that_gives_up_has_failed() -> None:
    house, _, helper, _ = at_work()
    helper.request(leave={"reason": models.AGENT_ERROR})
    house.advance(10.1)
    assert states(house) == ["JS_FAILED"]


def test_an_agent_that_is_put_out_of_the_room_does_not_come_back() -> None:
    house, worker, _, job_id = at_work()
    house.service.room("room").sessions[f"agent-{job_id}"].leave(models.PARTICIPANT_REMOVED)  # type: ignore[union-attr]
    assert worker.terminated == [job_id]
    house.advance(30)
    assert states(house) == ["JS_FAILED"]
    assert house.jobs()[0].state.error == "agent worker left the room"
    assert len(worker.asked) == 1


def test_an_agent_may_reconnect() -> None:
    house, worker, helper, _ = at_work()
    helper.session.leave(models.STATE_MISMATCH)
    house.advance(9)
    house.agent_joins(worker)
    house.advance(60)
    assert states(house) == ["JS_RUNNING"]
    assert worker.terminated == []


def test_an_agent_that_is_lost_is_replaced() -> None:
    house, worker, helper, job_id = at_work()
    helper.session.leave(models.CONNECTION_TIMEOUT)
    house.advance(10.1)
    assert worker.terminated == [job_id]
    (job,) = house.jobs()
    assert (job.state.status, job.state.reason) == (agent.JS_FAILED, agent.JSR_RETRYING)
    house.advance(1.1)
    worker.answer()
    assert states(house) == ["JS_FAILED", "JS_RUNNING"]
    assert worker.asked[1].id != job_id
    assert worker.asked[1].dispatch_id == worker.asked[0].dispatch_id


def test_an_agent_that_never_comes_is_replaced() -> None:
    house = AgentHouse()
    worker = house.worker(agent_name="bot")
    house.dispatch()
    job_id = worker.answer()
    house.advance(61.1)
    assert worker.terminated == [job_id]
    assert len(worker.asked) == 2


def test_a_worker_that_says_it_is_at_it_is_believed() -> None:
    house = AgentHouse()
    worker = house.worker(agent_name="bot")
    house.dispatch()
    worker.report(worker.answer(), agent.JS_RUNNING)
    house.advance(120)
    assert states(house) == ["JS_RUNNING"]


def test_a_job_that_fails_begins_anew_a_few_times() -> None:
    house, worker, _, job_id = at_work(max_job_restarts=2)
    for delay_s in (1.0, 2.0):
        worker.report(job_id, agent.JS_FAILED, "crashed")
        house.advance(delay_s - 0.1)
        count = len(worker.asked)
        house.advance(0.2)
        assert len(worker.asked) == count + 1
        job_id = worker.answer()
    worker.report(job_id, agent.JS_FAILED, "crashed")
    house.advance(60)
    assert states(house) == ["JS_FAILED"] * 3
    assert [job.state.error for job in house.jobs()] == ["crashed"] * 3


def test_a_dispatch_may_forbid_that() -> None:
    house = AgentHouse()
    worker = house.worker(agent_name="bot")
    house.dispatch(restart_policy=agent_dispatch.JRP_NEVER)
    worker.report(worker.answer(), agent.JS_FAILED, "crashed")
    house.advance(60)
    assert len(worker.asked) == 1


def test_long_explanations_are_cut() -> None:
    house, worker, _, job_id = at_work()
    worker.report(job_id, agent.JS_FAILED, "x" * 100_000)
    assert len(house.jobs()[0].state.error) == 1024


# --- workers that get lost


def test_a_worker_may_come_back_to_its_jobs() -> None:
    house, worker, helper, job_id = at_work()
    worker.die()
    house.advance(9)
    again = house.worker(agent_name="bot")
    again.migrate(job_id)
    house.advance(60)
    assert not helper.session.ended
    again.report(job_id, agent.JS_SUCCESS)
    assert states(house) == ["JS_SUCCESS"]


def test_an_agent_works_on_without_its_worker() -> None:
    house, worker, helper, _ = at_work()
    worker.die()
    house.advance(120)
    assert states(house) == ["JS_RUNNING"]
    helper.request(leave={})
    assert states(house) == ["JS_SUCCESS"]


def test_an_agent_that_dies_with_its_worker_is_replaced_by_another_worker() -> None:
    house, worker, helper, _ = at_work()
    other = house.worker(agent_name="bot")
    worker.die()
    helper.drop_signal()
    house.advance(11.1)
    other.answer()
    house.agent_joins(other)
    house.advance(4)
    assert present(house) == {"alice", house.jobs()[1].state.participant_identity}


def test_an_agent_that_leaves_because_its_worker_died_is_replaced() -> None:
    """Processes of a worker that was killed often say goodbye properly."""
    house, worker, helper, _ = at_work()
    other = house.worker(agent_name="bot")
    worker.die()
    helper.request(leave={})
    house.advance(11.1)
    assert len(other.asked) == 1


def test_nobody_gets_the_jobs_of_others() -> None:
    house, worker, _, job_id = at_work()
    thief = house.worker(agent_name="bot")
    thief.migrate(job_id, "AJ_x")
    thief.report(job_id, agent.JS_FAILED)
    assert states(house) == ["JS_RUNNING"]
    worker.die()
    house.worker(agent_name="bot", issuer="otherkey").migrate(job_id)
    house.worker(agent_name="other").migrate(job_id)
    honest = house.worker(agent_name="bot")
    honest.migrate(job_id)
    honest.report(job_id, agent.JS_SUCCESS)
    assert states(house) == ["JS_SUCCESS"]


def test_a_job_that_is_over_cannot_be_taken_up_again() -> None:
    house, worker, _, job_id = at_work()
    worker.die()
    house.agents.delete_dispatch("room", house.agents.list_dispatches("room")[1].id)
    again = house.worker(agent_name="bot")
    again.migrate(job_id)
    again.report(job_id, agent.JS_RUNNING)
    assert house.agents.context.jobs == {}


# --- rooms and participants that go


def test_a_room_that_ends_ends_its_jobs() -> None:
    house, worker, _, job_id = at_work()
    house.service.room("room").close(models.ROOM_DELETED)  # type: ignore[union-attr]
    assert worker.terminated == [job_id]
    assert house.agents.context.jobs == {}
    assert house.agents.context.books == {}
    assert worker.session._worker is not None
    assert worker.session._worker.jobs == {}


def test_a_deleted_dispatch_ends_its_jobs_and_puts_its_agents_out() -> None:
    house, worker, helper, job_id = at_work()
    order = house.agents.list_dispatches("room")[1]
    house.advance(1)
    deleted = house.agents.delete_dispatch("room", order.id)
    assert worker.terminated == [job_id]
    assert deleted.state.deleted_at > deleted.state.created_at
    (job,) = deleted.state.jobs
    assert (job.state.status, job.state.reason) == (agent.JS_SUCCESS, agent.JSR_DISPATCH_DELETED)
    assert not helper.session.ended
    house.advance(3.1)
    assert helper.session.ended
    assert present(house) == {"alice"}


def test_an_agent_that_went_by_itself_makes_room_for_the_next_of_its_name() -> None:
    house = AgentHouse()
    worker = house.worker(agent_name="bot")
    house.join("alice").connect()
    house.dispatch()
    job_id = worker.answer(participant_identity="helper")
    first = house.agent_joins(worker)
    worker.report(job_id, agent.JS_SUCCESS)
    house.dispatch()
    worker.answer(participant_identity="helper")
    second = house.agent_joins(worker)
    house.advance(30)
    assert first.session.ended
    assert not second.session.ended


def test_agents_of_a_participant_go_soon_after_it() -> None:
    house = AgentHouse()
    worker = house.worker(agent.JT_PARTICIPANT)
    alice = house.join("alice").connect()
    house.join("bob").connect()
    by_participant = {job.participant.identity: job.id for job in worker.asked}
    for job_id in by_participant.values():
        worker.answer(job_id=job_id)
    alice.request(leave={})
    house.advance(4.9)
    assert worker.terminated == []
    house.advance(0.2)
    assert worker.terminated == [by_participant["alice"]]


def test_a_participant_who_comes_back_soon_finds_its_agents() -> None:
    house = AgentHouse()
    worker = house.worker(agent.JT_PARTICIPANT)
    house.join("alice").connect().request(leave={})
    worker.answer()
    house.advance(3)
    house.join("alice").connect()
    house.advance(30)
    worker.report(worker.asked[0].id, agent.JS_RUNNING)
    assert len(worker.asked) == 1
    assert worker.terminated == []
