"""Tracks, packets and subscribers for tests of single forwarding modules."""

from typing import Any

from sfu.control import MediaKind, TrackId, TrackSpec, TransportId
from sfu.forwarding.downtrack import DownTrack
from sfu.forwarding.downtracks import UNSUPPORTED, DownTrackTable
from sfu.forwarding.layout import Layout, SourceExtensions
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.uptrack import Layer, UpTrack
from sfu.rtp.extensions import encode
from sfu.sdp.description import Codec
from sfu.streams.sender_report import PublisherClock

NO_IDS = SourceExtensions({})
VP8 = Codec(96, "video/vp8", "VP8", 90_000, 1, "", ("nack", "nack pli"))
VP8_RTX = Codec(97, "video/rtx", "rtx", 90_000, 1, "apt=96")
OPUS = Codec(111, "audio/opus", "opus", 48_000, 2)
RED = Codec(63, "audio/red", "red", 48_000, 2, "111/111")


def video_track(layers: int = 1, history: int = 64, codecs: tuple[Codec, ...] = (VP8, VP8_RTX)) -> UpTrack:
    """A camera; its layers are known by RID when there are several."""
    spec = TrackSpec(TrackId("TR_camera"), MediaKind.VIDEO, ("cid",))
    track = UpTrack(TransportId("PC_alice"), spec, codecs, PublisherClock())
    rids = ("q", "h", "f")[:layers] if layers > 1 else ("",)
    track.layers += [Layer(track, n, rid, 0 if rid else 0x1000, history) for n, rid in enumerate(rids)]
    return track


def audio_track(codecs: tuple[Codec, ...] = (OPUS,), *, measure_level: bool = False) -> UpTrack:
    """A microphone."""
    spec = TrackSpec(TrackId("TR_voice"), MediaKind.AUDIO, ("cid",), measure_level=measure_level)
    track = UpTrack(TransportId("PC_alice"), spec, codecs, PublisherClock())
    track.layers.append(Layer(track, 0, "", 0x2000, 0))
    return track


def extensions(source: SourceExtensions, elements: list[tuple[int, bytes]]) -> tuple[Layout, int]:
    """Header extensions as an ingress reads them from a packet."""
    block = encode(elements)
    return (source.layout(block), int.from_bytes(block, "big")) if block else (source.none, 0)


def media(
    *,
    payload: bytes = b"payload",
    timestamp: int = 1 << 32,
    marker: bool = False,
    keyframe: bool = False,
    temporal: int = 0,
    **more: Any,
) -> MediaPacket:
    """A packet as a reader leaves it; a key frame starts a picture."""
    more.setdefault("picture_start", keyframe)
    return MediaPacket(
        payload,
        timestamp,
        0x80 if marker else 0,
        more.pop("slot", 0),
        more.pop("layout", NO_IDS.none),
        more.pop("block", 0),
        keyframe=keyframe,
        temporal=temporal,
        **more,
    )


def subscriber(table: DownTrackTable, track: UpTrack, peer: int = 1) -> DownTrack:
    """A negotiated down track."""
    ssrcs = (0xD000 + 2 * peer, 0xD001 + 2 * peer)
    transport_id = TransportId(f"PC_{peer}")
    down = DownTrack(table, transport_id, peer, track, f"PA_{peer}|x", ssrcs)
    table.set_payload_types(down.row, (100, UNSUPPORTED))
    down.rtx_payload_type = 101
    down.mid = "0"
    down.bound = True
    track.down_tracks[transport_id] = down
    return down
