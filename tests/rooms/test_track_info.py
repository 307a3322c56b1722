import pytest
from livekit.protocol import models, rtc

from rooms.ids import Ids
from rooms.track_info import apply_layer, apply_started, codec_name, requested_track, track_sid
from sfu.control import LayerInfo, TrackId, TrackStarted, TransportId

ONE, MANY = (
    models.VideoLayer.ONE_SPATIAL_LAYER_PER_STREAM,
    models.VideoLayer.MULTIPLE_SPATIAL_LAYERS_PER_STREAM,
)
LAYERS = [models.VideoLayer(quality=quality, width=320 * 2**quality) for quality in (2, 1, 0)]


def video(**fields) -> rtc.AddTrackRequest:
    return rtc.AddTrackRequest(**{"type": models.VIDEO, "source": models.CAMERA, "cid": "c", **fields})


def started(*layers: LayerInfo, mime: str = "video/VP8", cid: str = "c") -> TrackStarted:
    return TrackStarted(TransportId("t"), TrackId("TR_x"), mime, "7", cid, layers)


@pytest.mark.parametrize(
    ("kind", "source", "prefix"),
    [
        (models.AUDIO, models.MICROPHONE, "TR_AM"),
        (models.VIDEO, models.CAMERA, "TR_VC"),
        (models.VIDEO, models.SCREEN_SHARE, "TR_VS"),
        (models.AUDIO, models.SCREEN_SHARE_AUDIO, "TR_As"),
        (models.AUDIO, models.UNKNOWN, "TR_AU"),
    ],
)
def test_sid_tells_type_and_source(kind: int, source: int, prefix: str) -> None:
    sid = track_sid(rtc.AddTrackRequest(type=kind, source=source), Ids(bytes))
    assert sid.startswith(prefix)
    assert len(sid) == len(prefix) + 12


def test_layers_are_sorted_and_unique_by_quality() -> None:
    info = requested_track("TR_x", video(layers=[*LAYERS, *LAYERS, models.VideoLayer(quality=models.OFF)]))
    assert [layer.quality for layer in info.layers] == [0, 1, 2]
    assert info.simulcast


def test_codecs_inherit_layers_and_know_their_mode() -> None:
    codecs = [rtc.SimulcastCodec(codec="VP9", cid="c"), rtc.SimulcastCodec(codec="vp8")]
    info = requested_track("TR_x", video(layers=LAYERS, simulcast_codecs=codecs))
    assert [(codec.mime_type, codec.cid, codec.video_layer_mode) for codec in info.codecs] == [
        ("video/vp9", "c", MANY),
        ("video/vp8", "", ONE),
    ]
    assert all(len(codec.layers) == 3 for codec in info.codecs)
    assert not info.simulcast


def test_layers_named_only_by_the_codec_count() -> None:
    info = requested_track("TR_x", video(simulcast_codecs=[rtc.SimulcastCodec(codec="vp8", layers=LAYERS)]))
    assert len(info.layers) == 3


def test_without_codecs_there_is_one_nameless() -> None:
    info = requested_track("TR_x", video())
    assert [(codec.mime_type, codec.cid) for codec in info.codecs] == [("", "c")]


def test_audio_as_livekit_answers_it() -> None:
    request = rtc.AddTrackRequest(
        cid="c5",
        name="music",
        source=models.SCREEN_SHARE_AUDIO,
        disable_dtx=True,
        stereo=True,
        disable_red=True,
        audio_features=[models.TF_ECHO_CANCELLATION, models.TF_NOISE_SUPPRESSION],
    )
    info = requested_track("TR_x", request)
    assert list(info.audio_features) == [
        models.TF_ECHO_CANCELLATION,
        models.TF_NOISE_SUPPRESSION,
        models.TF_STEREO,
        models.TF_NO_DTX,
    ]
    assert (info.stereo, info.disable_dtx, info.disable_red) == (True, True, True)
    assert (info.stream, info.backup_codec_policy) == ("screen", models.SIMULCAST)


def test_features_are_kept_as_asked() -> None:
    request = rtc.AddTrackRequest(audio_features=[models.TF_STEREO, models.TF_STEREO], stereo=True)
    info = requested_track("TR_x", request)
    assert list(info.audio_features) == [models.TF_STEREO]
    assert info.stream == "unknown"


def test_sdp_fills_in_the_rest() -> None:
    info = requested_track(
        "TR_x", video(layers=LAYERS, simulcast_codecs=[rtc.SimulcastCodec(codec="vp8", cid="c")])
    )
    apply_started(
        info, started(LayerInfo(0, "q", 0), LayerInfo(1, "h", 0), LayerInfo(2, "f", 9), cid="other")
    )
    assert (info.mime_type, info.mid) == ("video/VP8", "7")
    (codec,) = info.codecs
    assert (codec.mime_type, codec.mid, codec.cid, codec.sdp_cid) == ("video/VP8", "7", "c", "other")
    for layers in (info.layers, codec.layers):
        assert [(layer.rid, layer.spatial_layer, layer.ssrc) for layer in layers] == [
            ("q", 0, 0),
            ("h", 1, 0),
            ("f", 2, 9),
        ]


def test_simulcast_of_an_svc_codec_is_recognised_by_its_streams() -> None:
    info = requested_track("TR_x", video(layers=LAYERS, simulcast_codecs=[rtc.SimulcastCodec(codec="vp9")]))
    apply_started(info, started(LayerInfo(0, "q", 0), LayerInfo(1, "h", 0), mime="video/VP9"))
    assert info.simulcast
    assert info.codecs[0].video_layer_mode == ONE


def test_more_streams_than_layers_do_no_harm() -> None:
    info = requested_track("TR_x", video())
    apply_started(info, started(LayerInfo(0, "q", 1), LayerInfo(1, "h", 2)))
    apply_layer(info, LayerInfo(7, "x", 3))
    assert len(info.layers) == 0


def test_codec_names() -> None:
    assert [codec_name(name) for name in ("VP8", "video/H264", "", "audio/red")] == ["vp8", "h264", "", "red"]


def test_codecs_are_bounded() -> None:
    codecs = [rtc.SimulcastCodec(codec=f"c{number}") for number in range(50)]
    assert len(requested_track("TR_x", video(simulcast_codecs=codecs)).codecs) == 4
