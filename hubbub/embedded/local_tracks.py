"""What a participant inside the server publishes: frames go in, packets go out at the pace of the media."""

import asyncio
import secrets
from typing import TYPE_CHECKING

from livekit.protocol import rtc

from media.opus import FRAME_SAMPLES, SAMPLE_RATE, OpusEncoder
from media.pace import Pace
from media.pcm import Cutter, level_of
from media.vp8 import packetize
from media.vp8_codec import CLOCK_RATE, Vp8Encoder
from sfu.control import MediaKind
from sfu.tap import MAX_PAYLOAD_BYTES

from .errors import TrackClosed
from .resident import Resident

if TYPE_CHECKING:
    from media.frames import AudioFrame, Samples, VideoFrame

AUDIO_LATE_S = 0.1
"""A writer who is later than this has paused; one who is less late catches up."""


class LocalTrack:
    """What audio and video have in common."""

    kind: MediaKind

    def __init__(self, resident: Resident, request: rtc.AddTrackRequest) -> None:
        self._resident = resident
        self._request = request
        self._lock = asyncio.Lock()
        self._first_timestamp = secrets.randbits(31)
        self.sid = ""
        self.name = request.name
        self.muted = False
        """What is written while muted is dropped, in its time."""
        self.closed = False
        """Whether nothing can be written any more, whoever ended it."""

    async def publish(self) -> None:
        """Announce the track to the room. Raises NotPublished."""
        self._request.cid = f"resident-{secrets.token_hex(8)}"
        self.sid = await self._resident.publish(self._request, self.kind, self)

    def mute(self, muted: bool = True) -> None:
        """Tell everybody that nothing is to be heard or seen for now, or that it is again."""
        self.muted = muted
        self._resident.mute(self.sid, muted)

    def unmute(self) -> None:
        """The same as ``mute(False)``."""
        self.mute(False)

    def close(self) -> None:
        """Unpublish the track. Safe to call twice."""
        self.closed = True
        self._resident.unpublish(self._request.cid)

    def keyframe_wanted(self) -> None:
        """See Published."""

    def muted_by_server(self, muted: bool) -> None:
        """See Published."""
        self.muted = muted

    def ended(self) -> None:
        """See Published."""
        self.closed = True

    async def _wait(self, due_at: float) -> None:
        delay_s = due_at - asyncio.get_running_loop().time()
        if delay_s > 0:
            await asyncio.sleep(delay_s)
        if self.closed:
            raise TrackClosed(f"the track {self.name!r} is closed")


class LocalAudioTrack(LocalTrack):
    """Opus, in packets of 20 ms."""

    kind = MediaKind.AUDIO

    def __init__(
        self, resident: Resident, request: rtc.AddTrackRequest, sample_rate: int, channels: int
    ) -> None:
        super().__init__(resident, request)
        self._cutter = Cutter(sample_rate, channels, out_rate=SAMPLE_RATE, size=FRAME_SAMPLES)
        self._encoder = OpusEncoder(channels)
        self._pace = Pace(SAMPLE_RATE, late_s=AUDIO_LATE_S)

    async def write(self, sound: "AudioFrame | Samples | bytes | bytearray | memoryview") -> None:
        """Send sound: a frame, or int16 samples at the track's rate. Returns when the last of it is due.

        What does not fill 20 ms waits for more. Raises TrackClosed, or BadFrame for what is no such sound.
        """
        async with self._lock:
            await self._wait(0.0)
            for frame in self._cutter.feed(sound):
                due_at, ticks, paused = self._pace.place(frame.samples, asyncio.get_running_loop().time())
                await self._wait(due_at)
                payloads = self._encoder.encode(frame)
                if not self.muted:
                    timestamp = self._first_timestamp + ticks
                    self._resident.tap.send(
                        self._request.cid, payloads, timestamp, level=level_of(frame), first=paused
                    )


class LocalVideoTrack(LocalTrack):
    """VP8."""

    kind = MediaKind.VIDEO

    def __init__(
        self, resident: Resident, request: rtc.AddTrackRequest, fps: float, bitrate_bps: int
    ) -> None:
        super().__init__(resident, request)
        self._encoder = Vp8Encoder(request.width, request.height, fps, bitrate_bps)
        self._pace = Pace(CLOCK_RATE, late_s=0.0)
        self._ticks = round(CLOCK_RATE / fps)
        self._picture_id = secrets.randbits(15)
        self._keyframe_wanted = True

    def keyframe_wanted(self) -> None:
        """See Published."""
        self._keyframe_wanted = True

    async def write(self, picture: "VideoFrame") -> None:
        """Send a picture, scaled to the track's size, and no earlier than 1/fps after the one before.

        Raises TrackClosed.
        """
        async with self._lock:
            await self._wait(0.0)
            due_at, ticks, _ = self._pace.place(self._ticks, asyncio.get_running_loop().time())
            await self._wait(due_at)
            if self.muted:
                self._keyframe_wanted = True
                return
            keyframe, self._keyframe_wanted = self._keyframe_wanted, False
            encoded = await asyncio.to_thread(self._encoder.encode, picture, ticks, keyframe=keyframe)
            for data in encoded:
                self._picture_id = self._picture_id + 1 & 0x7FFF
                payloads = packetize(data, self._picture_id, MAX_PAYLOAD_BYTES)
                self._resident.tap.send(self._request.cid, payloads, self._first_timestamp + ticks)
