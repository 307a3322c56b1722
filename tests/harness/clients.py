"""A participant through the PyPI ``livekit`` SDK (libwebrtc inside), with all that it hears written down."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from typing import Any, get_args

import numpy as np
import pytest
from livekit import rtc
from livekit.rtc.room import EventTypes

from tests.harness.eventually import PATIENCE_S, eventually
from tests.harness.media import SAMPLE_RATE_HZ, SHADE_TOLERANCE, Ear, Tone, picture, shade_of
from tests.harness.server import Server

Anything = Callable[..., object]

CODECS = {
    "vp8": rtc.VideoCodec.VP8,
    "vp9": rtc.VideoCodec.VP9,
    "h264": rtc.VideoCodec.H264,
    "av1": rtc.VideoCodec.AV1,
    "h265": rtc.VideoCodec.H265,
}
ACTIVE = rtc.ParticipantState.PARTICIPANT_STATE_ACTIVE
AUDIO_CHUNK_S = 0.02
SILENCE_PEAK = 100
SILENCE_S = 0.5


class SdkClient:
    """One ``rtc.Room``: publishing synthetic media, and waiting for events and media of others."""

    def __init__(self) -> None:
        self.room = rtc.Room()
        self.events: list[tuple[str, tuple[Any, ...]]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._sinks: list[VideoSink | AudioSink] = []
        for name in get_args(EventTypes):
            self.room.on(name, partial(self._heard, name))

    def _heard(self, name: str, *args: Any) -> None:
        self.events.append((name, args))

    @property
    def me(self) -> Any:
        """The ``rtc.LocalParticipant``."""
        return self.room.local_participant

    def other(self, identity: str) -> Any:
        """The ``rtc.RemoteParticipant`` of that identity, or None."""
        return self.room.remote_participants.get(identity)

    async def connect(self, server: Server, token: str, **options: Any) -> None:
        """Join; ``options`` are fields of ``rtc.RoomOptions``. Raises ``rtc.ConnectError``."""
        await self.room.connect(server.url, token, rtc.RoomOptions(**options))

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for sink in self._sinks:
            await sink.close()
        await self.room.disconnect()

    # --- events

    def heard(self, name: str, where: Anything = lambda *_: True) -> list[tuple[Any, ...]]:
        """The arguments of every event ``name`` so far for which ``where`` holds."""
        return [args for event, args in self.events if event == name and where(*args)]

    async def hears(
        self, name: str, where: Anything = lambda *_: True, *, within_s: float = PATIENCE_S
    ) -> Any:
        """Wait for the first event ``name`` for which ``where`` holds, past ones included."""
        found = await eventually(
            lambda: self.heard(name, where), lambda: self._missing(name), within_s=within_s
        )
        return found[0]

    def _missing(self, name: str) -> str:
        return f"event {name} among {[event for event, _ in self.events]}"

    async def sees(self, identity: str, *, within_s: float = PATIENCE_S) -> Any:
        """Wait until that participant is there and connected; its ``rtc.RemoteParticipant``."""

        def found() -> Any:
            other = self.other(identity)
            return other if other and other.state == ACTIVE else None

        return await eventually(found, f"participant {identity}", within_s=within_s)

    async def publication_of(
        self, identity: str, kind: str = "video", *, within_s: float = PATIENCE_S
    ) -> Any:
        """Wait for a publication of that participant and kind (``audio`` or ``video``)."""
        wanted = rtc.TrackKind.Value(f"KIND_{kind.upper()}")

        def published() -> Any:
            participant = self.other(identity)
            found = participant.track_publications.values() if participant else ()
            return next((publication for publication in found if publication.kind == wanted), None)

        return await eventually(published, f"{kind} publication of {identity}", within_s=within_s)

    async def transport_protocol(self) -> str:
        """``udp`` or ``tcp``: what the selected candidate pair of the first connected transport runs over."""
        stats = await self.room.get_rtc_stats()
        every = [*stats.publisher_stats, *stats.subscriber_stats]
        remote = {item.remote_candidate.rtc.id: item.remote_candidate.candidate for item in every}
        pairs = {item.candidate_pair.rtc.id: item.candidate_pair.candidate_pair for item in every}
        chosen = (item.transport.transport.selected_candidate_pair_id for item in every)
        return next(str(remote[pairs[pair].remote_candidate_id].protocol) for pair in chosen if pair)

    # --- publishing

    async def publish_video(
        self,
        size: tuple[int, int] = (320, 180),
        *,
        shade: int = 128,
        fps: int = 15,
        codec: str = "vp8",
        simulcast: bool = False,
        source: int = rtc.TrackSource.SOURCE_CAMERA,
        name: str = "camera",
        **options: Any,
    ) -> Any:
        """Publish a moving picture of that shade; its ``rtc.LocalTrackPublication``."""
        video = rtc.VideoSource(*size)
        track = rtc.LocalVideoTrack.create_video_track(name, video)
        self._start(_film(video, size, shade, fps))
        options = {"video_codec": CODECS[codec], "simulcast": simulcast, "source": source} | options
        return await self.me.publish_track(track, rtc.TrackPublishOptions(**options))

    async def publish_tone(
        self,
        frequency_hz: float = 440,
        *,
        source: int = rtc.TrackSource.SOURCE_MICROPHONE,
        name: str = "microphone",
        **options: Any,
    ) -> Any:
        """Publish a sine of that frequency; its ``rtc.LocalTrackPublication``."""
        audio = rtc.AudioSource(SAMPLE_RATE_HZ, 1, queue_size_ms=100)
        track = rtc.LocalAudioTrack.create_audio_track(name, audio)
        self._start(_hum(audio, frequency_hz))
        return await self.me.publish_track(track, rtc.TrackPublishOptions(source=source, **options))

    def _start(self, pump: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(pump))

    # --- receiving

    async def video_of(self, identity: str, *, within_s: float = PATIENCE_S) -> "VideoSink":
        """Wait until a video track of that participant is subscribed, and watch it."""
        return self.watch(await self._track_of(identity, rtc.TrackKind.KIND_VIDEO, within_s))

    async def audio_of(self, identity: str, *, within_s: float = PATIENCE_S) -> "AudioSink":
        """Wait until an audio track of that participant is subscribed, and listen to it."""
        return self.listen(await self._track_of(identity, rtc.TrackKind.KIND_AUDIO, within_s))

    def watch(self, track: Any) -> "VideoSink":
        sink = VideoSink(track)
        self._sinks.append(sink)
        return sink

    def listen(self, track: Any) -> "AudioSink":
        sink = AudioSink(track)
        self._sinks.append(sink)
        return sink

    async def _track_of(self, identity: str, kind: int, within_s: float) -> Any:
        def subscribed() -> Any:
            participant = self.other(identity)
            found = participant.track_publications.values() if participant else ()
            return next((item.track for item in found if item.kind == kind and item.track), None)

        return await eventually(subscribed, f"subscribed track of {identity}", within_s=within_s)


async def _film(video: Any, size: tuple[int, int], shade: int, fps: int) -> None:
    loop = asyncio.get_running_loop()
    start, number = loop.time(), 0
    while True:
        i420 = picture(*size, shade, number)
        video.capture_frame(rtc.VideoFrame(*size, rtc.VideoBufferType.I420, i420))
        number += 1
        await asyncio.sleep(max(start + number / fps - loop.time(), 0))


async def _hum(audio: Any, frequency_hz: float) -> None:
    tone, count = Tone(frequency_hz), int(AUDIO_CHUNK_S * SAMPLE_RATE_HZ)
    while True:
        await audio.capture_frame(rtc.AudioFrame(tone.next(count).tobytes(), SAMPLE_RATE_HZ, 1, count))


class VideoSink:
    """Counts the decoded frames of a track and remembers the last one's size and shade."""

    def __init__(self, track: Any) -> None:
        self.frames = 0
        self.size = (0, 0)
        self.shade = 0.0
        self._stream = rtc.VideoStream(track, capacity=1, format=rtc.VideoBufferType.I420)
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async for event in self._stream:
            frame = event.frame
            self.frames += 1
            self.size = (frame.width, frame.height)
            luma = np.frombuffer(frame.data, np.uint8, frame.width * frame.height)
            self.shade = shade_of(luma.reshape(frame.height, frame.width))

    async def shows(self, shade: int, *, frames: int = 10, within_s: float = PATIENCE_S) -> None:
        """Wait for ``frames`` more frames, the last of that shade."""
        goal = self.frames + frames

        def seen() -> bool:
            return self.frames >= goal and abs(self.shade - shade) <= SHADE_TOLERANCE

        await eventually(
            seen, partial("{} frames of shade {}, not {}".format, frames, shade, self), within_s=within_s
        )

    async def becomes(self, size: tuple[int, int], *, within_s: float = PATIENCE_S) -> None:
        """Wait until frames have that size."""
        await eventually(
            lambda: self.size == size, lambda: f"frames of {size}, not {self}", within_s=within_s
        )

    def __repr__(self) -> str:
        return f"<{self.frames} frames, last {self.size} of shade {self.shade:.0f}>"

    async def close(self) -> None:
        await _end(self._task, self._stream)


