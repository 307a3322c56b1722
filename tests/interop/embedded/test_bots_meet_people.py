"""Participants inside the server, with the PyPI SDK's as the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hubbub import Config, Server, configure
from hubbub.embedded import LocalAudioTrack, Room
from tests.harness.clients import SdkClient
from tests.harness.eventually import eventually
from tests.harness.media import SAMPLE_RATE_HZ, Ear, Tone

KEY, SECRET = "key", "a-secret-that-is-long-enough-for-anybody"


def config() -> Config:
    options = {"development": True, "bind_addresses": ["127.0.0.1"], "port": 0, "keys": {KEY: SECRET}}
    return configure(options | {"rtc.udp_port": 0, "rtc.tcp_port": 0, "rtc.node_ip": "127.0.0.1"})


@asynccontextmanager
async def kitchen() -> AsyncIterator[tuple[Room, SdkClient]]:
    """A room of a server in this very loop, with Ann in it."""
    async with Server(config()) as server:
        room = server.rooms.create("kitchen")
        ann = SdkClient()
        await ann.room.connect(server.url.replace("http", "ws").rstrip("/"), room.token("ann"))
        try:
            yield room, ann
        finally:
            await ann.leave()


async def hum(track: LocalAudioTrack, frequency_hz: float) -> None:
    tone = Tone(frequency_hz)
    while True:
        await track.write(tone.next(SAMPLE_RATE_HZ // 10))


async def listen(frames: AsyncIterator[Any], ear: Ear) -> None:
    async for frame in frames:
        ear.take(frame.to_ndarray().reshape(-1))


async def test_tones_are_heard_both_ways() -> None:
    async with (
        kitchen() as (room, ann),
        await room.join("bot", name="Bot", attributes={"mood": "good"}) as bot,
    ):
        track = await bot.publish_audio(name="voice")
        humming = asyncio.create_task(hum(track, 440))
        await (await ann.audio_of("bot")).hears(440)
        assert ann.other("bot").name == "Bot"
        assert ann.other("bot").attributes == {"mood": "good"}

        ear = Ear()
        listening = asyncio.create_task(listen(bot.audio("ann"), ear))
        await ann.publish_tone(880)
        await eventually(lambda: ear.hears(880), lambda: f"880 Hz, not {ear.frequency_hz}")
        humming.cancel()
        await bot.leave()
        await listening
        await eventually(lambda: ann.other("bot") is None)
