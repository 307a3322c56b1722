from livekit.protocol import agent

from rooms.agents.dispatch import Dispatch
from rooms.agents.wishes import Wishes


def dispatch(name: str = "bot", ident: str = "AD_1") -> Dispatch:
    return Dispatch(ident, "room", name)


def test_a_wish_is_granted_once() -> None:
    wishes, order = Wishes(60.0), dispatch()
    wishes.add(order, agent.JT_PARTICIPANT, "alice", now=0.0)
    wishes.add(order, agent.JT_PARTICIPANT, "alice", now=1.0)
    wishes.add(order, agent.JT_ROOM, "", now=1.0)
    assert wishes.take("bot", agent.JT_PUBLISHER, "", now=2.0) == []
    assert wishes.take("bot", agent.JT_PARTICIPANT, "", now=2.0) == [(order, "alice")]
    assert wishes.take("bot", agent.JT_PARTICIPANT, "", now=2.0) == []
    assert len(wishes) == 1


def test_old_wishes_are_not_granted() -> None:
    wishes = Wishes(60.0)
    wishes.add(dispatch(), agent.JT_ROOM, "", now=0.0)
    assert wishes.take("bot", agent.JT_ROOM, "", now=60.0) == []


def test_without_patience_there_are_none() -> None:
    wishes = Wishes(0.0)
    wishes.add(dispatch(), agent.JT_ROOM, "", now=0.0)
    assert len(wishes) == 0


def test_dropped_wishes_leave_nothing() -> None:
    wishes, order, other = Wishes(60.0), dispatch(), dispatch(ident="AD_2")
    for one in (order, other):
        for identity in ("alice", "bob"):
            wishes.add(one, agent.JT_PARTICIPANT, identity, now=0.0)
    wishes.drop(order, "alice")
    wishes.drop(other)
    assert wishes.take("bot", agent.JT_PARTICIPANT, "", now=1.0) == [(order, "bob")]
    assert wishes._wishes == {}
