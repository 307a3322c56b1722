from livekit import rtc

from tests.harness.clients import Join, both_modes


@both_modes
async def test_a_participant_that_leaves_is_gone_for_others(join: Join) -> None:
    async with join("bob") as bob:
        async with join("alice") as alice:
            await alice.publish_tone()
            await bob.audio_of("alice")
        (gone,) = await bob.hears("participant_disconnected")
        assert gone.identity == "alice"
        assert gone.disconnect_reason == rtc.DisconnectReason.CLIENT_INITIATED
        assert await bob.hears("track_unsubscribed")
        assert not bob.room.remote_participants
