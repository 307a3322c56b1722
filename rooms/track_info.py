"""TrackInfo: from what a client asks, through what its SDP said, to what everybody is told."""

from collections.abc import Iterable

from livekit.protocol import models, rtc

from sfu.control import LayerInfo, TrackStarted

from .ids import TRACK, Ids

_TYPE_LETTERS = {models.AUDIO: "A", models.VIDEO: "V"}
_SOURCE_LETTERS = {
    models.CAMERA: "C",
    models.MICROPHONE: "M",
    models.SCREEN_SHARE: "S",
    models.SCREEN_SHARE_AUDIO: "s",
}
_STREAMS = {
    models.CAMERA: "camera",
    models.MICROPHONE: "camera",
    models.SCREEN_SHARE: "screen",
    models.SCREEN_SHARE_AUDIO: "screen",
}
_QUALITIES = (models.LOW, models.MEDIUM, models.HIGH)
_SVC_CODECS = ("vp9", "av1")
"""Codecs that LiveKit's clients send as one stream of several spatial layers unless they say otherwise."""
_MAX_CODECS = 4


def track_sid(request: rtc.AddTrackRequest, ids: Ids) -> str:
    """A new sid with type and source in it, such as ``TR_AM…`` for a microphone."""
    kind = _TYPE_LETTERS.get(request.type, "U")
    return ids.make(TRACK + kind + _SOURCE_LETTERS.get(request.source, "U"))


def requested_track(sid: str, request: rtc.AddTrackRequest) -> models.TrackInfo:
    """The TrackInfo that answers an AddTrackRequest; SDP fills the rest (:func:`apply_started`)."""
    layers = _sorted_layers(request.layers)
    codecs = [_codec(request, codec, layers) for codec in request.simulcast_codecs[:_MAX_CODECS]]
    if not codecs:
        codecs = [models.SimulcastCodecInfo(cid=request.cid, layers=layers, video_layer_mode=_mode(""))]
    if not layers:
        layers = list(codecs[0].layers)
    audio = request.type == models.AUDIO
    info = models.TrackInfo(
        sid=sid,
        type=request.type,
        name=request.name,
        muted=request.muted,
        width=request.width,
        height=request.height,
        source=request.source,
        layers=layers,
        simulcast=len(layers) > 1 and codecs[0].video_layer_mode != _SVC,
        codecs=codecs,
        encryption=request.encryption,
        stream=request.stream or _STREAMS.get(request.source, "unknown"),
        stereo=request.stereo,
        disable_dtx=request.disable_dtx,
        disable_red=request.disable_red,
        backup_codec_policy=models.SIMULCAST if audio else request.backup_codec_policy,
        packet_trailer_features=request.packet_trailer_features,
    )
    info.audio_features.extend(_features(request))
    return info


def set_audio_features(info: models.TrackInfo, features: list[models.AudioTrackFeature]) -> None:
    """Replace the audio features; stereo and DTX have fields of their own that say the same."""
    del info.audio_features[:]
    info.audio_features.extend(features)
    info.stereo = models.TF_STEREO in features
    info.disable_dtx = models.TF_NO_DTX in features


def apply_started(info: models.TrackInfo, event: TrackStarted) -> None:
    """Fill in what negotiation showed: MIME type, mid, client id, and the streams of the layers."""
    info.mime_type = event.mime
    info.mid = event.mid
    codec = info.codecs[0]
    codec.mime_type = event.mime
    codec.mid = event.mid
    if event.cid != codec.cid:
        codec.sdp_cid = event.cid
    if len(event.layers) > 1:
        codec.video_layer_mode = models.VideoLayer.ONE_SPATIAL_LAYER_PER_STREAM
        info.simulcast = True
    for layers in (info.layers, codec.layers):
        for spatial, layer in enumerate(layers):
            layer.spatial_layer = spatial
    for stream in event.layers:
        apply_layer(info, stream)


def apply_layer(info: models.TrackInfo, stream: LayerInfo) -> None:
    """Fill in RID and SSRC of one layer. Layers count by quality: with two of them the second may be HIGH."""
    for layers in (info.layers, info.codecs[0].layers):
        if stream.spatial < len(layers):
            layers[stream.spatial].rid = stream.rid
            layers[stream.spatial].ssrc = stream.ssrc


def _features(request: rtc.AddTrackRequest) -> list[models.AudioTrackFeature]:
    """The features asked for. Stereo and DTX may be asked for by fields alone, and then are features as well."""
    features = dict.fromkeys(request.audio_features)
    if request.stereo:
        features[models.TF_STEREO] = None
    if request.disable_dtx:
        features[models.TF_NO_DTX] = None
    return list(features)


_SVC = models.VideoLayer.MULTIPLE_SPATIAL_LAYERS_PER_STREAM


def _codec(
    request: rtc.AddTrackRequest, codec: rtc.SimulcastCodec, layers: list[models.VideoLayer]
) -> models.SimulcastCodecInfo:
    name = codec_name(codec.codec)
    kind = "audio" if request.type == models.AUDIO else "video"
    return models.SimulcastCodecInfo(
        mime_type=f"{kind}/{name}" if name else "",
        cid=codec.cid,
        layers=_sorted_layers(codec.layers) or layers,
        video_layer_mode=codec.video_layer_mode or _mode(name),
    )


def codec_name(codec: str) -> str:
    """``vp8`` from ``VP8`` or ``video/VP8``."""
    return codec.lower().rpartition("/")[2]


def _mode(codec: str) -> models.VideoLayer.Mode:
    return _SVC if codec in _SVC_CODECS else models.VideoLayer.ONE_SPATIAL_LAYER_PER_STREAM


def _sorted_layers(layers: Iterable[models.VideoLayer]) -> list[models.VideoLayer]:
    """One layer for each quality, lowest first; clients send them in any order."""
    by_quality = {layer.quality: layer for layer in layers}
    return [by_quality[quality] for quality in _QUALITIES if quality in by_quality]
