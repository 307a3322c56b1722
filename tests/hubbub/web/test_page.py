"""The page as people use it: two browser windows with cameras and microphones, and a real server."""

import asyncio
import math
import shutil
import struct
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, WebSocketRoute, async_playwright, expect

from hubbub.web import build
from tests.harness.browser import CHROMIUM_FLAGS
from tests.harness.server import Server, running_server

pytestmark = pytest.mark.interop

PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 760}
MEDIA_MS = 15_000
"""How long sound and picture may take to arrive, on a busy machine."""

Enter = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="module")
def hubbub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server in dev mode that has the page."""
    fingerprint = build.source_hash()
    if not build.is_built(fingerprint):
        build.build(fingerprint)
    with running_server(tmp_path_factory.mktemp("server")) as server:
        if not server.is_hubbub:
            pytest.skip("another server has no page")
        yield server
        assert "Traceback" not in server.log()


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    """Chromium whose camera shows a clock and whose microphone hears a voice-like tone."""
    flags = [
        *CHROMIUM_FLAGS,
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={write_tone(tmp_path / 'tone.wav')}",
    ]
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        yield chromium
        await chromium.close()


@pytest.fixture
async def enter(browser: Browser, hubbub: Server, room: str) -> AsyncIterator[Enter]:
    """Open the page's lobby as somebody. No window may log an error or break the page's own policy."""
    errors: list[str] = []

    async def open_page(name: str, *, viewport: dict[str, int] = DESKTOP, query: str | None = None) -> Page:
        context = await browser.new_context(viewport=viewport, permissions=["camera", "microphone"])  # type: ignore[arg-type]
        page = await context.new_page()
        page.on("pageerror", lambda error: errors.append(f"{name}: {error}"))
        page.on("console", lambda entry: note(name, entry))
        await page.goto(f"{hubbub.http_url}/" + (query or f"?room={room}&name={name}"))
        return page

    def note(name: str, entry: Any) -> None:
        if entry.type == "error" and "Security Policy" in entry.text:
            errors.append(f"{name}: {entry.text}")

    yield open_page
    assert errors == []


async def join(page: Page) -> Page:
    await page.get_by_role("button", name="Join").click()
    await expect(page.locator(".call")).to_be_visible(timeout=MEDIA_MS)
    return page


async def plays(page: Page, label: str) -> None:
    """Wait until the picture of that label moves."""
    video = page.get_by_label(label)
    await expect(video).to_be_visible(timeout=MEDIA_MS)
    await page.wait_for_function(
        "label => { const v = document.querySelector(`video[aria-label='${label}']`);"
        " return v && v.videoWidth > 0 && v.currentTime > 0.3; }",
        arg=label,
        timeout=MEDIA_MS,
    )


async def test_two_people_call(enter: Enter) -> None:
    ann, bob = await enter("Ann"), await enter("Bob", viewport=PHONE)
    await plays(ann, "Your camera")
    await join(ann)
    await expect(ann.get_by_text("Nobody else is here yet.")).to_be_visible()
    await join(bob)
    await plays(ann, "Camera of Bob")
    await plays(bob, "Camera of Ann")
    await bob.wait_for_function(
        "() => [...document.querySelectorAll('audio')].some(a => !a.paused && a.currentTime > 0.3)",
        timeout=MEDIA_MS,
    )
    await expect(ann.locator(".tile.speaking", has_text="Bob")).to_be_visible(timeout=MEDIA_MS)

    await ann.get_by_role("button", name="Mute", exact=True).click()
    await expect(bob.get_by_role("article", name="Ann, muted")).to_be_visible()
    await ann.get_by_role("button", name="Stop camera").click()
    await expect(bob.get_by_role("article", name="Ann, muted, camera off")).to_be_visible()
    await ann.get_by_role("button", name="Start camera").click()
    await plays(bob, "Camera of Ann")

    await bob.get_by_role("button", name="Chat").click()
    await bob.get_by_label("Message to everybody").fill("<b>hello</b> & good-bye")
    await bob.get_by_role("button", name="Send").click()
    await expect(ann.get_by_role("button", name="Chat 1 unread")).to_be_visible()
    await ann.get_by_role("button", name="Chat").click()
    await expect(ann.get_by_role("log")).to_contain_text("<b>hello</b> & good-bye")
    await expect(bob.get_by_role("log")).to_contain_text("You")

    await ann.get_by_role("button", name="People").click()
    await expect(ann.get_by_role("heading", name="People (2)")).to_be_visible()
    await bob.get_by_role("button", name="Close").click()
    await bob.get_by_role("button", name="Leave").click()
    await expect(bob.get_by_role("heading", name="You left the call")).to_be_visible()
    await expect(ann.get_by_role("heading", name="People (1)")).to_be_visible()
    await bob.get_by_role("button", name="Join again").click()
    await join(bob)
    await expect(ann.get_by_role("heading", name="People (2)")).to_be_visible()


async def test_a_screen_is_shared(enter: Enter) -> None:
    ann, bob = await join(await enter("Ann")), await join(await enter("Bob"))
    await ann.get_by_role("button", name="Share screen").click()
    await plays(bob, "Screen of Ann")
    await ann.get_by_role("button", name="Stop sharing").click()
    await expect(bob.get_by_label("Screen of Ann")).to_have_count(0)


async def test_an_interrupted_connection_is_told_and_comes_back(enter: Enter) -> None:
    ann, bob = await enter("Ann"), await join(await enter("Bob"))
    routes: list[WebSocketRoute] = []
    open_again = asyncio.Event()
    open_again.set()

    async def carry(route: WebSocketRoute) -> None:
        await open_again.wait()
        routes.append(route)
        route.connect_to_server()

    await ann.route_web_socket("**/rtc**", carry)
    await join(ann)
    await plays(bob, "Camera of Ann")
    open_again.clear()
    await routes[-1].close(code=1001)
    await expect(ann.get_by_text("Reconnecting…")).to_be_visible()
    open_again.set()
    await expect(ann.get_by_text("Reconnecting…")).to_have_count(0, timeout=MEDIA_MS)
    await ann.get_by_role("button", name="Mute", exact=True).click()
    await expect(bob.get_by_role("article", name="Ann, muted")).to_be_visible()


async def test_whoever_has_no_devices_joins_all_the_same(enter: Enter) -> None:
    page = await enter("Ann")
    await page.add_init_script(
        "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('none', 'NotFoundError'); }"
    )
    await page.reload()
    await expect(page.get_by_text("No camera was found.")).to_be_visible()
    await expect(page.get_by_text("No microphone was found.")).to_be_visible()
    await join(page)
    await page.get_by_role("button", name="Unmute").click()
    await expect(page.get_by_role("alert")).to_have_text("No microphone was found.")


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (403, "You need an invitation link to join on this server"),
        (400, "Something went wrong: that is no room"),
    ],
)
async def test_being_given_no_token_is_explained(enter: Enter, status: int, text: str) -> None:
    page = await enter("Ann")
    await page.route("**/dev/token*", lambda route: route.fulfill(status=status, body="that is no room"))
    await page.get_by_role("button", name="Join").click()
    await expect(page.get_by_role("alert")).to_contain_text(text)
    await expect(page.get_by_label("Your name")).to_have_value("Ann")


async def test_an_invitation_decides_room_and_name(enter: Enter, hubbub: Server, room: str) -> None:
    token = hubbub.token(room, "cy", name="Cý")
    page = await enter("Cy", query=f"#token={token}")
    await expect(page.get_by_label("Your name")).to_have_value("Cý")
    await expect(page.get_by_label("Room")).to_be_disabled()
    await join(page)
    await expect(page.get_by_role("heading", name=room)).to_be_visible()
    await expect(page.get_by_role("button", name="Copy link")).to_have_count(0)


async def test_a_bad_invitation_is_explained(enter: Enter, hubbub: Server, room: str) -> None:
    token = hubbub.token(room, "cy", ttl_s=-7200)
    page = await enter("Cy", query=f"#token={token}")
    await page.get_by_role("button", name="Join").click()
    await expect(page.get_by_role("alert")).to_contain_text("it has expired", timeout=MEDIA_MS)


async def test_an_invitation_used_twice_moves_the_call(enter: Enter, hubbub: Server, room: str) -> None:
    query = f"#token={hubbub.token(room, 'cy')}"
    first, second = await join(await enter("Cy", query=query)), await enter("Cy", query=query)
    await join(second)
    await expect(first.get_by_role("alert")).to_contain_text("another window")


async def test_it_fits_a_phone_and_every_button_has_a_name(enter: Enter) -> None:
    page = await enter("Ann", viewport=PHONE)
    await fits(page)
    await join(page)
    await fits(page)
    for panel in ("Chat", "People"):
        await page.get_by_role("button", name=panel).click()
        await fits(page)
        await page.get_by_role("button", name="Close").click()


async def fits(page: Page) -> None:
    """Nothing sticks out sideways, and nothing to press is nameless."""
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    buttons = page.get_by_role("button")
    for index in range(await buttons.count()):
        button = buttons.nth(index)
        box = await button.bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= PHONE["width"]
        await expect(button).not_to_have_accessible_name("")


def write_tone(path: Path) -> Path:
    """Four seconds of a tone that rises and falls in loudness, as speech does."""
    loudness = [12_000 if (sample // 2400) % 3 else 4000 for sample in range(4 * 48_000)]
    samples = (int(peak * math.sin(index * math.tau * 300 / 48_000)) for index, peak in enumerate(loudness))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return path
