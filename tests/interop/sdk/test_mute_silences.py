from tests.harness.clients import Join, SdkClient, both_modes
from tests.harness.eventually import eventually


@both_modes
async def test_a_muted_tone_is_silent_and_comes_back(join: Join) -> None:
    async with join("alice") as alice, join("bob") as bob:
        publication = await alice.publish_tone(440)
        audio = await bob.audio_of("alice")
        await audio.hears(440)
        publication.track.mute()
        _, muted = await bob.hears("track_muted")
        assert muted.sid == publication.sid
        await audio.falls_silent()
        publication.track.unmute()
        await bob.hears("track_unmuted")
        await audio.hears(440)


async def test_a_muted_picture_freezes_and_comes_back(join: Join) -> None:
    async with join("alice") as alice, join("bob") as bob:
        publication = await alice.publish_video(shade=70)
        video = await bob.video_of("alice")
        await video.shows(70)
        publication.track.mute()
        await bob.hears("track_muted")
        assert (await bob.publication_of("alice")).muted
        publication.track.unmute()
        await bob.hears("track_unmuted")
        await video.shows(70)


async def test_a_late_joiner_learns_that_a_track_is_muted(join: Join) -> None:
    async with join("alice") as alice:
        (await alice.publish_tone()).track.mute()
        async with join("carol") as carol:
            await eventually(lambda: _muted(carol), "the track muted for carol")


def _muted(client: SdkClient) -> bool:
    publications = client.other("alice").track_publications.values()
    return [publication.muted for publication in publications] == [True]
