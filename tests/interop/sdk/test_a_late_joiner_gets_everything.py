from tests.harness.clients import Join, both_modes


@both_modes
async def test_media_published_before_is_seen_and_heard(join: Join) -> None:
    async with join("alice", name="Alice") as alice:
        await alice.publish_video(shade=70)
        await alice.publish_tone(500)
        async with join("carol") as carol:
            await (await carol.video_of("alice")).shows(70)
            await (await carol.audio_of("alice")).hears(500)
            assert carol.other("alice").name == "Alice"
            assert carol.other("alice").sid == alice.me.sid
            assert await alice.hears("participant_connected") == (alice.other("carol"),)
