from livekit import rtc

from tests.harness.clients import Join


async def test_a_speaker_is_announced_and_its_silence_too(join: Join) -> None:
    async with join("alice") as alice, join("bob") as bob:
        publication = await alice.publish_tone(440)
        for client in (bob, alice):
            await client.hears("active_speakers_changed", lambda who: [p.identity for p in who] == ["alice"])
        publication.track.mute()
        await bob.hears("active_speakers_changed", lambda who: not who)


async def test_the_quality_of_a_good_connection_is_excellent(join: Join) -> None:
    async with join("alice") as alice, join("bob") as bob:
        await alice.publish_tone(440)
        _, quality = await bob.hears(
            "connection_quality_changed", lambda who, quality: who.identity == "alice"
        )
        assert quality == rtc.ConnectionQuality.QUALITY_EXCELLENT
