"""From what happens in rooms to the jobs that come of it, and the dispatches behind them."""

import pytest
from livekit.protocol import agent, agent_dispatch, models
from livekit.protocol import room as room_messages

from rooms.administration import Administration
from rooms.agents.config import AgentsConfig
from rooms.config import RoomConfig
from rooms.errors import DispatchNotFound, InvalidRequest, KeyExhausted, LimitExceeded, RoomNotFound
from rooms.limits import Limits
from tests.harness.agents import AgentHouse, WorkerStandIn


def names(worker: WorkerStandIn) -> list[str]:
    """Whom it was asked to work for: participants, or rooms."""
    return [
        job.participant.identity if job.HasField("participant") else job.room.name for job in worker.asked
    ]


# --- implicit dispatch


def test_nameless_workers_get_every_room_once() -> None:
    house = AgentHouse()
    worker = house.worker()
    for identity in ("alice", "bob"):
        house.join(identity).connect()
    house.join("carol", room="other").connect()
    assert names(worker) == ["room", "other"]


def test_nameless_workers_get_every_participant() -> None:
    house = AgentHouse()
    worker = house.worker(agent.JT_PARTICIPANT)
    alice = house.join("alice")
    assert names(worker) == [], "its media is not connected yet"
    alice.connect()
    house.join("bob").connect().publish("c1")
    assert names(worker) == ["alice", "bob"]
    assert worker.asked[0].participant.state == models.ParticipantInfo.ACTIVE


def test_nameless_workers_get_every_publisher_once() -> None:
    house = AgentHouse()
    worker = house.worker(agent.JT_PUBLISHER)
    alice = house.join("alice").connect()
    house.join("bob").connect()
    alice.publish("c1")
    alice.publish("c2", source=models.CAMERA)
    assert names(worker) == ["alice"]
    assert worker.asked[0].participant.is_publisher


def test_agents_and_recorders_get_no_agents() -> None:
    house = AgentHouse()
    workers = [house.worker(kind) for kind in (agent.JT_PARTICIPANT, agent.JT_PUBLISHER)]
    house.join("other-bot", claims={"kind": "agent"}).connect().publish("c1")
    house.join("egress", grant={"recorder": True, "hidden": True}).connect().publish("c2")
    assert [names(worker) for worker in workers] == [[], []]


def test_named_workers_get_nothing_unasked() -> None:
    house = AgentHouse()
    workers = [house.worker(kind, agent_name="bot") for kind in (0, 1, 2)]  # type: ignore[arg-type]
    house.join("alice").connect().publish("c1")
    assert [names(worker) for worker in workers] == [[], [], []]


def test_every_namespace_gets_a_job() -> None:
    house = AgentHouse()
    workers = [house.worker(namespace=name) for name in ("x", "y")]
    house.join("alice").connect()
    assert [names(worker) for worker in workers] == [["room"], ["room"]]
    assert [worker.asked[0].namespace for worker in workers] == ["x", "y"]


def test_workers_of_a_deployment_get_only_its_jobs() -> None:
    house = AgentHouse()
    blue, plain = house.worker(agent_name="bot", deployment="blue"), house.worker(agent_name="bot")
    house.dispatch(deployment="blue")
    assert (names(blue), names(plain)) == (["room"], [])
    assert blue.asked[0].deployment == "blue"


# --- dispatch when the room is made


def test_a_token_brings_its_agents() -> None:
    house = AgentHouse()
    nameless, bot = house.worker(), house.worker(agent_name="bot")
    config = {"agents": [{"agentName": "bot", "metadata": "m"}]}
    house.join("alice", claims={"room_config": config}).connect()
    assert (names(nameless), names(bot)) == ([], ["room"])
    assert bot.asked[0].metadata == "m"


def test_a_room_is_created_with_agents() -> None:
    house = AgentHouse()
    bots = [house.worker(agent_name=name) for name in ("one", "two", "three")]
    wish = room_messages.RoomConfiguration(
        agents=[
            agent_dispatch.RoomAgentDispatch(agent_name="one"),
            agent_dispatch.RoomAgentDispatch(agent_name="two", attributes={"a": "b"}),
        ]
    )
    Administration(house.service).create_room("room", wish)
    assert [names(bot) for bot in bots] == [["room"], ["room"], []]
    assert dict(bots[1].asked[0].attributes) == {"a": "b"}


