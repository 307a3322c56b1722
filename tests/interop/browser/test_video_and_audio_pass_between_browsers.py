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
        print(await bob.do("protocols"), await bob.do("connected"), await bob.page.evaluate("peer.events"))
