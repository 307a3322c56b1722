"""Whose tracks and levels are a room's."""

from collections.abc import AsyncIterator

import pytest_asyncio

from sfu import control
from sfu.control import RouterId, TrackId
from tests.harness.lab import Lab
from tests.harness.rtp_source import AudioSource, StreamConfig, simulcast


@pytest_asyncio.fixture
async def lab() -> AsyncIterator[Lab]:
    made = Lab(seed=4)
    yield made
    made.close()


def _speaks(lab: Lab, name: str, room: str) -> None:
    client = lab.join(name, room=room)
    client.publish(f"TR_{name}", AudioSource(StreamConfig(0x77, 111, 48_000, mid="0"), level=lambda at: 5))
    client.negotiate()


async def test_a_router_knows_its_own_tracks_and_levels(lab: Lab) -> None:
    _speaks(lab, "alice", "RM_1")
    _speaks(lab, "bob", "RM_1")
    _speaks(lab, "carol", "RM_2")
    camera = lab.join("dave", room="RM_1")
    camera.publish("TR_camera", simulcast(rids=("f",)))
    camera.negotiate()
    lab.run(1.0)
    routers = lab.engine.routers
    one, other = routers[RouterId("RM_1")], routers[RouterId("RM_2")]
    assert {track.track_id for track in one.tracks()} == {"TR_alice", "TR_bob", "TR_camera"}
    assert {track.track_id for track in other.tracks()} == {"TR_carol"}
    assert all(level > 0.1 for _, level in one.levels(lab.now))
    assert {track_id for track_id, _ in one.levels(lab.now)} == {"TR_alice", "TR_bob"}


async def test_who_is_muted_does_not_speak(lab: Lab) -> None:
    _speaks(lab, "alice", "RM_1")
    lab.run(1.0)
    router = lab.engine.routers[RouterId("RM_1")]
    lab.engine.execute(control.MuteTrack(TrackId("TR_alice"), True))
    assert list(router.levels(lab.now)) == []
    lab.engine.execute(control.MuteTrack(TrackId("TR_alice"), False))
    assert list(router.levels(lab.now)) != []


async def test_a_track_that_has_ended_has_no_level(lab: Lab) -> None:
    _speaks(lab, "alice", "RM_1")
    lab.run(1.0)
    router = lab.engine.routers[RouterId("RM_1")]
    (transport_id,) = router.transports
    lab.engine.execute(control.DropTrack(transport_id, TrackId("TR_alice")))
    assert list(router.levels(lab.now)) == []
    assert list(router.tracks()) == []
