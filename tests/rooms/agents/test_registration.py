import pytest
from livekit.protocol import agent, models

from auth.grants import VideoGrant
from rooms.agents.errors import WorkerRefused
from rooms.agents.registration import Key, Registration, deployment_problem


def test_the_key_is_what_jobs_ask_for() -> None:
    request = agent.RegisterWorkerRequest(
        type=agent.JT_PUBLISHER, agent_name="bot", namespace="ns", deployment="blue", version="1.8"
    )
    assert Registration.read(request).key == Key("bot", agent.JT_PUBLISHER, "blue", "ns")


def test_without_permissions_its_agents_may_do_the_usual() -> None:
    grant = Registration.read(agent.RegisterWorkerRequest()).grant("room")
    assert grant == VideoGrant(
        room_join=True,
        room="room",
        agent=True,
        can_publish=True,
        can_subscribe=True,
        can_publish_data=True,
        can_update_own_metadata=True,
    )


def test_its_agents_may_do_what_it_says_but_never_pass_for_others() -> None:
    permission = models.ParticipantPermission(
        can_subscribe=True, can_publish_sources=[models.MICROPHONE], hidden=True, recorder=True, agent=False
    )
    grant = Registration.read(agent.RegisterWorkerRequest(allowed_permissions=permission)).grant("room")
    assert (grant.can_publish, grant.can_subscribe, grant.can_publish_data) == (False, True, False)
    assert grant.can_publish_sources == ("microphone",)
    assert (grant.hidden, grant.recorder, grant.agent) == (True, False, True)
    assert not grant.room_admin


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (agent.RegisterWorkerRequest(type=9), "unknown job type"),  # type: ignore[arg-type]
        (agent.RegisterWorkerRequest(agent_name="n" * 257), "agent name is longer than 256 characters"),
        (agent.RegisterWorkerRequest(namespace="n" * 257), "agent name is longer than 256 characters"),
        (agent.RegisterWorkerRequest(deployment="a_b"), "deployment contains reserved character '_'"),
    ],
)
def test_nonsense_is_refused(request_: agent.RegisterWorkerRequest, reason: str) -> None:
    with pytest.raises(WorkerRefused, match=f"^{reason}$"):
        Registration.read(request_)


@pytest.mark.parametrize("name", ["", "blue", "é" * 32, "a-b.c/1"])
def test_names_of_deployments(name: str) -> None:
    assert deployment_problem(name) == ""


@pytest.mark.parametrize("name", ["é" * 33, "a_b", "a b", "a\tb", "a\x7f"])
def test_what_is_no_name_of_a_deployment(name: str) -> None:
    assert deployment_problem(name)
