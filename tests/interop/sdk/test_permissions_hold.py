import asyncio

import pytest
from livekit import rtc

from tests.harness.clients import Join, both_modes


async def test_who_may_not_publish_publishes_nothing(join: Join) -> None:
    async with join("bob") as bob, join("alice", can_publish=False) as alice:
        publishing = asyncio.create_task(alice.publish_tone())
        await alice.me.publish_data(b"but data")
        await bob.hears("data_received")
        with pytest.raises((rtc.participant.PublishTrackError, TimeoutError)):
            await asyncio.wait_for(publishing, 3)
        assert not bob.heard("track_published")


async def test_who_may_not_publish_data_is_not_heard(join: Join) -> None:
    async with join("bob") as bob, join("mute", can_publish_data=False) as mute:
        async with join("alice") as alice:
            await mute.me.publish_data(b"forbidden")
            await mute.publish_tone(440)
            await (await bob.audio_of("mute")).hears(440)
            await alice.me.publish_data(b"allowed")
            await bob.hears("data_received", lambda packet: packet.data == b"allowed")
        assert [packet.data for (packet,) in bob.heard("data_received")] == [b"allowed"]


async def test_only_the_granted_sources_are_published(join: Join) -> None:
    async with join("bob") as bob, join("alice", can_publish_sources=["microphone"]) as alice:
        publishing = asyncio.create_task(alice.publish_video())
        await alice.publish_tone(440)
        await (await bob.audio_of("alice")).hears(440)
        with pytest.raises((rtc.participant.PublishTrackError, TimeoutError)):
            await asyncio.wait_for(publishing, 3)
        assert [item.source for item, _ in bob.heard("track_published")] == [
            rtc.TrackSource.SOURCE_MICROPHONE
        ]


@both_modes
async def test_who_may_not_subscribe_gets_no_media_but_publishes(join: Join) -> None:
    async with join("alice") as alice, join("bob", can_subscribe=False) as bob:
        await alice.publish_tone(440)
        await bob.publish_tone(880)
        await (await alice.audio_of("bob")).hears(880)
        await bob.publication_of("alice", "audio")
        assert not bob.heard("track_subscribed")


async def test_a_hidden_participant_sees_without_being_seen(join: Join) -> None:
    async with join("alice") as alice, join("ghost", hidden=True) as ghost:
        await alice.publish_tone(440)
        await (await ghost.audio_of("alice")).hears(440)
        async with join("bob") as bob:
            await alice.sees("bob")
            assert set(bob.room.remote_participants) == {"alice"}
            assert set(alice.room.remote_participants) == {"bob"}
