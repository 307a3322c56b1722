"""Reading descriptions: what real clients write, what is odd but legal, what is refused."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from sfu.sdp.description import Codec
from sfu.sdp.errors import SdpError
from sfu.sdp.parse import Parser, parse

HEX = ":".join(["0A"] * 32)
SESSION = "v=0\r\no=- 17 3 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
TRANSPORT = f"a=ice-ufrag:abcd\r\na=ice-pwd:{'p' * 22}\r\na=fingerprint:sha-256 {HEX}\r\na=setup:actpass\r\n"


def audio(*lines: str, mid: str = "0", formats: str = "111", port: int = 9) -> str:
    body = "".join(line + "\r\n" for line in (f"a=mid:{mid}", "a=rtcp-mux", *lines))
    return f"m=audio {port} UDP/TLS/RTP/SAVPF {formats}\r\nc=IN IP4 0.0.0.0\r\n{TRANSPORT}{body}"


def data(mid: str = "d") -> str:
    return (
        f"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{TRANSPORT}a=mid:{mid}\r\na=sctp-port:5000\r\n"
    )


def whole(*sections: str, bundle: str | None = None) -> str:
    group = f"a=group:BUNDLE {bundle}\r\n" if bundle is not None else ""
    return SESSION + group + "".join(sections)


# --- what real clients write ----------------------------------------------------------------------


def test_reads_every_recorded_offer(offer_file: str, recorded: Callable[[str], str]) -> None:
    offer = parse(recorded(offer_file))
    assert offer.transport is not None
    assert offer.setup == "actpass"
    assert offer.data is not None or offer_file.startswith("offer_simulcast")
    assert not any(section.rejected for section in offer.sections)
    assert [section.mid for section in offer.sections] == list(offer.bundle)


def test_reads_every_recorded_exchange(exchange) -> None:
    offer, answer = parse(exchange.offer), parse(exchange.answer)
    assert [s.mid for s in offer.sections] == [s.mid for s in answer.sections]
    assert answer.setup == "active"
    assert all(section.codecs for section in (*offer.sections, *answer.sections) if section.is_media)


def test_reads_a_join_offer_in_full(recorded: Callable[[str], str]) -> None:
    offer = parse(recorded("v1_offer_js.sdp"))
    assert [s.kind for s in offer.sections] == ["audio"] * 3 + ["video"] * 3 + ["application"]
    assert (offer.session_id, offer.session_version) == (8638896691897413672, 2)
    assert offer.extmap_allow_mixed
    assert (offer.ice_ufrag, offer.ice_pwd) == ("ZrCA", "bMMzQSSuE1jnsMEbOmNs+ov6")
    assert offer.fingerprints[0][0] == "sha-256"
    video = offer.sections[3]
    assert video.direction == "recvonly"
    assert video.codecs[0] == Codec(
        96,
        "video/vp8",
        "VP8",
        90000,
        1,
        "",
        ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"),
    )
    assert video.codecs[1].apt == 96
    assert video.extensions[10] == "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
    assert len(video.codecs) == 34
    opus = offer.sections[0].codec(111)
    assert opus is not None
    assert (opus.channels, opus.parameters) == (2, {"minptime": "10", "useinbandfec": "1"})
    assert offer.data is offer.sections[6]
    assert (offer.sections[6].sctp_port, offer.sections[6].max_message_size) == (5000, 262144)


def test_keeps_the_order_of_simulcast_rids(recorded: Callable[[str], str]) -> None:
    video = parse(recorded("offer_simulcast_VP8.sdp")).sections[0]
    assert video.simulcast_send
    assert video.rids == ("q", "h", "f")
    reordered = recorded("offer_simulcast_VP8.sdp").replace("simulcast:send q;h;f", "simulcast:send f;~h;q")
    assert parse(reordered).sections[0].rids == ("f", "h", "q")


def test_msid_is_the_clients_track_id() -> None:
    assert parse(whole(audio("a=msid:- 5fcec543"))).sections[0].msid == ("-", "5fcec543")
    assert parse(whole(audio("a=ssrc:7 cname:x", "a=ssrc:7 msid:s t"))).sections[0].msid == ("s", "t")
    assert parse(whole(audio("a=msid:s", "a=ssrc:7 msid:x y"))).sections[0].msid == ("s", "")
    assert parse(whole(audio())).sections[0].msid is None


def test_reads_ssrcs_and_their_groups() -> None:
    section = parse(
        whole(
            audio(
                "a=ssrc-group:SIM 1 2",
                "a=ssrc-group:FID 1 11",
                "a=ssrc-group:FID 2 12",
                "a=ssrc-group:FEC-FR 1 21",
                *(f"a=ssrc:{ssrc} cname:c" for ssrc in (1, 2, 11, 12, 21)),
            )
        )
    ).sections[0]
    assert section.ssrcs == (1, 2)
    assert section.rtx_ssrcs == {1: 11, 2: 12}
    assert section.sim_group == (1, 2)


# --- odd but legal --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "a=ssrc:1",
        "a=ssrc:1 foo",
        "a=ssrc:x cname:y",
        "a=ssrc:99999999999 cname:y",
        "a=ssrc-group:",
        "a=ssrc-group:FID 1",
        "a=fmtp:99 nobody=asked",
        "a=fmtp:111",
        "a=rtcp-fb:99 nack",
        "a=rtpmap:99 x/1",
        "a=extmap:x y",
        "a=rid:",
        "a=simulcast:",
        "a=simulcast:send",
        "a=msid:",
        "a=ptime:a",
        "a=group:",
        "a=candidate:garbage",
        "a=",
        "",
        "b=AS:x",
        "a=sctp-init:AQAAHkM7",
        "a=fingerprint:sha-999 AB",
    ],
)
def test_tolerates_lines_that_it_does_not_need(line: str) -> None:
    section = parse(whole(audio("a=rtpmap:111 opus/48000/2", line))).sections[0]
    assert [codec.mime for codec in section.codecs] == ["audio/opus"]


def test_tolerates_bare_newlines_and_trailing_ones() -> None:
    text = whole(audio("a=rtpmap:111 opus/48000/2"))
    assert parse(text.replace("\r\n", "\n") + "\n\n") == parse(text)


def test_fmtp_may_have_spaces_and_upper_case() -> None:
    codec = (
        parse(whole(audio("a=rtpmap:111 OPUS/48000/2", "a=fmtp:111 Stereo=1; useinbandfec=1 ; x")))
        .sections[0]
        .codecs[0]
    )
    assert codec.mime == "audio/opus"
    assert codec.name == "OPUS"
    assert codec.parameters == {"stereo": "1", "useinbandfec": "1", "x": ""}
    assert codec.fmtp == "Stereo=1;useinbandfec=1;x"


@pytest.mark.parametrize(
    ("fmtp", "apt"), [("apt=96", 96), ("apt=x", None), ("apt=", None), ("apt=9999", None), ("", None)]
)
def test_apt(fmtp: str, apt: int | None) -> None:
    assert Codec(97, "video/rtx", "rtx", 90000, fmtp=fmtp).apt == apt


def test_static_payload_types_need_no_rtpmap() -> None:
    codecs = parse(whole(audio(formats="0 8 9 13 35"))).sections[0].codecs
    assert [codec.name for codec in codecs] == ["PCMU", "PCMA", "G722", "CN"]


def test_feedback_for_all_payload_types() -> None:
    lines = ("a=rtpmap:111 opus/48000/2", "a=rtcp-fb:* transport-cc", "a=rtcp-fb:111 NACK")
    assert parse(whole(audio(*lines))).sections[0].codecs[0].feedback == ("nack", "transport-cc")


def test_the_first_of_two_lines_about_one_format_counts() -> None:
    section = parse(
        whole(audio("a=rtpmap:111 opus/48000/2", "a=rtpmap:111 x/1", formats="111 111"))
    ).sections[0]
    assert [codec.name for codec in section.codecs] == ["opus"]


def test_session_level_attributes_reach_every_section() -> None:
    text = whole(audio(), audio(mid="1"), bundle="0 1").replace(TRANSPORT, "a=setup:passive\r\n")
    text = text.replace("t=0 0\r\n", "t=0 0\r\n" + TRANSPORT + "a=recvonly\r\na=extmap:3 urn:x\r\n")
    offer = parse(text)
    assert [section.ice_ufrag for section in offer.sections] == ["abcd", "abcd"]
    assert {section.setup for section in offer.sections} == {"passive"}
    assert {section.direction for section in offer.sections} == {"recvonly"}
    assert offer.sections[1].extensions == {3: "urn:x"}


def test_fingerprints_are_normalised_and_unknown_hashes_skipped() -> None:
    line = f"a=fingerprint:SHA-256  {HEX.lower()} \r\na=fingerprint:md5 00\r\n"
    offer = parse(whole(audio()).replace(f"a=fingerprint:sha-256 {HEX}\r\n", line))
    assert offer.fingerprints == (("sha-256", HEX),)


def test_holdconn_is_read() -> None:
    assert parse(whole(audio()).replace("actpass", "holdconn")).setup == "holdconn"


def test_extension_ids() -> None:
    ids = (
        "0 urn:a",
        "1/sendonly urn:b",
        "1 urn:c",
        "2 urn:b",
        "15 urn:d",
        "16 urn:e",
        "256 urn:f",
        "4096 urn:g",
        "5/inactive urn:h",
    )
    section = parse(whole(audio(*(f"a=extmap:{line}" for line in ids)))).sections[0]
    assert section.extensions == {1: "urn:b", 16: "urn:e"}


def test_simulcast_alternatives_undeclared_and_received_rids() -> None:
    lines = ("a=rid:1 send pt=111", "a=rid:2 send", "a=rid:r recv", "a=simulcast:recv r send 9,2;1;8")
    section = parse(whole(audio(*lines))).sections[0]
    assert section.rids == ("2", "1")
    assert section.simulcast_send
    lone = parse(whole(audio("a=rid:1 send"))).sections[0]
    assert (lone.rids, lone.simulcast_send) == (("1",), False)


# --- sections that can't be used ------------------------------------------------------------------


def test_port_zero_rejects_unless_bundle_only() -> None:
    offer = parse(whole(audio(port=0), audio("a=bundle-only", mid="1", port=0), audio(mid="2"), bundle="1 2"))
    assert [section.rejected for section in offer.sections] == [True, False, False]
    assert offer.transport is offer.sections[1]


def test_only_one_transport_is_carried() -> None:
    alone = parse(whole(audio(), audio(mid="1")))
    assert [section.rejected for section in alone.sections] == [False, True]
    grouped = parse(whole(audio(), audio(mid="1"), bundle="1 nobody 1"))
    assert [section.rejected for section in grouped.sections] == [True, False]
    assert grouped.bundle == ("1",)


def test_a_second_data_section_is_rejected() -> None:
    offer = parse(whole(data("a"), data("b"), audio(), bundle="a b 0"))
    assert [section.rejected for section in offer.sections] == [False, True, False]
    assert offer.data is offer.sections[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a=rtcp-mux\r\n", ""),
        ("UDP/TLS/RTP/SAVPF", "RTP/AVP"),
        ("m=audio", "m=text"),
        ("m=audio", "m=image"),
    ],
)
def test_sections_that_we_can_not_carry_are_rejected(old: str, new: str) -> None:
    offer = parse(whole(audio().replace(old, new), data(), bundle="0 d"))
    assert [section.rejected for section in offer.sections] == [True, False]


@pytest.mark.parametrize("port", ["a=sctp-port:0", "a=sctp-port:x", "a=x"])
def test_data_needs_an_sctp_port(port: str) -> None:
    offer = parse(whole(audio(), data().replace("a=sctp-port:5000", port), bundle="0 d"))
    assert offer.data is None


# --- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v=0", "v=1"),
        ("v=0\r\n", ""),
        ("s=-", "garbage"),
        ("s=-", "a"),
        ("s=-", "s=\0"),
        ("s=-", "s=\x1b"),
        ("s=-", "s=\ud800"),
        ("\r\n", "\r"),
        ("m=audio 9", "m=audio"),
        ("m=audio 9", "m=audio 99999"),
        ("SAVPF 111", "SAVPF 128"),
        ("SAVPF 111", "SAVPF x"),
        ("SAVPF 111", "SAVPF 1²"),
        ("SAVPF 111", "SAVPF"),
        ("a=mid:0", "a=nomid"),
        ("a=mid:0", "a=mid:with space"),
        ("a=mid:0", "a=mid:" + "m" * 17),
        ("a=ice-ufrag:abcd", "a=ice-ufrag:abc"),
        ("a=ice-ufrag:abcd", "a=ice-ufrag:ab cd"),
        ("a=ice-ufrag:abcd", "a=x"),
        ("p" * 22, "p" * 21),
        ("a=setup:actpass", "a=setup:maybe"),
        ("sha-256", "sha-1"),
        ("sha-256", "sha-0"),
        (HEX, HEX[:-1] + "G"),
        (HEX, HEX.replace(":", " ")),
    ],
)
def test_refuses(old: str, new: str) -> None:
    text = whole(audio())
    assert old in text
    with pytest.raises(SdpError):
        parse(text.replace(old, new))


def test_refuses_a_mid_used_twice() -> None:
    with pytest.raises(SdpError):
        parse(whole(audio(), audio()))


def test_nothing_live_needs_no_transport() -> None:
    text = whole(audio(port=0)).replace(TRANSPORT, "")
    assert parse(text).transport is None
    assert (parse(text).ice_ufrag, parse(text).fingerprints, parse(SESSION).sections) == ("", (), ())


# --- the parser of a transport --------------------------------------------------------------------


def test_unchanged_sections_are_reused(recorded: Callable[[str], str]) -> None:
    parser = Parser()
    first = parser.parse(recorded("v1_offer_js.sdp"))
    again = parser.parse(
        recorded("v1_offer_js.sdp").replace("a=mid:3\r\na=recvonly", "a=mid:3\r\na=inactive")
    )
    assert [old is new for old, new in zip(first.sections, again.sections, strict=True)] == [True] * 3 + [
        False
    ] + [True] * 3
    assert again.sections[3].direction == "inactive"


def test_a_session_level_change_reaches_reused_text() -> None:
    parser = Parser()
    text = whole(audio().replace("a=ice-ufrag:abcd\r\n", "")).replace(
        "t=0 0\r\n", "t=0 0\r\na=ice-ufrag:one1\r\n"
    )
    assert parser.parse(text).ice_ufrag == "one1"
    assert parser.parse(text.replace("one1", "two2")).ice_ufrag == "two2"


def test_a_refused_description_leaves_the_parser_usable() -> None:
    parser = Parser()
    before = parser.parse(whole(audio()))
    with pytest.raises(SdpError):
        parser.parse(whole(audio(), audio()))
    assert parser.parse(whole(audio())).sections[0] is before.sections[0]


def test_bundling_is_not_frozen_into_a_reused_section() -> None:
    parser = Parser()
    assert parser.parse(whole(audio(), audio(mid="1"))).sections[1].rejected
    assert not parser.parse(whole(audio(), audio(mid="1"), bundle="0 1")).sections[1].rejected


def test_work_grows_with_the_sections_and_not_with_their_square(recorded: Callable[[str], str]) -> None:
    """Counted in lines of Python, the same on every machine."""
    few, many = (sections_of(recorded("v1_offer_js.sdp"), count) for count in (25, 100))
    assert len(parse(many).bundle) == 100
    assert lines_run(lambda: parse(many)) < 4.2 * lines_run(lambda: parse(few))


def sections_of(offer: str, count: int) -> str:
    """An offer with so many sections, of the kinds that a recorded one has."""
    head, *parts = offer.split("m=")
    mids = " ".join(str(number) for number in range(count))
    sections = [
        parts[number % 6].replace(f"a=mid:{number % 6}\r", f"a=mid:{number}\r") for number in range(count)
    ]
    return "m=".join([head.replace("BUNDLE 0 1 2 3 4 5 6", f"BUNDLE {mids}"), *sections])


def lines_run(act: Callable[[], object]) -> int:
    """How many lines of Python an act takes."""
    lines = 0

    def count(frame: FrameType, event: str, arg: object) -> Callable[..., Any]:
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        act()
    finally:
        sys.settrace(before)
    return lines
