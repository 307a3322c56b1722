import asyncio

from livekit.protocol.models import VideoQuality

from tests.harness.browser import BrowserClient, JoinInBrowser, both_browser_modes
from tests.harness.eventually import eventually


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


async def test_a_disabled_track_stops_and_comes_back(browse: JoinInBrowser) -> None:
    async with browse("alice") as alice, browse("bob") as bob:
        await alice.publish_video(shade=180)
        await bob.shows("alice", 180)
        await bob.do("setEnabled", "alice", "camera", False)
        await eventually(lambda: _stands_still(bob), "no more frames")
        await bob.do("setEnabled", "alice", "camera", True)
        await bob.shows("alice", 180)


async def test_a_layer_that_nobody_watches_is_not_encoded(browse: JoinInBrowser) -> None:
    async with browse("alice", options={"dynacast": True}) as alice, browse("bob") as bob:
        sid = await alice.publish_video(shade=180)
        await bob.becomes("alice", (640, 360))
        await bob.do("setVideoQuality", "alice", "camera", VideoQuality.LOW)
        await bob.becomes("alice", (320, 180))
        await eventually(lambda: _encodes_only(alice, sid, "q"), "the upper layer off")
        await bob.do("setVideoQuality", "alice", "camera", VideoQuality.HIGH)
        await bob.becomes("alice", (640, 360))


async def _stands_still(watcher: BrowserClient) -> bool:
    before = await watcher.do("video", "alice", "camera")
    await asyncio.sleep(0.5)
    after = await watcher.do("video", "alice", "camera")
    return bool(before["frames"] == after["frames"])


async def _encodes_only(publisher: BrowserClient, sid: str, rid: str) -> bool:
    before = await publisher.do("sent", sid)
    await asyncio.sleep(0.5)
    after = await publisher.do("sent", sid)
    return [name for name in after if after[name] != before[name]] == [rid]
