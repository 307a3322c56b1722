from livekit.protocol.models import VideoQuality

from tests.harness.browser import JoinInBrowser, both_browser_modes


@both_browser_modes
async def test_quality_and_size_wishes_change_the_resolution(browse: JoinInBrowser) -> None:
    async with browse("alice") as alice, browse("bob") as bob, browse("carol") as carol:
        await alice.publish_video((640, 360), shade=180)
        await bob.becomes("alice", (640, 360))
        await carol.becomes("alice", (640, 360))
        await bob.do("setVideoQuality", "alice", "camera", VideoQuality.LOW)
        await bob.becomes("alice", (320, 180))
        await bob.do("setVideoQuality", "alice", "camera", VideoQuality.HIGH)
        await bob.becomes("alice", (640, 360))
        await bob.do("setVideoDimensions", "alice", "camera", 320, 180)
        await bob.becomes("alice", (320, 180))
        await bob.shows("alice", 180)
        await carol.becomes("alice", (640, 360))
