"""A participant made of aiortc and a WebSocket: what any WebRTC stack can do without a LiveKit SDK.

It starts with data channels alone and lets the server ask for media sections, so it takes paths that the SDKs
seldom take, who have spare recvonly sections.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest
from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.sdp import candidate_from_sdp
from av import AudioFrame, VideoFrame
from livekit.protocol import models, rtc

from tests.harness.eventually import PATIENCE_S, eventually
from tests.harness.media import SAMPLE_RATE_HZ, SHADE_TOLERANCE, Ear, Tone, picture, shade_of
from tests.harness.raw_signal import LIKE_JS, V0, V1, RawSignal, join_parameters, signalling
from tests.harness.server import Server

AUDIO_CHUNK_SAMPLES = 960


class PlainClient:
    """One session: ``publisher`` and ``subscriber`` are the same connection over ``/rtc/v1``."""

    def __init__(self, signal: RawSignal, joined: rtc.JoinResponse, *, single_pc: bool) -> None:
        self.signal = signal
        self.joined = joined
        self.packets: list[models.DataPacket] = []
        self.publisher = _connection()
        self.subscriber = self.publisher if single_pc else _connection()
        self.subscriber.on("track", self._on_track)
        self.subscriber.on("datachannel", self._on_channel)
        self._channels = {
            "_reliable": self.publisher.createDataChannel("_reliable"),
            "_lossy": self.publisher.createDataChannel("_lossy", ordered=False, maxRetransmits=0),
        }
        self._incoming: set[str] = set()
        if single_pc:
            for channel in self._channels.values():
                self._on_channel(channel)
        self._offer_id = 0
        self._negotiating = asyncio.Lock()
        self._sinks: dict[str, Picture | Sound] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self) -> None:
        """Negotiate, and wait until media and data can flow both ways."""
        self._spawn(self._follow())
        self._spawn(self._offer(lambda: None))
        await eventually(self._is_connected, "a connected plain client")

    def _is_connected(self) -> bool:
        states = {self.publisher.connectionState, self.subscriber.connectionState}
        up = {channel.readyState for channel in self._channels.values()}
        return states == {"connected"} and up == {"open"} and self._incoming >= set(self._channels)

    async def close(self) -> None:
        await self.signal.send(leave={"reason": models.DisconnectReason.CLIENT_INITIATED})
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.publisher.close()
        await self.subscriber.close()

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)

    # --- signalling

    async def negotiate(self, change: Callable[[], object]) -> None:
        """Change the sections of the publisher's (or single) connection, offer it and apply the answer."""
        await _up(self.publisher)
        await self._offer(change)

    async def _offer(self, change: Callable[[], object]) -> None:
        async with self._negotiating:
            change()
            self._offer_id += 1
            number = self._offer_id
            await self.publisher.setLocalDescription(await self.publisher.createOffer())
            sdp = self.publisher.localDescription.sdp
            await self.signal.send(offer={"type": "offer", "sdp": sdp, "id": number})
            answer = await self.signal.hears(
                "answer", lambda answer: answer.id == number, within_s=PATIENCE_S
            )
            await self.publisher.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))

    async def _follow(self) -> None:
        while True:
            frame = await self.signal.arriving.get()
            if frame.kind == "offer":
                await self._answer(frame.value)
            elif frame.kind == "trickle":
                await self._add_candidate(frame.value)
            elif frame.kind == "media_sections_requirement":
                self._spawn(self.negotiate(partial(self._add_sections, frame.value)))

    async def _answer(self, offer: rtc.SessionDescription) -> None:
        if self.subscriber.remoteDescription:
            await _up(self.subscriber)
        await self.subscriber.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
        await self.subscriber.setLocalDescription(await self.subscriber.createAnswer())
        sdp = self.subscriber.localDescription.sdp
        await self.signal.send(answer={"type": "answer", "sdp": sdp, "id": offer.id})

    async def _add_candidate(self, trickle: rtc.TrickleRequest) -> None:
        told = json.loads(trickle.candidateInit)
        candidate = candidate_from_sdp(told["candidate"].removeprefix("candidate:"))
        candidate.sdpMid, candidate.sdpMLineIndex = told["sdpMid"], told["sdpMLineIndex"]
        if trickle.target == rtc.SignalTarget.SUBSCRIBER:
            await self.subscriber.addIceCandidate(candidate)
        else:
            async with self._negotiating:  # after the answer that it belongs to
                await self.publisher.addIceCandidate(candidate)

    def _add_sections(self, wanted: rtc.MediaSectionsRequirement) -> None:
        for kind, count in (("audio", wanted.num_audios), ("video", wanted.num_videos)):
            for _ in range(count):
                self.publisher.addTransceiver(kind, direction="recvonly")

    # --- media

    async def publish_video(
        self, size: tuple[int, int] = (320, 180), *, shade: int = 128, fps: int = 15
    ) -> Any:
        """Publish a moving picture in VP8; its TrackInfo."""
        fields = {"type": models.TrackType.VIDEO, "source": models.TrackSource.CAMERA}
        fields |= {"width": size[0], "height": size[1]}
        return await self._publish(_Film(size, shade, fps), fields)

    async def publish_tone(self, frequency_hz: float, *, codec: str = "audio/opus") -> models.TrackInfo:
        """Publish a sine; its TrackInfo."""
        fields = {"type": models.TrackType.AUDIO, "source": models.TrackSource.MICROPHONE}
        return await self._publish(_Hum(frequency_hz), fields, codec)

    async def _publish(
        self, track: MediaStreamTrack, fields: dict[str, Any], codec: str = ""
    ) -> models.TrackInfo:
        await self.signal.send(add_track={"cid": track.id, "name": track.kind, **fields})
        published = await self.signal.hears(
            "track_published", lambda published: published.cid == track.id, within_s=PATIENCE_S
        )
        await self.negotiate(partial(self._add_track, track, codec))
        info: models.TrackInfo = published.track
        return info

    def _add_track(self, track: MediaStreamTrack, codec: str) -> None:
        transceiver = self.publisher.addTransceiver(track, direction="sendonly")
        if codec:
            known = RTCRtpReceiver.getCapabilities(track.kind).codecs
            transceiver.setCodecPreferences([item for item in known if item.mimeType.lower() == codec])

    def _on_track(self, track: MediaStreamTrack) -> None:
        sink = self._sinks[track.id] = Picture(track) if track.kind == "video" else Sound(track)
        self._spawn(sink.run())

    async def video_of(self, identity: str) -> "Picture":
        picture = await self._sink_of(identity, models.TrackType.VIDEO)
        assert isinstance(picture, Picture)
        return picture

    async def audio_of(self, identity: str) -> "Sound":
        sound = await self._sink_of(identity, models.TrackType.AUDIO)
        assert isinstance(sound, Sound)
        return sound

    async def _sink_of(self, identity: str, kind: int) -> "Picture | Sound":
        """Wait for a track of that participant: its sid in an update, then an m-line that carries the sid."""

        def arrived() -> list[Picture | Sound]:
            told = [*self.joined.other_participants]
            told += [info for update in self.signal.heard("update") for info in update.participants]
            tracks = [track for info in told if info.identity == identity for track in info.tracks]
            sids = [track.sid for track in tracks if track.type == kind]
            return [self._sinks[sid] for sid in sids if sid in self._sinks]

        return (await eventually(arrived, f"media of {identity}"))[0]

    # --- data

    def _on_channel(self, channel: RTCDataChannel) -> None:
        self._incoming.add(channel.label)
        channel.on("message", self._on_message)

    def _on_message(self, message: bytes) -> None:
        self.packets.append(models.DataPacket.FromString(message))

    def publish_data(self, payload: bytes, *, topic: str = "", channel: str = "_reliable") -> None:
        packet = models.DataPacket(user=models.UserPacket(payload=payload, topic=topic))
        self._channels[channel].send(packet.SerializeToString())

    async def hears_data(self, payload: bytes) -> models.DataPacket:
        def found() -> models.DataPacket | None:
            return next((packet for packet in self.packets if packet.user.payload == payload), None)

        packet = await eventually(found, lambda: f"data {payload!r} among {self.packets}")
        assert packet is not None
        return packet


