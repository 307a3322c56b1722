"""Which codecs are answered and offered, in which order and with what."""

from collections.abc import Callable

import pytest

from sfu.sdp.codecs import OFFERED, accept_idle, accept_publish, accept_subscribe, offer_codecs
from sfu.sdp.description import Codec, Section
from sfu.sdp.parse import parse

Recorded = Callable[[str], str]


def section(kind: str, *codecs: Codec) -> Section:
    return Section(
        kind, "0", 9, "UDP/TLS/RTP/SAVPF", tuple(str(c.payload_type) for c in codecs), codecs=codecs
    )


def h264(payload_type: int, level_id: str, mode: str = "1") -> Codec:
    fmtp = f"packetization-mode={mode};profile-level-id={level_id}"
    return Codec(payload_type, "video/h264", "H264", 90000, fmtp=fmtp)


def vp9(payload_type: int, profile: int) -> Codec:
    return Codec(payload_type, "video/vp9", "VP9", 90000, fmtp=f"profile-id={profile}")


OPUS = Codec(111, "audio/opus", "opus", 48000, 2, "minptime=10;useinbandfec=1", ("transport-cc", "nack"))
RED = Codec(63, "audio/red", "red", 48000, 2, "111/111")
VP8 = Codec(96, "video/vp8", "VP8", 90000, feedback=("goog-remb", "transport-cc", "nack", "nack pli"))
RTX = Codec(97, "video/rtx", "rtx", 90000, fmtp="apt=96")


def types(codecs: tuple[Codec, ...]) -> list[int]:
    return [codec.payload_type for codec in codecs]


# --- publishing ---------------------------------------------------------------------------------


def test_redundant_audio_stands_before_or_behind_opus() -> None:
    offered = section("audio", OPUS, RED)
    assert types(accept_publish(offered, "opus", red=True)) == [63, 111]
    assert types(accept_publish(offered, "", red=False)) == [111, 63]


@pytest.mark.parametrize("fmtp", ["", "111", "111/112", "0/0", "111/x"])
def test_red_must_wrap_the_offered_opus(fmtp: str) -> None:
    red = Codec(63, "audio/red", "red", 48000, 2, fmtp)
    assert (63 in types(accept_publish(section("audio", OPUS, red)))) == (fmtp == "111")


def test_opus_parameters_are_ours_to_set() -> None:
    offered = section(
        "audio", Codec(111, "audio/opus", "opus", 48000, 2, "minptime=10;stereo=1;usedtx=1;cbr=1")
    )

    def fmtp(**options: bool) -> str:
        return accept_publish(offered, **options)[0].fmtp

    assert fmtp(dtx=True) == "minptime=10;cbr=1;usedtx=1"
    assert fmtp(dtx=False) == "minptime=10;cbr=1"
    assert fmtp(dtx=False, stereo=True) == "minptime=10;cbr=1;stereo=1;maxaveragebitrate=510000"


def test_feedback_is_cut_down_to_what_we_do() -> None:
    assert accept_publish(section("video", VP8))[0].feedback == ("transport-cc", "nack", "nack pli")
    assert accept_publish(section("audio", OPUS))[0].feedback == ("transport-cc",)


def test_the_preferred_codec_comes_first_with_its_rtx(recorded: Recorded) -> None:
    video = parse(recorded("v1_offer_js.sdp")).sections[3]
    assert types(accept_publish(video))[:2] == [96, 97]
    assert types(accept_publish(video, "vp9"))[:6] == [98, 99, 100, 101, 96, 97]
    assert types(accept_publish(video, "video/AV1"))[:4] == [45, 46, 96, 97]
    assert types(accept_publish(video, "h264"))[:6] == [108, 109, 102, 103, 116, 117]
    assert types(accept_publish(video, "unheard-of"))[:2] == [96, 97]


def test_only_forwardable_profiles_are_taken(recorded: Recorded) -> None:
    taken = accept_publish(parse(recorded("v1_offer_js.sdp")).sections[3])
    assert {codec.mime for codec in taken} == {
        "video/vp8",
        "video/rtx",
        "video/vp9",
        "video/h264",
        "video/av1",
    }
    assert not {35, 37, 47, 104, 41} & set(types(taken))  # VP9 1 and 3, AV1 1, H264 mode 0 and High 4:4:4


def test_every_rtx_repairs_a_codec_before_it(recorded: Recorded) -> None:
    video = parse(recorded("offer_simulcast_allcodecs.sdp")).sections[0]
    seen: set[int] = set()
    for codec in accept_publish(video, "av1"):
        assert codec.mime != "video/rtx" or codec.apt in seen
        seen.add(codec.payload_type)


@pytest.mark.parametrize("apt", ["97", "98", "x", "", "127"])
def test_rtx_of_rtx_or_of_nothing_is_left_out(apt: str) -> None:
    codecs = (VP8, RTX, Codec(98, "video/rtx", "rtx", 90000, fmtp=f"apt={apt}"))
    assert types(accept_publish(section("video", *codecs))) == [96, 97]


def test_payload_types_of_rtcp_are_left_out() -> None:
    codecs = (Codec(72, "video/vp8", "VP8", 90000), VP8, Codec(95, "video/rtx", "rtx", 90000, fmtp="apt=96"))
    assert types(accept_publish(section("video", *codecs))) == [96]


