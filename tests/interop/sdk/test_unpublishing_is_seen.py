from tests.harness.clients import Join, both_modes
from tests.harness.eventually import eventually


@both_modes
async def test_an_unpublished_track_is_gone_and_its_place_is_used_again(join: Join) -> None:
    async with join("alice") as alice, join("bob") as bob:
        for shade in (60, 200):
            publication = await alice.publish_video(shade=shade)
            await (await bob.video_of("alice")).shows(shade)
            await alice.me.unpublish_track(publication.sid)
            unpublished, participant = await bob.hears("track_unpublished")
            assert (unpublished.sid, participant.identity) == (publication.sid, "alice")
            await eventually(lambda: not bob.other("alice").track_publications, "no publication left")
            bob.events.clear()
