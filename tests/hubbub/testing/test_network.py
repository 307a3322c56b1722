"""A network that gets worse while people talk."""

import asyncio

import numpy as np
import pytest
from livekit import rtc

from hubbub.testing import Conditions, HubbubServer
from tests.harness.eventually import eventually


@pytest.mark.hubbub(network=True)
async def test_the_network_delays_and_cuts(hubbub: HubbubServer) -> None:
    async with _tone(hubbub) as heard:
        await eventually(lambda: heard.frames > 5)
        hubbub.network.impair(Conditions(latency_s=0.05, loss=0.05))
        before = heard.frames
        await eventually(lambda: heard.frames > before + 20)
        hubbub.network.cut()
        await asyncio.sleep(0.3)
        assert hubbub.running


class _Heard:
    def __init__(self) -> None:
        self.frames = 0


class _tone:  # noqa: N801 - reads as a function
    """Ann publishes a tone, Bob listens."""

    def __init__(self, server: HubbubServer) -> None:
        self._server = server
        self._rooms = (rtc.Room(), rtc.Room())
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> _Heard:
        ann, bob = self._rooms
        heard = _Heard()

        async def listen(track: rtc.Track) -> None:
            async for _ in rtc.AudioStream(track):
                heard.frames += 1

        @bob.on("track_subscribed")
        def _(track: rtc.Track, *_: object) -> None:
            self._tasks.append(asyncio.ensure_future(listen(track)))

        await bob.connect(self._server.url, self._server.token("kitchen", "bob"))
        await ann.connect(self._server.url, self._server.token("kitchen", "ann"))
        source = rtc.AudioSource(48_000, 1)
        await ann.local_participant.publish_track(rtc.LocalAudioTrack.create_audio_track("mic", source))

        async def speak() -> None:
            samples = (np.sin(np.arange(480) / 8) * 8000).astype(np.int16)
            while True:
                await source.capture_frame(rtc.AudioFrame(samples.tobytes(), 48_000, 1, 480))

        self._tasks.append(asyncio.ensure_future(speak()))
        return heard

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        for room in self._rooms:
            await room.disconnect()
