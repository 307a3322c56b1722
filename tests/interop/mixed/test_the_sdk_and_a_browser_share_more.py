import asyncio
from typing import Any

from livekit import rtc

from tests.harness.browser import JoinInBrowser
from tests.harness.clients import Join
from tests.harness.eventually import PATIENCE_S, eventually

KEY = "the shared key"


async def test_encrypted_media_both_ways(join: Join, browse: JoinInBrowser) -> None:
    keys = rtc.KeyProviderOptions(shared_key=KEY.encode())
    encrypted = {"encryption": rtc.E2EEOptions(key_provider_options=keys)}
    async with (
        join("sdk", options=encrypted) as sdk,
        browse("browser", options={"encryptionKey": KEY}) as browser,
    ):
        await sdk.publish_video(shade=60)
        await sdk.publish_tone(440)
        await browser.publish_video(shade=200)
        await browser.publish_tone(880)
        await browser.shows("sdk", 60)
        await browser.hears_tone("sdk", 440)
        await (await sdk.video_of("browser")).shows(200)
        await (await sdk.audio_of("browser")).hears(880)


async def test_calls_and_texts_both_ways(join: Join, browse: JoinInBrowser) -> None:
    async with join("sdk") as sdk, browse("browser") as browser:
        await asyncio.gather(sdk.sees("browser"), browser.sees("sdk"))
        sdk.me.register_rpc_method("shout", lambda call: call.payload.upper())
        answer = await sdk.me.perform_rpc(destination_identity="browser", method="echo", payload="hi")
        assert answer == "sdk: hi"
        call = {"destinationIdentity": "sdk", "method": "shout", "payload": "hi"}
        assert await browser.do("performRpc", call) == "HI"
        texts: asyncio.Queue[str] = asyncio.Queue()
        tasks: set[asyncio.Task[None]] = set()

        async def read(reader: Any) -> None:
            texts.put_nowait(await reader.read_all())

        sdk.room.register_text_stream_handler(
            "chat", lambda reader, _: tasks.add(asyncio.create_task(read(reader)))
        )
        await browser.do("sendText", "from browser", {"topic": "chat"})
        assert await asyncio.wait_for(texts.get(), PATIENCE_S) == "from browser"
        await sdk.me.send_text("from sdk", topic="chat")
        await eventually(lambda: browser.page.evaluate("peer.texts.length"), "the text")
        assert await browser.page.evaluate("peer.texts") == [["sdk", "from sdk"]]


async def test_a_browser_chooses_the_layer_of_the_sdk(join: Join, browse: JoinInBrowser) -> None:
    async with join("sdk") as sdk, browse("browser") as browser:
        await sdk.publish_video((960, 540), fps=10, shade=180, simulcast=True)
        await browser.becomes("sdk", (960, 540))
        await browser.do("setVideoDimensions", "sdk", "camera", 320, 180)
        await browser.becomes("sdk", (320, 180))
        await browser.shows("sdk", 180)


async def test_the_sdk_chooses_the_layer_of_a_browser(join: Join, browse: JoinInBrowser) -> None:
    async with join("sdk") as sdk, browse("browser") as browser:
        await browser.publish_video((640, 360), shade=180)
        video = await sdk.video_of("browser")
        await video.becomes((640, 360))
        publication = await sdk.publication_of("browser")
        publication.set_video_quality(rtc.VideoQuality.VIDEO_QUALITY_LOW)
        await video.becomes((320, 180))
        await video.shows(180)
