import pytest

from tests.harness.clients import Join, both_modes


@pytest.mark.parametrize("codec", ["vp8", "h264", "vp9", "av1"])
@both_modes
async def test_video_of_every_codec_is_decoded(join: Join, codec: str) -> None:
    async with join("alice") as alice, join("bob") as bob:
        await alice.publish_video(shade=90, codec=codec)
        await (await bob.video_of("alice")).shows(90, frames=20)
        assert (await bob.publication_of("alice")).mime_type.lower() == f"video/{codec}"


@pytest.mark.parametrize("red", [True, False], ids=["red", "plain"])
async def test_opus_is_heard_with_and_without_redundancy(join: Join, red: bool) -> None:
    async with join("alice") as alice, join("bob") as bob:
        await alice.publish_tone(600, red=red)
        await (await bob.audio_of("alice")).hears(600)
        expected = "audio/red" if red else "audio/opus"
        assert (await bob.publication_of("alice", "audio")).mime_type.lower() == expected


async def test_scalable_video_is_decoded(join: Join) -> None:
    async with join("alice") as alice, join("bob") as bob:
        await alice.publish_video((640, 360), shade=90, codec="vp9", scalability_mode="L2T2_KEY")
        video = await bob.video_of("alice")
        await video.shows(90, frames=20)
        await video.becomes((640, 360))
