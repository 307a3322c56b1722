import asyncio

from livekit import rtc

from tests.harness.clients import Join, both_modes
from tests.harness.eventually import eventually


@both_modes
async def test_frames_pushed_on_a_data_track_reach_its_subscribers(join: Join) -> None:
    async with join("alice") as alice, join("bob") as bob:
        track = await alice.me.publish_data_track(name="telemetry")
        (remote,) = await bob.hears("data_track_published")
        assert (remote.info.name, remote.publisher_identity) == ("telemetry", "alice")
        stream = remote.subscribe()
        reading = asyncio.create_task(anext(stream))
        payload = bytes(range(256)) * 20

        def pushed_and_read() -> bool:
            track.try_push(rtc.DataTrackFrame(payload))
            return reading.done()

        await eventually(pushed_and_read, "a frame at bob")
        assert (await reading).payload == payload
        stream.close()
        await track.unpublish()
        await bob.hears("data_track_unpublished")


async def test_a_late_joiner_finds_the_data_track(join: Join) -> None:
    async with join("alice") as alice:
        track = await alice.me.publish_data_track(name="telemetry")
        async with join("carol") as carol:
            (remote,) = await carol.hears("data_track_published")
            assert remote.info.sid == track.info.sid
