from tests.harness.clients import joined
from tests.harness.server import Server


async def test_media_published_before_is_seen_and_heard(server: Server, room: str, single_pc: bool) -> None:
    async with joined(server, room, "alice", single_pc=single_pc, name="Alice") as alice:
        await alice.publish_video(shade=70)
        await alice.publish_tone(500)
        async with joined(server, room, "carol", single_pc=single_pc) as carol:
            await (await carol.video_of("alice")).shows(70)
            await (await carol.audio_of("alice")).hears(500)
            assert carol.other("alice").name == "Alice"
            assert carol.other("alice").sid == alice.me.sid
            assert await alice.hears("participant_connected") == (alice.other("carol"),)