def test_agents_of_an_impossible_deployment_are_left_out() -> None:
    house = AgentHouse()
    config = {"agents": [{"agentName": "bot", "deployment": "a_b"}, {"agentName": "ok"}]}
    house.join("alice", claims={"room_config": config})
    assert [order.agent_name for order in house.agents.list_dispatches("room")] == ["ok"]


def test_a_room_is_made_with_no_more_dispatches_than_it_may_have() -> None:
    house = AgentHouse(AgentsConfig(max_dispatches=3))
    config = {"agents": [{"agentName": f"bot-{number}"} for number in range(100)]}
    house.join("alice", claims={"room_config": config})
    assert len(house.agents.list_dispatches("room")) == 3


# --- dispatch by the API


def test_a_late_dispatch_finds_who_is_there() -> None:
    house = AgentHouse()
    workers = [house.worker(kind, agent_name="bot") for kind in (0, 1, 2)]  # type: ignore[arg-type]
    house.join("alice").connect().publish("c1")
    house.join("bob").connect()
    house.dispatch()
    assert [names(worker) for worker in workers] == [["room"], ["alice"], ["alice", "bob"]]
    house.join("carol").connect()
    assert names(workers[2]) == ["alice", "bob", "carol"]


def test_a_dispatch_makes_its_room() -> None:
    house = AgentHouse()
    order = house.dispatch()
    assert house.service.room("room") is not None
    listed = house.agents.list_dispatches("room")
    assert [found.agent_name for found in listed] == ["", "bot"], "as in LiveKit"
    assert house.agents.list_dispatches("room", order.id) == [order]
    assert order.state.created_at == int(house.clock.wall() * 1e9)


def test_where_rooms_are_not_made_on_demand_it_does_not() -> None:
    house = AgentHouse(room_config=RoomConfig(auto_create=False))
    with pytest.raises(RoomNotFound):
        house.dispatch()


def test_what_is_not_there_is_not_found() -> None:
    house = AgentHouse()
    for operation in (
        lambda: house.agents.list_dispatches("room"),
        lambda: house.agents.delete_dispatch("room", "AD_x"),
    ):
        with pytest.raises(RoomNotFound):
            operation()
    house.dispatch()
    with pytest.raises(DispatchNotFound):
        house.agents.delete_dispatch("room", "AD_x")
    assert house.agents.list_dispatches("room", "AD_x") == []


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"room": ""}, InvalidRequest),
        ({"room": "r" * 257}, LimitExceeded),
        ({"deployment": "a b"}, InvalidRequest),
        ({"agent_name": "n" * 257}, LimitExceeded),
        ({"metadata": "m" * (512 * 1024 + 1)}, LimitExceeded),
        ({"attributes": {"a": "b" * 64 * 1024}}, LimitExceeded),
    ],
)
def test_impossible_dispatches_are_refused(fields: dict[str, str], error: type[Exception]) -> None:
    house = AgentHouse()
    with pytest.raises(error):
        house.dispatch(**fields)
    assert house.service.rooms() == []


def test_a_room_has_a_limited_number_of_dispatches() -> None:
    house = AgentHouse(AgentsConfig(max_dispatches=2))
    house.dispatch()
    with pytest.raises(LimitExceeded):
        house.dispatch()


def test_ended_jobs_are_not_kept_for_ever() -> None:
    house = AgentHouse(AgentsConfig(max_kept_jobs=2, max_job_restarts=0))
    worker = house.worker(agent.JT_PARTICIPANT)
    for number in range(5):
        house.join(f"guest-{number}").connect()
        worker.report(worker.answer(), agent.JS_SUCCESS)
    assert [job.participant.identity for job in house.jobs()] == ["guest-3", "guest-4"]


# --- workers that come late