class AudioSink:
    """Listens to a track."""

    def __init__(self, track: Any) -> None:
        self.ear = Ear()
        self._loud_at = 0.0
        self._stream = rtc.AudioStream(track, sample_rate=SAMPLE_RATE_HZ, num_channels=1)
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async for event in self._stream:
            samples = np.frombuffer(event.frame.data, np.int16).copy()
            self.ear.take(samples)
            if np.abs(samples).max(initial=0) > SILENCE_PEAK:
                self._loud_at = asyncio.get_running_loop().time()

    async def hears(self, frequency_hz: float, *, within_s: float = PATIENCE_S) -> None:
        """Wait for a clear tone of that frequency."""

        def wanted() -> str:
            return f"a tone of {frequency_hz} Hz, not {self.ear.frequency_hz:.0f} Hz"

        await eventually(lambda: self.ear.hears(frequency_hz), wanted, within_s=within_s)

    async def falls_silent(self, *, within_s: float = PATIENCE_S) -> None:
        """Wait until nothing audible has come for :data:`SILENCE_S`."""
        await eventually(lambda: not self.is_loud(), "silence", within_s=within_s)

    def is_loud(self) -> bool:
        """Whether anything audible came within the last :data:`SILENCE_S`."""
        return asyncio.get_running_loop().time() - self._loud_at <= SILENCE_S

    async def close(self) -> None:
        await _end(self._task, self._stream)


async def _end(task: "asyncio.Task[None]", stream: Any) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await stream.aclose()


@asynccontextmanager
async def joined(
    server: Server,
    room: str,
    identity: str,
    *,
    single_pc: bool = True,
    options: dict[str, Any] | None = None,
    **token: Any,
) -> AsyncIterator[SdkClient]:
    """A connected :class:`SdkClient` that leaves at the end; ``token`` goes to :meth:`Server.token`."""
    client = SdkClient()
    settings = {"single_peer_connection": single_pc} | (options or {})
    await client.connect(server, server.token(room, identity, **token), **settings)
    try:
        yield client
    finally:
        await client.leave()


Join = Callable[..., AbstractAsyncContextManager[SdkClient]]
"""What the fixture ``join`` gives: :func:`joined` with the server and the room filled in."""

both_modes = pytest.mark.parametrize("join", ["v1", "v0"], indirect=True)
"""Run the test with one peer connection (``/rtc/v1``) and with two (``/rtc``)."""
