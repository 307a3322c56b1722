from livekit import rtc

from tests.harness.clients import Join


async def test_revoked_media_stops_and_granted_media_comes_back(join: Join) -> None:
    async with join("alice") as alice, join("bob") as bob, join("carol") as carol:
        await alice.publish_tone(440)
        bobs, carols = await bob.audio_of("alice"), await carol.audio_of("alice")
        await bobs.hears(440)
        await carols.hears(440)
        carol_alone = rtc.ParticipantTrackPermission(participant_identity="carol", allow_all=True)
        alice.me.set_track_subscription_permissions(
            allow_all_participants=False, participant_permissions=[carol_alone]
        )
        await bobs.falls_silent()
        await carols.hears(440)
        bob.events.clear()
        alice.me.set_track_subscription_permissions(allow_all_participants=True)
        track, *_ = await bob.hears("track_subscribed")
        await bob.listen(track).hears(440)
