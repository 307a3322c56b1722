import asyncio

from livekit import rtc

from tests.harness.clients import joined
from tests.harness.eventually import eventually
from tests.harness.server import Server


async def test_frames_pushed_on_a_data_track_reach_its_subscribers(
    server: Server, room: str, single_pc: bool
) -> None:
    async with (
        joined(server, room, "alice", single_pc=single_pc) as alice,
        joined(server, room, "bob", single_pc=single_pc) as bob,
    ):
        track = await alice.me.publish_data_track(name="telemetry")
        (remote,) = await bob.hears("data_track_published")
        assert (remote.info.name, remote.publisher_identity) == ("telemetry", "alice")
        stream = remote.subscribe()
        reading = asyncio.create_task(anext(stream))
        payload = bytes(range(256)) * 20
        await eventually(lambda: _push(track, payload) or reading.done(), "a frame at bob")
        assert (await reading).payload == payload
        stream.close()
        await track.unpublish()
        await bob.hears("data_track_unpublished")


async def test_a_late_joiner_finds_the_data_track(server: Server, room: str) -> None:
    async with joined(server, room, "alice") as alice:
        track = await alice.me.publish_data_track(name="telemetry")
        async with joined(server, room, "carol") as carol:
            (remote,) = await carol.hears("data_track_published")
            assert remote.info.sid == track.info.sid


def _push(track: rtc.LocalDataTrack, payload: bytes) -> None:
    track.try_push(rtc.DataTrackFrame(payload))
