import pytest

from tests.harness.clients import joined
from tests.harness.server import Server


@pytest.mark.parametrize("codec", ["vp8", "h264", "vp9", "av1"])
async def test_video_of_every_codec_is_decoded(server: Server, room: str, single_pc: bool, codec: str) -> None:
    async with (
        joined(server, room, "alice", single_pc=single_pc) as alice,
        joined(server, room, "bob", single_pc=single_pc) as bob,
    ):
        await alice.publish_video(shade=90, codec=codec)
        await (await bob.video_of("alice")).shows(90, frames=20)
        assert (await bob.publication_of("alice")).mime_type.lower() == f"video/{codec}"


@pytest.mark.parametrize("red", [True, False], ids=["red", "plain"])
async def test_opus_is_heard_with_and_without_redundancy(server: Server, room: str, red: bool) -> None:
    async with joined(server, room, "alice") as alice, joined(server, room, "bob") as bob:
        await alice.publish_tone(600, red=red)
        await (await bob.audio_of("alice")).hears(600)
        expected = "audio/red" if red else "audio/opus"
        assert (await bob.publication_of("alice", "audio")).mime_type.lower() == expected


async def test_scalable_video_is_decoded(server: Server, room: str) -> None:
    async with joined(server, room, "alice") as alice, joined(server, room, "bob") as bob:
        await alice.publish_video((640, 360), shade=90, codec="vp9", scalability_mode="L2T2_KEY")
        video = await bob.video_of("alice")
        await video.shows(90, frames=20)
        await video.becomes((640, 360))
