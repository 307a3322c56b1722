import pytest

from tests.harness.browser import JoinInBrowser, both_browser_modes


@both_browser_modes
async def test_two_browsers_see_and_hear_each_other(browse: JoinInBrowser) -> None:
    async with browse("alice") as alice, browse("bob") as bob:
        await alice.publish_video(shade=180)
        await alice.publish_tone(440)
        await bob.publish_video(shade=60)
        await bob.publish_tone(880)
        await bob.shows("alice", 180)
        await bob.hears_tone("alice", 440)
        await alice.shows("bob", 60)
        await alice.hears_tone("bob", 880)
        await bob.becomes("alice", (640, 360))


@pytest.mark.parametrize(("browse", "expected"), [("v1", 1), ("v0", 2)], indirect=["browse"])
async def test_one_path_uses_one_peer_connection_and_the_other_two(
    browse: JoinInBrowser, expected: int
) -> None:
    async with browse("alice") as alice, browse("bob") as bob:
        for client in (alice, bob):
            await client.publish_tone(440)
        await bob.hears_tone("alice", 440)
        assert await bob.do("connected") == expected


async def test_a_screen_beside_a_camera_is_told_apart(browse: JoinInBrowser) -> None:
    async with browse("alice") as alice, browse("bob") as bob:
        await alice.publish_video((320, 180), shade=60)
        await alice.publish_video((640, 360), shade=200, source="screen_share", fps=5)
        await bob.shows("alice", 60)
        await bob.shows("alice", 200, source="screen_share")
        await bob.becomes("alice", (640, 360), source="screen_share")
