from livekit import rtc

from tests.harness.clients import joined
from tests.harness.server import Server


async def test_the_same_identity_again_ends_the_first_session(
    server: Server, room: str, single_pc: bool
) -> None:
    async with (
        joined(server, room, "bob", single_pc=single_pc) as bob,
        joined(server, room, "alice", single_pc=single_pc) as first,
    ):
        await first.publish_tone(440)
        await (await bob.audio_of("alice")).hears(440)
        bob.events.clear()
        async with joined(server, room, "alice", single_pc=single_pc) as second:
            (reason,) = await first.hears("disconnected")
            assert reason == rtc.DisconnectReason.DUPLICATE_IDENTITY
            await second.publish_tone(880)
            track, *_ = await bob.hears("track_subscribed")
            await bob.listen(track).hears(880)
            assert bob.other("alice").sid == second.me.sid
