from livekit import rtc

from tests.harness.clients import joined
from tests.harness.server import Server


async def test_a_participant_that_leaves_is_gone_for_others(server: Server, room: str, single_pc: bool) -> None:
    async with joined(server, room, "bob", single_pc=single_pc) as bob:
        async with joined(server, room, "alice", single_pc=single_pc) as alice:
            await alice.publish_tone()
            await bob.audio_of("alice")
        (gone,) = await bob.hears("participant_disconnected")
        assert gone.identity == "alice"
        assert gone.disconnect_reason == rtc.DisconnectReason.CLIENT_INITIATED
        assert await bob.hears("track_unsubscribed")
        assert not bob.room.remote_participants
