import pytest

from tests.harness.browser import JoinInBrowser
from tests.harness.clients import Join
from tests.harness.plain_client import JoinPlainly

MODES = [("v1", "v1"), ("v0", "v1"), ("v1", "v0")]


@pytest.mark.parametrize(("join", "browse"), MODES, indirect=True)
async def test_the_sdk_and_a_browser(join: Join, browse: JoinInBrowser) -> None:
    async with join("sdk") as sdk, browse("browser") as browser:
        await sdk.publish_video(shade=60, simulcast=True)
        await sdk.publish_tone(440)
        await browser.publish_video(shade=200)
        await browser.publish_tone(880)
        await (await sdk.video_of("browser")).shows(200)
        await (await sdk.audio_of("browser")).hears(880)
        await browser.shows("sdk", 60)
        await browser.hears_tone("sdk", 440)
        await sdk.me.publish_data(b"from sdk")
        await browser.hears("dataReceived", lambda data, *_: data == "from sdk")
        await browser.do("publishData", "from browser", {"reliable": True})
        await sdk.hears("data_received", lambda packet: packet.data == b"from browser")


@pytest.mark.parametrize(("join", "join_plainly"), MODES, indirect=True)
async def test_the_sdk_and_a_plain_client(join: Join, join_plainly: JoinPlainly) -> None:
    async with join("sdk") as sdk, join_plainly("plain") as plain:
        await sdk.publish_video(shade=60)
        await sdk.publish_tone(440)
        await plain.publish_video(shade=200)
        await plain.publish_tone(880)
        await (await sdk.video_of("plain")).shows(200)
        await (await sdk.audio_of("plain")).hears(880)
        await (await plain.video_of("sdk")).shows(60)
        await (await plain.audio_of("sdk")).hears(440)
        await sdk.me.publish_data(b"from sdk")
        await plain.hears_data(b"from sdk")
        plain.publish_data(b"from plain")
        await sdk.hears("data_received", lambda packet: packet.data == b"from plain")


@pytest.mark.parametrize(("browse", "join_plainly"), MODES, indirect=True)
async def test_a_browser_and_a_plain_client(browse: JoinInBrowser, join_plainly: JoinPlainly) -> None:
    async with browse("browser") as browser, join_plainly("plain") as plain:
        await browser.publish_video(shade=60)
        await browser.publish_tone(440)
        await plain.publish_video(shade=200)
        await plain.publish_tone(880)
        await browser.shows("plain", 200)
        await browser.hears_tone("plain", 880)
        await (await plain.video_of("browser")).shows(60)
        await (await plain.audio_of("browser")).hears(440)
        await browser.do("publishData", "from browser", {"reliable": True})
        await plain.hears_data(b"from browser")
        plain.publish_data(b"from plain")
        await browser.hears("dataReceived", lambda data, *_: data == "from plain")