def test_a_worker_that_comes_soon_finds_what_waits() -> None:
    house = AgentHouse()
    house.join("alice").connect().publish("c1")
    house.join("bob").connect()
    house.advance(59)
    workers = [house.worker(kind) for kind in (0, 1, 2)]  # type: ignore[arg-type]
    assert [names(worker) for worker in workers] == [["room"], ["alice"], ["alice", "bob"]]
    assert names(house.worker()) == []


def test_a_worker_that_comes_too_late_finds_nothing() -> None:
    house = AgentHouse()
    house.join("alice").connect()
    house.advance(61)
    assert names(house.worker()) == []


def test_wishes_go_with_those_who_had_them() -> None:
    house = AgentHouse()
    alice = house.join("alice").connect()
    house.join("bob").connect()
    alice.request(leave={})
    house.join("carol", room="other").connect()
    house.service.room("other").close(models.ROOM_DELETED)  # type: ignore[union-attr]
    assert names(house.worker(agent.JT_PARTICIPANT)) == ["bob"]
    house.service.room("room").close(models.ROOM_DELETED)  # type: ignore[union-attr]
    assert len(house.agents._wishes) == 0


# --- drains


def test_a_draining_worker_keeps_its_jobs_and_gets_no_new_ones() -> None:
    house = AgentHouse()
    draining = house.worker(agent_name="bot")
    house.dispatch(room="first")
    job_id = draining.answer()
    other = house.worker(agent_name="bot")
    draining.status(full=True)
    house.dispatch(room="second")
    assert names(other) == ["second"]
    assert draining.terminated == []
    draining.report(job_id, agent.JS_SUCCESS)
    assert [job.state.status for job in house.jobs("first")] == [agent.JS_SUCCESS]


def test_a_server_that_stops_sends_workers_away() -> None:
    house = AgentHouse()
    workers = [house.worker(), house.worker()]
    house.join("alice").connect()
    house.agents.shutdown()
    assert {worker.closed for worker in workers} == {"the server is stopping"}
    assert house.worker().closed == "the server is stopping"


# --- simulated jobs


def test_a_worker_may_simulate_a_job() -> None:
    house = AgentHouse()
    worker, other = house.worker(agent_name="bot"), house.worker(agent_name="bot")
    worker.say(simulate_job=agent.SimulateJobRequest(room=models.Room(name="room", metadata="m")))
    (job,) = worker.asked
    assert (job.type, job.agent_name, job.room.metadata, job.dispatch_id) == (agent.JT_ROOM, "bot", "m", "")
    job_id = worker.answer()
    house.agent_joins(worker)
    worker.report(job_id, agent.JS_FAILED)
    house.advance(30)
    assert len(worker.asked) == 1
    assert other.asked == []


def test_a_simulated_job_may_be_for_a_publisher() -> None:
    house = AgentHouse()
    worker = house.worker()
    publisher = models.ParticipantInfo(identity="alice")
    worker.say(simulate_job=agent.SimulateJobRequest(room=models.Room(name="room"), participant=publisher))
    assert worker.asked[0].type == agent.JT_PUBLISHER
    worker.answer(available=False)
    assert house.agents.context.books == {}


def test_simulated_jobs_are_limited() -> None:
    house = AgentHouse(AgentsConfig(max_simulated_jobs=2))
    worker = house.worker()
    for _ in range(3):
        worker.say(simulate_job=agent.SimulateJobRequest(room=models.Room(name="room")))
    assert worker.closed == "too many simulated jobs"
    nameless = house.worker()
    nameless.say(simulate_job=agent.SimulateJobRequest())
    assert nameless.closed == "a simulated job needs a room"


def test_a_room_that_an_order_makes_is_its_api_keys() -> None:
    house = AgentHouse(room_config=RoomConfig(limits=Limits(key_rooms=1)))
    house.dispatch(room="one", api_key="k")
    with pytest.raises(KeyExhausted):
        house.dispatch(room="two", api_key="k")
    assert house.service.room("two") is None
    house.dispatch(room="one", api_key="k")
    house.dispatch(room="two", api_key="other")