def _connection() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


async def _up(connection: RTCPeerConnection) -> None:
    """Wait for the connection: aiortc never starts a receiver that is negotiated while DTLS is under way."""
    await eventually(lambda: connection.connectionState == "connected", "a connection")


class _Film(MediaStreamTrack):  # type: ignore[misc]
    kind = "video"

    def __init__(self, size: tuple[int, int], shade: int, fps: int) -> None:
        super().__init__()
        self._size, self._shade, self._fps = size, shade, fps
        self._number, self._started_at = 0, asyncio.get_running_loop().time()

    async def recv(self) -> VideoFrame:
        due_at = self._started_at + self._number / self._fps
        await asyncio.sleep(max(due_at - asyncio.get_running_loop().time(), 0))
        width, height = self._size
        i420 = np.frombuffer(picture(width, height, self._shade, self._number), np.uint8)
        frame = VideoFrame.from_ndarray(i420.reshape(height * 3 // 2, width), format="yuv420p")
        frame.pts, frame.time_base = self._number * 90_000 // self._fps, Fraction(1, 90_000)
        self._number += 1
        return frame


class _Hum(MediaStreamTrack):  # type: ignore[misc]
    kind = "audio"

    def __init__(self, frequency_hz: float) -> None:
        super().__init__()
        self._tone = Tone(frequency_hz)
        self._sent, self._started_at = 0, asyncio.get_running_loop().time()

    async def recv(self) -> AudioFrame:
        due_at = self._started_at + self._sent / SAMPLE_RATE_HZ
        await asyncio.sleep(max(due_at - asyncio.get_running_loop().time(), 0))
        samples = self._tone.next(AUDIO_CHUNK_SAMPLES).reshape(1, -1)
        frame = AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, self._sent
        frame.time_base = Fraction(1, SAMPLE_RATE_HZ)
        self._sent += AUDIO_CHUNK_SAMPLES
        return frame


class Picture:
    """Counts the decoded frames of a track and remembers the last one's size and shade."""

    def __init__(self, track: MediaStreamTrack) -> None:
        self.frames, self.size, self.shade = 0, (0, 0), 0.0
        self._track = track

    async def run(self) -> None:
        with suppress(MediaStreamError):
            while True:
                frame = await self._track.recv()
                self.frames += 1
                self.size = (frame.width, frame.height)
                self.shade = shade_of(frame.to_ndarray(format="yuv420p")[: frame.height])

    async def shows(self, shade: int, *, frames: int = 10) -> None:
        goal = self.frames + frames
        await eventually(
            lambda: self.frames >= goal and abs(self.shade - shade) <= SHADE_TOLERANCE,
            lambda: f"{frames} frames of shade {shade}, not {self.frames} frames, last of {self.shade:.0f}",
        )


class Sound:
    """Listens to a track."""

    def __init__(self, track: MediaStreamTrack) -> None:
        self.ear = Ear()
        self._track = track

    async def run(self) -> None:
        with suppress(MediaStreamError):
            while True:
                frame = await self._track.recv()
                self.ear.sample_rate_hz = frame.sample_rate
                samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))
                self.ear.take(samples[:, 0].astype(np.int16))

    async def hears(self, frequency_hz: float) -> None:
        await eventually(
            lambda: self.ear.hears(frequency_hz),
            lambda: f"a tone of {frequency_hz} Hz, not {self.ear.frequency_hz:.0f} Hz",
        )


@asynccontextmanager
async def joined_plainly(
    server: Server, room: str, identity: str, *, single_pc: bool = True, **token: Any
) -> AsyncIterator[PlainClient]:
    """A connected :class:`PlainClient` that leaves at the end; ``token`` goes to :meth:`Server.token`."""
    path, parameters = (V1, join_parameters()) if single_pc else (V0, LIKE_JS)
    async with signalling(server, server.token(room, identity, **token), path, parameters) as signal:
        client = PlainClient(signal, await signal.hears("join", within_s=PATIENCE_S), single_pc=single_pc)
        try:
            await client.connect()
            yield client
        finally:
            await client.close()


JoinPlainly = Callable[..., AbstractAsyncContextManager[PlainClient]]
"""What the fixture ``join_plainly`` gives: :func:`joined_plainly` with server and room filled in."""

both_plain_modes = pytest.mark.parametrize("join_plainly", ["v1", "v0"], indirect=True)
"""Run the test with one peer connection (``/rtc/v1``) and with two (``/rtc``)."""
