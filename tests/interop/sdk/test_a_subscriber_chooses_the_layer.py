from livekit import rtc

from tests.harness.clients import Join, both_modes

LOW, MEDIUM, HIGH = (320, 180), (640, 360), (960, 540)


@both_modes
async def test_quality_wishes_change_the_resolution(join: Join) -> None:
    async with join("alice") as alice, join("bob") as bob, join("carol") as carol:
        await alice.publish_video(HIGH, fps=10, shade=180, simulcast=True)
        bobs, carols = await bob.video_of("alice"), await carol.video_of("alice")
        await bobs.becomes(HIGH)
        await carols.becomes(HIGH)
        publication = await bob.publication_of("alice")
        publication.set_video_quality(rtc.VideoQuality.VIDEO_QUALITY_LOW)
        await bobs.becomes(LOW)
        publication.set_video_quality(rtc.VideoQuality.VIDEO_QUALITY_MEDIUM)
        await bobs.becomes(MEDIUM)
        await bobs.shows(180)
        assert carols.size == HIGH
