from livekit import rtc

from tests.harness.clients import Join, both_modes


@both_modes
async def test_the_same_identity_again_ends_the_first_session(join: Join) -> None:
    async with join("bob") as bob, join("alice") as first:
        await first.publish_tone(440)
        await (await bob.audio_of("alice")).hears(440)
        bob.events.clear()
        async with join("alice") as second:
            (reason,) = await first.hears("disconnected")
            assert reason == rtc.DisconnectReason.DUPLICATE_IDENTITY
            await second.publish_tone(880)
            track, *_ = await bob.hears("track_subscribed")
            await bob.listen(track).hears(880)
            assert bob.other("alice").sid == second.me.sid
