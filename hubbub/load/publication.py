"""The tracks of a publisher: what it asks the server for, the m-line, and the sources of packets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from livekit.protocol import models, rtc

from hubbub.load.plan import Layer, Video
from hubbub.load.rtp import RtpStream, StreamConfig
from hubbub.load.sdp import OPUS, VP8, Line
from hubbub.load.sources import AudioSource, Source, VideoSource
from hubbub.load.vp8 import Frame

_QUALITIES = {"q": models.VideoQuality.LOW, "h": models.VideoQuality.MEDIUM, "f": models.VideoQuality.HIGH}
VIDEO_CLOCK = 90_000
AUDIO_CLOCK = 48_000


@dataclass(slots=True)
class Publication:
    """One track to publish, and what became of it."""

    request: rtc.AddTrackRequest
    line: Line
    video: Video | None = None
    """None for a microphone."""
    sid: str = ""
    """Given by the server."""

    @property
    def cid(self) -> str:
        return self.line.track


def camera(cid: str, video: Video, random: Random) -> Publication:
    """A VP8 track with the layers of ``video``."""
    layers = [
        models.VideoLayer(
            quality=_layer_quality(layer, video),
            width=layer.width,
            height=layer.height,
            bitrate=layer.bitrate_bps,
        )
        for layer in video.layers
    ]
    top = video.layers[-1]
    request = rtc.AddTrackRequest(
        cid=cid,
        name="camera",
        type=models.TrackType.VIDEO,
        source=models.TrackSource.CAMERA,
        width=top.width,
        height=top.height,
        layers=layers,
        simulcast_codecs=[rtc.SimulcastCodec(codec="vp8", cid=cid)],
    )
    simulcast = len(video.layers) > 1
    rids = tuple(layer.rid for layer in video.layers) if simulcast else ()
    return Publication(request, Line("video", cid, rids, 0 if simulcast else new_ssrc(random)), video)


def microphone(cid: str, random: Random) -> Publication:
    """An Opus track."""
    request = rtc.AddTrackRequest(
        cid=cid,
        name="microphone",
        type=models.TrackType.AUDIO,
        source=models.TrackSource.MICROPHONE,
        disable_red=True,
    )
    return Publication(request, Line("audio", cid, (), new_ssrc(random)))


def sources(
    publication: Publication,
    mid: str,
    extensions: Mapping[int, str],
    numbers: Iterator[int],
    pictures: Mapping[Layer, tuple[Frame, ...]],
    random: Random,
    start_at: float,
) -> list[Source]:
    """The packets of a track, a source per layer; ``numbers`` are the transport-wide ones of its client."""

    def stream(ssrc: int, payload_type: int, clock_rate: int, rid: str = "") -> RtpStream:
        first = random.getrandbits(15), random.getrandbits(31)
        return RtpStream(StreamConfig(ssrc, payload_type, clock_rate, mid, rid, extensions, *first), numbers)

    line, video = publication.line, publication.video
    if video is None:
        return [AudioSource(stream(line.ssrc, OPUS, AUDIO_CLOCK), random, start_at)]
    return [
        VideoSource(
            stream(line.ssrc or new_ssrc(random), VP8, VIDEO_CLOCK, layer.rid),
            pictures[layer],
            video.fps,
            start_at,
        )
        for layer in video.layers
    ]


def new_ssrc(random: Random) -> int:
    """An SSRC of 31 bits, never 0."""
    return random.getrandbits(31) | 1


def _layer_quality(layer: Layer, video: Video) -> models.VideoQuality:
    return _QUALITIES[layer.rid] if len(video.layers) > 1 else models.VideoQuality.HIGH
