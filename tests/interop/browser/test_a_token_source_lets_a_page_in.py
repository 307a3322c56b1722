"""livekit-client's own ``TokenSource.endpoint`` gets its token from the server, and joins with it."""

from playwright.async_api import Browser

from hubbub.testing.plugin import StartHubbub
from tests.harness.eventually import eventually

OPTIONS = {"token_endpoint.path": "/api/token", "token_endpoint.rooms": ["kitchen"]}
JOIN = """async (url) => {
    const source = LivekitClient.TokenSource.endpoint(url);
    const options = { roomName: "kitchen", participantName: "Ann", participantAttributes: { mood: "good" } };
    const details = await source.fetch(options);
    window.room = new LivekitClient.Room();
    await window.room.connect(details.serverUrl, details.participantToken);
    return [window.room.name, window.room.localParticipant.name, window.room.localParticipant.attributes.mood];
}"""


async def test_a_page_joins(start_hubbub: StartHubbub, chromium: Browser, page_url: str) -> None:
    server = start_hubbub(options=OPTIONS)
    page = await chromium.new_page()
    try:
        await page.goto(page_url)
        assert await page.evaluate(JOIN, f"{server.http_url}/api/token") == ["kitchen", "Ann", "good"]
        await eventually(lambda: [one["name"] for one in server.participants("kitchen")] == ["Ann"])
        await page.evaluate("window.room.disconnect()")
    finally:
        await page.close()