def test_another_clock_rate_is_another_codec() -> None:
    assert accept_publish(section("audio", Codec(111, "audio/opus", "opus", 16000, 2))) == ()
    assert accept_publish(section("audio", Codec(111, "audio/opus", "opus", 48000, 6))) == ()


def test_idle_takes_everything_and_asks_for_nothing(recorded: Recorded) -> None:
    audio = parse(recorded("v1_offer_js.sdp")).sections[0]
    codecs = accept_idle(audio)
    assert {codec.name for codec in codecs} == {"red", "opus", "G722", "PCMU", "PCMA"}
    assert not any("usedtx" in codec.fmtp for codec in codecs)


# --- subscribing --------------------------------------------------------------------------------


def test_a_subscriber_gets_the_tracks_codec_alone(recorded: Recorded) -> None:
    offer = parse(recorded("v1_offer_python.sdp"))
    assert types(accept_subscribe(offer.sections[3], ["video/VP8"])) == [96, 97]
    assert types(accept_subscribe(offer.sections[0], ["audio/red"])) == [63, 111]
    assert types(accept_subscribe(offer.sections[0], ["audio/opus", "audio/red"])) == [111, 63]
    assert types(accept_subscribe(offer.sections[0], ["audio/opus"])) == [111]
    assert types(accept_subscribe(offer.sections[0], ["audio/pcmu"])) == [0]


def test_mimes_are_in_order_of_preference(recorded: Recorded) -> None:
    video = parse(recorded("v1_offer_js.sdp")).sections[3]
    assert types(accept_subscribe(video, ["video/av1", "video/vp8"])) == [45, 46, 96, 97]


def test_a_client_without_red_gets_plain_opus() -> None:
    assert types(accept_subscribe(section("audio", OPUS), ["audio/red"])) == [111]


def test_nothing_is_answered_to_who_lacks_the_codec() -> None:
    assert accept_subscribe(section("video", VP8, RTX), ["video/vp9"]) == ()
    assert accept_subscribe(section("audio", RED), ["audio/red"]) == ()
    assert accept_subscribe(section("video", VP8), []) == ()


def test_stereo_is_announced_to_the_subscriber() -> None:
    offered = section("audio", Codec(111, "audio/opus", "opus", 48000, 2, "minptime=10;stereo=1"))
    assert accept_subscribe(offered, ["audio/opus"], stereo=True)[0].fmtp == "minptime=10;sprop-stereo=1"
    assert accept_subscribe(offered, ["audio/opus"])[0].fmtp == "minptime=10"


def test_vp9_profiles_must_be_the_same() -> None:
    offered = section("video", vp9(98, 0), vp9(100, 2))
    assert types(accept_subscribe(offered, ["video/vp9"], "profile-id=2")) == [100]
    assert types(accept_subscribe(offered, ["video/vp9"])) == [98]
    assert accept_subscribe(section("video", vp9(98, 0)), ["video/vp9"], "profile-id=2") == ()


def test_h264_is_sent_to_decoders_of_the_same_or_a_higher_profile() -> None:
    offered = section(
        "video", h264(1, "640c1f"), h264(2, "42001f"), h264(3, "42e01f"), h264(4, "42e01f", "0")
    )

    def sent_as(level_id: str) -> list[int]:
        fmtp = f"packetization-mode=1;profile-level-id={level_id}"
        return types(accept_subscribe(offered, ["video/h264"], fmtp))

    assert sent_as("42e01f") == [3, 1, 2]
    assert sent_as("42C02A") == [3, 1, 2]
    assert sent_as("4d001f") == [1]
    assert sent_as("640032") == [1]
    assert sent_as("f4001f") == []
    assert types(accept_subscribe(offered, ["video/h264"])) == [3, 1, 2]


@pytest.mark.parametrize("level_id", ["", "42", "zz001f", "42e01f42e01f"])
def test_unreadable_h264_profiles_are_not_taken(level_id: str) -> None:
    assert accept_publish(section("video", h264(1, level_id))) == ()


# --- server offers ------------------------------------------------------------------------------


def test_offered_payload_types_are_unique_and_outside_rtcp() -> None:
    numbers = types(OFFERED)
    assert len(set(numbers)) == len(numbers)
    assert not [number for number in numbers if 64 <= number <= 95 or number > 127]
    for codec in OFFERED:
        assert codec.mime != "video/rtx" or codec.apt in numbers


def test_offers_hold_what_the_track_needs() -> None:
    assert types(offer_codecs(["video/vp8"])) == [96, 97]
    assert types(offer_codecs(["audio/red", "audio/opus"], stereo=True)) == [63, 111]
    assert offer_codecs(["audio/opus"], stereo=True)[0].fmtp.endswith(";sprop-stereo=1")
    assert types(offer_codecs(["video/h264"], "packetization-mode=1;profile-level-id=640032")) == [122, 123]
    assert types(offer_codecs(["video/vp9", "video/vp8"], "profile-id=2")) == [100, 101, 96, 97]
    assert offer_codecs(["video/theora"]) == ()
