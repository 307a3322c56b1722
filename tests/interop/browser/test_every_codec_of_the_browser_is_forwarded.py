import pytest

from tests.harness.browser import JoinInBrowser


@pytest.mark.parametrize("codec", ["vp8", "h264", "vp9", "av1"])
async def test_video_of_every_codec_is_decoded(browse: JoinInBrowser, codec: str) -> None:
    async with browse("alice") as alice, browse("bob") as bob:
        await alice.publish_video((640, 360), shade=90, codec=codec, backupCodec=False)
        await bob.shows("alice", 90, frames=15)
        await bob.becomes("alice", (640, 360))
        assert (await bob.do("video", "alice", "camera"))["codec"].lower() == f"video/{codec}"


@pytest.mark.parametrize("red", [True, False], ids=["red", "plain"])
async def test_audio_is_heard_with_and_without_redundancy(browse: JoinInBrowser, red: bool) -> None:
    async with browse("alice") as alice, browse("bob") as bob:
        await alice.publish_tone(600, red=red)
        await bob.hears_tone("alice", 600)
