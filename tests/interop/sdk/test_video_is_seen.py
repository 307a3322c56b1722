from collections.abc import Callable

import pytest
from livekit import rtc

from tests.harness.clients import Join, both_modes


@pytest.mark.parametrize("simulcast", [False, True], ids=["one-layer", "simulcast"])
@both_modes
async def test_one_sees_anothers_picture(join: Join, simulcast: bool) -> None:
    async with join("alice") as alice, join("bob") as bob:
        await alice.publish_video((640, 360), shade=180, simulcast=simulcast)
        video = await bob.video_of("alice")
        await video.shows(180, frames=20)
        await video.becomes((640, 360))
        assert (await bob.publication_of("alice")).simulcasted == simulcast


async def test_a_screen_and_a_camera_of_one_participant_are_told_apart(join: Join) -> None:
    async with join("alice") as alice, join("bob") as bob:
        await alice.publish_video(shade=60)
        await alice.publish_video(shade=200, source=rtc.TrackSource.SOURCE_SCREENSHARE, name="screen")
        tracks = [await bob.hears("track_subscribed", _named(name)) for name in ("camera", "screen")]
        camera, screen = (bob.watch(track) for track, *_ in tracks)
        await camera.shows(60)
        await screen.shows(200)


def _named(name: str) -> Callable[..., bool]:
    return lambda track, publication, participant: publication.name == name
