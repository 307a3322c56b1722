from livekit import rtc

from tests.harness.clients import joined
from tests.harness.server import Server


async def test_revoked_media_stops_and_granted_media_comes_back(server: Server, room: str) -> None:
    async with (
        joined(server, room, "alice") as alice,
        joined(server, room, "bob") as bob,
        joined(server, room, "carol") as carol,
    ):
        await alice.publish_tone(440)
        for listener in (bob, carol):
            await (await listener.audio_of("alice")).hears(440)
        carol_alone = rtc.ParticipantTrackPermission(participant_identity="carol", allow_all=True)
        alice.me.set_track_subscription_permissions(
            allow_all_participants=False, participant_permissions=[carol_alone]
        )
        await bob.hears("track_unsubscribed")
        assert not carol.heard("track_unsubscribed")
        bob.events.clear()
        alice.me.set_track_subscription_permissions(allow_all_participants=True)
        track, *_ = await bob.hears("track_subscribed")
        await bob.listen(track).hears(440)
