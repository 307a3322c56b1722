"""A participant through livekit-client in headless Chromium, steered by the page in ``interop/page``."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, async_playwright

from tests.harness.eventually import PATIENCE_S, eventually
from tests.harness.listening import listening
from tests.harness.media import SHADE_TOLERANCE, TONE_TOLERANCE_HZ
from tests.harness.npm import install
from tests.harness.server import Server

PAGE = Path(__file__).resolve().parents[1] / "interop" / "page"
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",  # else headless Chromium gathers no 127.0.0.1 candidate
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
]

Anything = Callable[..., object]


@asynccontextmanager
async def served_page() -> AsyncIterator[str]:
    """Serve the page and its scripts from disk on a free loopback port; the URL."""
    install(PAGE)
    app = web.Application()
    app.router.add_static("/", PAGE)
    async with listening(app) as port:
        yield f"http://127.0.0.1:{port}/index.html"


@asynccontextmanager
async def running_chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = await playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


class BrowserClient:
    """One page with one livekit-client room. Tracks are named by participant and source."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.sid = ""

    async def do(self, method: str, *args: Any) -> Any:
        """Call a method of the page's ``peer`` (see driver.js). Raises playwright's Error with the page's."""
        return await self.page.evaluate("([method, args]) => peer[method](...args)", [method, list(args)])

    # --- events

    async def heard(self, name: str, where: Anything = lambda *_: True) -> list[Any]:
        """The arguments of every event ``name`` (a livekit-client RoomEvent) so far, as plain data."""
        events = await self.page.evaluate("peer.events")
        return [args for event, args in events if event == name and where(*args)]

    async def hears(
        self, name: str, where: Anything = lambda *_: True, *, within_s: float = PATIENCE_S
    ) -> Any:
        """Wait for the first event ``name`` for which ``where`` holds, past ones included."""
        return (await eventually(lambda: self.heard(name, where), f"event {name}", within_s=within_s))[0]

    async def forget(self) -> None:
        """Start waiting for events afresh."""
        await self.page.evaluate("peer.events.length = 0")

    async def sees(self, identity: str) -> dict[str, Any]:
        """Wait until that participant is there and connected; its identity, sid and attributes."""

        async def found() -> list[dict[str, Any]]:
            others = await self.do("others")
            return [other for other in others if other["identity"] == identity and other["active"]]

        others: list[dict[str, Any]] = await eventually(found, f"participant {identity}")
        return others[0]

    # --- media

    async def publish_video(
        self,
        size: tuple[int, int] = (640, 360),
        *,
        shade: int = 128,
        fps: int = 15,
        codec: str = "vp8",
        simulcast: bool = True,
        source: str = "camera",
        **options: Any,
    ) -> str:
        """Publish a moving picture; the track's sid. ``options`` are livekit-client's TrackPublishOptions."""
        film = {"width": size[0], "height": size[1], "fps": fps, "shade": shade}
        options = {"videoCodec": codec, "simulcast": simulcast, "source": source} | options
        options.setdefault("degradationPreference", "maintain-resolution")  # also on a busy machine
        return str(await self.do("publishVideo", film | options))

    async def publish_tone(self, frequency_hz: float, *, source: str = "microphone", **options: Any) -> str:
        return str(await self.do("publishTone", frequency_hz, {"source": source} | options))

    async def shows(
        self,
        identity: str,
        shade: int,
        *,
        source: str = "camera",
        frames: int = 10,
        within_s: float = PATIENCE_S,
    ) -> None:
        """Wait for ``frames`` more decoded frames of a track, the last of that shade."""
        before = await self.do("video", identity, source)
        goal = (before["frames"] if before else 0) + frames
        seen: list[Any] = []

        async def shown() -> bool:
            seen[:] = [await self.do("video", identity, source)]
            video = seen[0]
            return bool(video) and video["frames"] >= goal and abs(video["shade"] - shade) <= SHADE_TOLERANCE

        await eventually(shown, lambda: f"{frames} frames of shade {shade}, not {seen}", within_s=within_s)

    async def becomes(
        self, identity: str, size: tuple[int, int], *, source: str = "camera", within_s: float = PATIENCE_S
    ) -> None:
        """Wait until the decoded frames of a track have that size."""
        seen: list[Any] = []

        async def sized() -> bool:
            seen[:] = [await self.do("video", identity, source)]
            return bool(seen[0]) and tuple(seen[0]["size"]) == size

        await eventually(sized, lambda: f"frames of {size}, not {seen}", within_s=within_s)

    async def hears_tone(
        self, identity: str, frequency_hz: float, *, source: str = "microphone", within_s: float = PATIENCE_S
    ) -> None:
        """Wait until a track sounds at that frequency, or is silent if it is 0."""

        async def heard() -> bool:
            return abs(float(await self.do("tone", identity, source)) - frequency_hz) <= TONE_TOLERANCE_HZ

        await eventually(heard, f"a tone of {frequency_hz} Hz from {identity}", within_s=within_s)


@asynccontextmanager
async def joined_in_browser(
    browser: Browser,
    page_url: str,
    server: Server,
    room: str,
    identity: str,
    *,
    single_pc: bool = True,
    options: dict[str, Any] | None = None,
    **token: Any,
) -> AsyncIterator[BrowserClient]:
    """A connected :class:`BrowserClient` in a browser context of its own.

    ``options`` are its RoomOptions and ``encryptionKey``; ``token`` goes to :meth:`Server.token`.
    """
    context = await browser.new_context()
    try:
        client = BrowserClient(await context.new_page())
        await client.page.goto(page_url)
        settings = {"singlePeerConnection": single_pc} | (options or {})
        client.sid = await client.do("connect", server.url, server.token(room, identity, **token), settings)
        yield client
        await client.do("disconnect")
    finally:
        await context.close()


JoinInBrowser = Callable[..., AbstractAsyncContextManager[BrowserClient]]
"""What the fixture ``browse`` gives: :func:`joined_in_browser` with server and room filled in."""

both_browser_modes = pytest.mark.parametrize("browse", ["v1", "v0"], indirect=True)
"""Run the test with one peer connection (``/rtc/v1``) and with two (``/rtc``)."""
