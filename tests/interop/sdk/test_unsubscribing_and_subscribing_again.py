from livekit import rtc

from tests.harness.clients import Join, both_modes


@both_modes
async def test_media_stops_and_comes_back(join: Join) -> None:
    async with join("alice") as alice, join("bob") as bob:
        await alice.publish_video(shade=200)
        await (await bob.video_of("alice")).shows(200)
        publication = await bob.publication_of("alice")
        publication.set_subscribed(False)
        await bob.hears("track_unsubscribed")
        bob.events.clear()
        publication.set_subscribed(True)
        track, *_ = await bob.hears("track_subscribed")
        await bob.watch(track).shows(200)


async def test_nothing_is_subscribed_unasked_without_auto_subscribe(join: Join) -> None:
    async with join("alice") as alice, join("bob", options={"auto_subscribe": False}) as bob:
        await alice.publish_tone(440)
        await alice.publish_video()
        publication = await bob.publication_of("alice", "audio")
        publication.set_subscribed(True)
        await (await bob.audio_of("alice")).hears(440)
        assert [track.kind for track, *_ in bob.heard("track_subscribed")] == [rtc.TrackKind.KIND_AUDIO]
