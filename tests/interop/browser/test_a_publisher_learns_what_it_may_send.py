from tests.harness.browser import JoinInBrowser, both_browser_modes
from tests.harness.eventually import eventually

START_BPS = 300_000
"""What Chromium sends before it is told of anything's arrival."""


@both_browser_modes
async def test_bandwidth_rises_with_feedback(browse: JoinInBrowser) -> None:
    async with browse("alice") as alice, browse("bob") as bob:
        await alice.publish_video((640, 360), shade=180)
        await bob.shows("alice", 180)

        async def rises() -> bool:
            return float(await alice.do("bandwidth")) > 2 * START_BPS

        await eventually(rises, "more bandwidth")
