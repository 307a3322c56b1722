"""A participant inside the server's process, without WebRTC: frames in, frames out.

::

    bot = await room.join("bot", name="Echo")
    track = await bot.publish_audio()
    async for frame in bot.audio("ann"):
        await track.write(frame)
"""

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from livekit.protocol import models, rtc

from . import reading
from .local_tracks import LocalAudioTrack, LocalVideoTrack
from .resident import Data, Resident

if TYPE_CHECKING:
    from media.frames import AudioFrame, VideoFrame

    from .rooms import Participant, Track

_SOURCES = tuple(name.lower() for name, _ in models.TrackSource.items())


class LocalParticipant:
    """Made by ``Room.join``; as a context manager it leaves at the end. Belongs to the server's event loop."""

    def __init__(self, resident: Resident) -> None:
        self._resident = resident
        self.identity = resident.session.participant.identity

    def __repr__(self) -> str:
        return f"<LocalParticipant {self.identity!r}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    @property
    def sid(self) -> str:
        """Its id in the room that it is in now."""
        return self._resident.session.participant.sid

    @property
    def room_name(self) -> str:
        """The room that it is in, or was last: it may be moved to another."""
        return self._resident.session.room.name

    @property
    def present(self) -> bool:
        """Whether it is (still) in the room."""
        return not self._resident.ended

    @property
    def info(self) -> models.ParticipantInfo:
        """Everything that the others are told of it, as LiveKit's message."""
        return self._resident.session.info()

    async def publish_audio(
        self,
        *,
        name: str = "audio",
        sample_rate: int = 48_000,
        channels: int = 1,
        source: str = "microphone",
    ) -> LocalAudioTrack:
        """Publish sound; ``sample_rate`` (Hz) and ``channels`` are of the raw samples that will be written.

        Raises NotPublished, or BadFrame for a rate or a number of channels that can't be.
        """
        request = rtc.AddTrackRequest(
            name=name, type=models.AUDIO, source=_source(source), stereo=channels == 2, disable_red=True
        )
        track = LocalAudioTrack(self._resident, request, sample_rate, channels)
        await track.publish()
        return track

    async def publish_video(
        self,
        width: int,
        height: int,
        fps: float = 30,
        *,
        name: str = "video",
        bitrate_bps: int = 0,
        source: str = "camera",
    ) -> LocalVideoTrack:
        """Publish pictures of this size; ``bitrate_bps`` 0 is what suits it. Raises NotPublished or BadFrame."""
        request = rtc.AddTrackRequest(
            name=name,
            type=models.VIDEO,
            source=_source(source),
            width=width,
            height=height,
            layers=[models.VideoLayer(quality=models.HIGH, width=width, height=height)],
        )
        track = LocalVideoTrack(self._resident, request, fps, bitrate_bps)
        await track.publish()
        return track

    def audio(
        self, of: "str | Participant | Track", *, sample_rate: int = 48_000, channels: int = 1
    ) -> AsyncIterator["AudioFrame"]:
        """The sound of a track (by sid), or of somebody (by identity): their first audio track, and then the next.

        Subscribes while it is read, waits for who is not there yet, and ends when the track has ended, when they have
        left, or when this participant is out of the room. Who reads too slowly misses the oldest. Frames are of int16
        and have a ``pts`` from 0. Raises Unreceivable.
        """
        return reading.sound(self._resident, _name(of), sample_rate, channels)

    def video(self, of: "str | Participant | Track") -> AsyncIterator["VideoFrame"]:
        """The pictures of a track or of somebody, in the size that comes; otherwise like :meth:`audio`."""
        return reading.pictures(self._resident, _name(of))

    def send_data(
        self, payload: bytes | str, *, topic: str = "", to: Sequence[str] = (), reliable: bool = True
    ) -> None:
        """Send data to everybody else, or to these identities."""
        data = payload.encode() if isinstance(payload, str) else payload
        user = models.UserPacket(payload=data, topic=topic)
        packet = models.DataPacket(user=user, destination_identities=to)
        self._resident.send_data(packet, reliable=reliable)

    async def data(self) -> AsyncIterator[Data]:
        """The data that others send from the first step of the iteration on; ends when this participant is out."""
        with self._resident.heard() as inbox:
            while (data := await inbox.get()) is not None:
                yield data

    async def leave(self) -> None:
        """Leave the room; everything ends. Safe to call twice."""
        self._resident.leave()


def _name(of: "str | Participant | Track") -> str:
    if isinstance(of, str):
        return of
    sid = getattr(of, "sid", None)
    return sid if isinstance(sid, str) else of.identity  # type: ignore[union-attr]


def _source(name: str) -> str:
    """The protocol's name of a source."""
    if name not in _SOURCES:
        raise ValueError(f"no such source: {name!r}; there are {', '.join(_SOURCES)}")
    return name.upper()
