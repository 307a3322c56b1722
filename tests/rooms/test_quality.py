import pytest
from livekit.protocol import models

from rooms.quality import mean_opinion_score
from sfu.control import Quality, TransportId
from tests.harness.rooms import Guest, House


def score(house: House, **scores: float) -> None:
    room = house.service.room("room")
    assert room is not None
    transports = {
        leg: scores[session.participant.identity]
        for session in room.sessions.values()
        if session.participant.identity in scores
        for leg in session.legs.all()
    }
    house.event(Quality(room.router_id, transports))


def qualities(guest: Guest) -> dict[str, int] | None:
    """By sid, of the only message since the last look."""
    messages = guest.of("connection_quality")
    guest.clear()
    if not messages:
        return None
    (message,) = messages
    return {info.participant_sid: info.quality for info in message.updates}


def test_self_and_subscribed_publishers_when_something_changed() -> None:
    house = House()
    alice, bob = house.pair()
    house.join("carol").connect()
    alice.publish("c1")
    score(house, alice=100, bob=100, carol=100)
    assert qualities(alice) == {alice.sid: models.EXCELLENT}
    assert qualities(bob) == {alice.sid: models.EXCELLENT, bob.sid: models.EXCELLENT}
    score(house, alice=90, bob=81)
    assert qualities(bob) is None
    score(house, alice=60)
    assert qualities(bob) == {alice.sid: models.GOOD, bob.sid: models.EXCELLENT}
    score(house, alice=30)
    assert qualities(bob) == {alice.sid: models.POOR, bob.sid: models.EXCELLENT}


def test_worse_of_two_transports_counts() -> None:
    house = House()
    alice = house.join("alice", v0=True).connect()
    alice.clear()
    room = house.service.room("room")
    assert room is not None
    publishing, subscribing = alice.session.legs.all()
    house.event(Quality(room.router_id, {publishing: 90.0, subscribing: 50.0}))
    assert qualities(alice) == {alice.sid: models.GOOD}


def test_lost_is_never_said_to_oneself_nor_of_anybody_connected() -> None:
    house = House()
    alice, bob = house.pair()
    alice.publish("c1")
    score(house, alice=5, bob=5)
    assert qualities(alice) == {alice.sid: models.POOR}
    assert qualities(bob) == {alice.sid: models.POOR, bob.sid: models.POOR}


def test_lost_is_said_of_somebody_whose_signal_is_gone_too() -> None:
    house = House()
    alice, bob = house.pair()
    old = house.join("old", protocol=9).connect()
    alice.publish("c1")
    old.clear()
    bob.clear()
    alice.drop_signal()
    score(house, alice=5)
    assert qualities(bob) == {alice.sid: models.LOST, bob.sid: models.EXCELLENT}
    assert qualities(old) == {alice.sid: models.POOR, old.sid: models.EXCELLENT}


def test_hidden_publishers_are_left_out() -> None:
    house = House()
    ghost = house.join("ghost", grant={"hidden": True}).connect()
    bob = house.join("bob").connect()
    ghost.publish("c1")
    bob.clear()
    score(house, ghost=100, bob=100)
    assert qualities(bob) == {bob.sid: models.EXCELLENT}


def test_people_who_are_not_connected_yet_hear_nothing() -> None:
    house = House()
    house.join("alice").connect()
    bob = house.join("bob")
    score(house, alice=100)
    assert qualities(bob) is None


def test_unknown_rooms_and_transports_are_ignored() -> None:
    house = House()
    alice, _ = house.pair()
    house.event(Quality("RM_gone", {TransportId("x"): 1.0}))
    score(house)
    assert qualities(alice) == {alice.sid: models.EXCELLENT}


@pytest.mark.parametrize(
    ("rating", "opinion"), [(100, 4.5), (20, 1.252), (0, 1.0), (-5, 1.0), (120, 4.5), (60, 3.1)]
)
def test_mean_opinion_score(rating: float, opinion: float) -> None:
    assert mean_opinion_score(rating) == pytest.approx(opinion, abs=0.001)
