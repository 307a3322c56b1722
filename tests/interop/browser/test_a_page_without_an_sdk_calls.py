"""The browser client of docs/json-protocol.md, as it stands there, in Chromium."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest_asyncio
from aiohttp import web
from livekit import api
from playwright.async_api import Browser, Page

from tests.harness.clients import Join
from tests.harness.eventually import eventually
from tests.harness.server import Server

DOCS = Path(__file__).resolve().parents[3] / "docs" / "json-protocol.md"
FAKE_MEDIA = """
navigator.mediaDevices.getUserMedia = async () => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [320, 180];
  const pen = canvas.getContext("2d");
  let n = 0;
  setInterval(() => { pen.fillStyle = `hsl(${n++ % 360} 80% 50%)`; pen.fillRect(0, 0, 320, 180); }, 66);
  const context = new AudioContext();
  const tone = context.createOscillator();
  const sink = context.createMediaStreamDestination();
  tone.frequency.value = 660;
  tone.connect(sink);
  tone.start();
  return new MediaStream([...canvas.captureStream(15).getTracks(), ...sink.stream.getTracks()]);
};
"""
FRAMES = """(publisher) => {
  const video = document.querySelector(`video[data-publisher="${publisher}"]`);
  return video ? video.getVideoPlaybackQuality().totalVideoFrames : -1;
}"""


def example() -> str:
    """The page, cut out of the document."""
    found = re.search(r"```html\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@pytest_asyncio.fixture(loop_scope="session")
async def example_url() -> AsyncIterator[str]:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text=example(), content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def called(
    chromium: Browser, url: str, server: Server, room: str, identity: str
) -> AsyncIterator[Page]:
    context = await chromium.new_context()
    try:
        page = await context.new_page()
        await page.add_init_script(FAKE_MEDIA)
        query = urlencode({"url": server.url, "token": server.token(room, identity)})
        await page.goto(f"{url}?{query}")
        yield page
        warnings = await page.evaluate("log.filter((message) => message.type === 'error')")
        assert warnings == []
    finally:
        await context.close()


async def shows(page: Page, publisher: str, frames: int = 10) -> None:
    before = int(await page.evaluate(FRAMES, publisher))

    async def shown() -> bool:
        return int(await page.evaluate(FRAMES, publisher)) >= max(before, 0) + frames

    await eventually(shown, f"{frames} frames of {publisher}")


def test_it_is_short() -> None:
    assert len(example().splitlines()) <= 110


async def test_two_pages_see_each_other(
    chromium: Browser, example_url: str, server: Server, room: str
) -> None:
    async with (
        called(chromium, example_url, server, room, "ann") as ann,
        called(chromium, example_url, server, room, "ben") as ben,
    ):
        await shows(ann, "ben")
        await shows(ben, "ann")
        assert await ben.evaluate("[...people.keys()]") == ["ann"]
        await ann.evaluate("""send({
            type: "unpublish_track", track_id: log.find((one) => one.id === "video").track_id
        })""")
        await eventually(lambda: ben.evaluate("!document.querySelector('video')"), "the video gone")
        await ann.evaluate("socket.close()")
        await eventually(lambda: ben.evaluate("people.size === 0"), "ann gone")


async def test_a_page_meets_the_sdk(
    chromium: Browser, example_url: str, server: Server, room: str, join: Join
) -> None:
    async with join("sdk") as sdk, called(chromium, example_url, server, room, "page") as page:
        await sdk.publish_video(shade=180)
        await sdk.publish_tone(440)
        await shows(page, "sdk")
        await (await sdk.audio_of("page")).hears(660)
        video = await sdk.video_of("page")
        await eventually(lambda: video.frames > 10, "frames of the page")
        assert video.size == (320, 180)
        await page.evaluate("""send({ type: "send_data", data: "hello", topic: "chat" })""")
        (packet,) = await sdk.hears("data_received")
        assert (packet.data, packet.topic, packet.participant.identity) == (b"hello", "chat", "page")
        await sdk.me.publish_data(b"welcome", topic="chat")
        found = "log.filter((one) => one.type === 'data').map((one) => [one.from, one.data])"
        await eventually(lambda: page.evaluate(f"{found}.length"), "the data")
        assert await page.evaluate(found) == [["sdk", "welcome"]]


async def test_a_page_is_moved_to_another_room(
    chromium: Browser, example_url: str, server: Server, room: str, join: Join
) -> None:
    """Over the connections that it has: it hears of it, and media goes on with others."""
    hall = f"{room}-hall"
    async with join("sdk") as sdk, called(chromium, example_url, server, hall, "page") as page:
        await sdk.publish_video(shade=180)
        await eventually(lambda: page.evaluate("peer && peer.connectionState === 'connected'"), "media")
        async with api.LiveKitAPI(server.http_url, server.api_key, server.api_secret) as admin:
            wish = api.MoveParticipantRequest(room=hall, identity="page", destination_room=room)
            await admin.room.move_participant(wish)
        await shows(page, "sdk")
        await (await sdk.audio_of("page")).hears(660)
        (moved,) = await page.evaluate("log.filter((one) => one.type === 'room_moved')")
        assert (moved["room_id"], moved["room"]["room_id"]) == (hall, room)
        assert [one["identity"] for one in moved["participants"]] == ["sdk"]
        await page.evaluate(f"send({{ type: 'send_data', data: 'here', room_id: '{room}', id: 1 }})")
        (packet,) = await sdk.hears("data_received")
        assert packet.participant.identity == "page"
        assert (await page.evaluate("log.find((one) => one.id === 1)"))["room_id"] == room
