"""Answers: that they read back, keep the rules, and agree with LiveKit's own where that matters."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from sfu.sdp import codecs, extensions
from sfu.sdp.answer import LocalTransport, SectionAnswer, SendingTrack, answer_setup, write_answer
from sfu.sdp.description import Codec, Description, Section
from sfu.sdp.parse import parse

Recorded = Callable[[str], str]
Answer = Callable[[Description], str]


def names(section_codecs: tuple[Codec, ...]) -> set[str]:
    return {codec.mime for codec in section_codecs if codec.mime != "video/rtx"}


# --- against every recorded offer ---------------------------------------------------------------


def test_answers_read_back(livekit_answer, answer: Answer, local: LocalTransport) -> None:
    offer = parse(livekit_answer.offer)
    written = answer(offer)
    back = parse(written)
    assert [(s.mid, s.kind) for s in back.sections] == [(s.mid, s.kind) for s in offer.sections]
    assert back.bundle == offer.bundle
    assert (back.ice_lite, back.setup, back.fingerprints) == (True, "passive", (local.fingerprint,))
    assert back.extmap_allow_mixed == offer.extmap_allow_mixed
    assert "goog-sped" not in written
    assert written.count("a=end-of-candidates") == len(offer.sections)
    for ours, theirs in zip(back.sections, offer.sections, strict=True):
        offered = {codec.payload_type: codec.mime for codec in theirs.codecs}
        assert {codec.payload_type: codec.mime for codec in ours.codecs}.items() <= offered.items()
        assert ours.extensions.items() <= theirs.extensions.items()
        assert ours.rtcp_mux == theirs.rtcp_mux


def test_agrees_with_livekit(livekit_answer, answer: Answer) -> None:
    """The same m-lines, directions and data parameters, and its extensions under the same ids."""
    offer, theirs = parse(livekit_answer.offer), parse(livekit_answer.answer)
    ours = parse(answer(offer))
    for offered, mine, its in zip(offer.sections, ours.sections, theirs.sections, strict=True):
        assert (mine.mid, mine.kind, mine.protocol) == (its.mid, its.kind, its.protocol)
        assert mine.extensions.items() >= its.extensions.items()
        if offered.direction in ("sendonly", "sendrecv") and its.direction != "inactive":
            assert mine.direction == its.direction
        if not offered.is_media:
            assert mine.sctp_port == its.sctp_port
            assert mine.max_message_size == its.max_message_size


def test_rids_are_repeated_in_livekits_form(livekit_answer, answer: Answer) -> None:
    def rid_lines(sdp: str, mid: str) -> list[str]:
        part = next(part for part in sdp.split("m=") if f"a=mid:{mid}\r" in part)
        return sorted(line for line in part.split("\r\n") if line.startswith(("a=rid:", "a=simulcast:")))

    offer = parse(livekit_answer.offer)
    written = answer(offer)
    for section in offer.sections:
        if section.direction == "sendonly":
            assert rid_lines(written, section.mid) == rid_lines(livekit_answer.answer, section.mid)


def test_published_codecs_agree_with_livekit(livekit_answer) -> None:
    """Told LiveKit's choice, we put the same payload type first and set the same Opus parameters."""
    offer, theirs = parse(livekit_answer.offer), parse(livekit_answer.answer)
    for offered, its in zip(offer.sections, theirs.sections, strict=True):
        if not (offered.direction == "sendonly" and its.direction == "recvonly"):
            continue
        red = its.codecs[0].mime == "audio/red"
        opus = next((codec for codec in its.codecs if codec.mime == "audio/opus"), None)
        mine = codecs.accept_publish(
            offered,
            "opus" if red else its.codecs[0].name,
            red=red,
            dtx=opus is not None and "usedtx=1" in opus.fmtp,
            stereo=opus is not None and "maxaveragebitrate" in opus.fmtp,
        )
        assert mine[0].payload_type == its.codecs[0].payload_type
        assert names(mine) - {"audio/g722"} == names(its.codecs)
        for codec in mine:
            if codec.mime == "audio/opus":
                assert opus is not None
                assert codec.parameters == opus.parameters


def test_subscribed_codecs_are_among_livekits(livekit_answer) -> None:
    offer, theirs = parse(livekit_answer.offer), parse(livekit_answer.answer)
    for offered, its in zip(offer.sections, theirs.sections, strict=True):
        if its.msid is None:
            continue
        mimes = ["video/vp8"] if its.kind == "video" else ["audio/opus"]
        stereo = "sprop-stereo" in its.codecs[0].fmtp
        first = codecs.accept_subscribe(offered, mimes, stereo=stereo)[0]
        same = its.codec(first.payload_type)
        assert same is not None
        assert same.mime == first.mime
        assert same.parameters.get("sprop-stereo") == first.parameters.get("sprop-stereo")


# --- what is written ----------------------------------------------------------------------------


def only(offer: Description, number: int) -> Description:
    section = offer.sections[number]
    return replace(offer, sections=(section,), bundle=(section.mid,))


def video_section(recorded: Recorded) -> Section:
    return parse(recorded("v1_offer_js.sdp")).sections[3]


def test_a_sent_track_is_named_as_livekits_are(recorded: Recorded, local: LocalTransport) -> None:
    offer = only(parse(recorded("v1_offer_js.sdp")), 3)
    track = SendingTrack("PA_a|TR_b", "TR_b", 7, 8, "PA_a")
    taken = codecs.accept_subscribe(offer.sections[0], ["video/vp8"])
    lines = write_answer(offer, [SectionAnswer("sendonly", taken, sending=track)], local, 5, 9).split("\r\n")
    assert "o=- 5 9 IN IP4 0.0.0.0" in lines
    for line in (
        "a=msid:PA_a|TR_b TR_b",
        "a=ssrc-group:FID 7 8",
        "a=ssrc:7 cname:PA_a",
        "a=ssrc:7 msid:PA_a|TR_b TR_b",
        "a=ssrc:8 cname:PA_a",
        "a=ssrc:8 msid:PA_a|TR_b TR_b",
        "a=sendonly",
    ):
        assert lines.count(line) == 1


def test_ids_can_not_break_out_of_their_line(recorded: Recorded, local: LocalTransport) -> None:
    offer = only(parse(recorded("v1_offer_js.sdp")), 0)
    track = SendingTrack("PA_a|my stream\r\na=evil", "", 7, None, "n\u00e4me")
    taken = codecs.accept_subscribe(offer.sections[0], ["audio/opus"])
    text = write_answer(offer, [SectionAnswer("sendonly", taken, sending=track)], local, 1, 1)
    assert "\r\na=evil" not in text
    assert parse(text).sections[0].msid == ("PA_a|my_stream__a=evil", "-")
    assert text.isascii()


def test_rejected_sections_leave_the_bundle(recorded: Recorded, local: LocalTransport) -> None:
    offer = parse(recorded("v1_offer_js.sdp"))
    answers = [
        SectionAnswer("inactive", codecs.accept_idle(section), rejected=section.mid == "0")
        for section in offer.sections
    ]
    answers[4] = SectionAnswer("inactive")  # no codec in common
    text = write_answer(offer, answers, local, 1, 1)
    assert "a=group:BUNDLE 1 2 3 5 6\r\n" in text
    assert "m=audio 0 UDP/TLS/RTP/SAVPF 111\r\n" in text
    assert [section.rejected for section in parse(text).sections].count(True) == 2
    assert text.count("a=candidate") == 5 * len(local.candidates)


def test_everything_rejected_has_no_bundle(recorded: Recorded, local: LocalTransport) -> None:
    offer = parse(recorded("v1_offer_js.sdp"))
    text = write_answer(offer, [SectionAnswer(rejected=True)] * 7, local, 1, 1)
    assert "BUNDLE" not in text
    assert parse(text).transport is None


def test_the_offerers_bundle_tag_stays_first(recorded: Recorded, local: LocalTransport) -> None:
    offer = parse(recorded("v1_offer_js.sdp").replace("BUNDLE 0 1 2 3 4 5 6", "BUNDLE 6 0 1 2 3 4 5"))
    answers = [SectionAnswer("inactive", codecs.accept_idle(section)) for section in offer.sections]
    assert "a=group:BUNDLE 6 0 1 2 3 4 5\r\n" in write_answer(offer, answers, local, 1, 1)


@pytest.mark.parametrize("offered", ["sendrecv", "sendonly", "recvonly", "inactive"])
@pytest.mark.parametrize("direction", ["sendrecv", "sendonly", "recvonly", "inactive"])
def test_directions_must_match(recorded: Recorded, local: LocalTransport, offered, direction) -> None:
    section = replace(video_section(recorded), direction=offered)
    offer = Description((section,), (section.mid,))
    reply = [SectionAnswer(direction, codecs.accept_idle(section))]
    wants_more = ("send" in direction and "recv" not in offered[:8]) or (
        "recv" in direction and "send" not in offered
    )
    if wants_more:
        with pytest.raises(ValueError, match="can't answer"):
            write_answer(offer, reply, local, 1, 1)
    else:
        assert parse(write_answer(offer, reply, local, 1, 1)).sections[0].direction == direction


def test_answers_must_fit_the_offer(recorded: Recorded, local: LocalTransport) -> None:
    offer = only(parse(recorded("v1_offer_js.sdp")), 3)
    with pytest.raises(ValueError, match="0 answers to 1"):
        write_answer(offer, [], local, 1, 1)
    track = SendingTrack("a", "b", 1, None, "c")
    silent = SectionAnswer("inactive", codecs.accept_idle(offer.sections[0]), sending=track)
    with pytest.raises(ValueError, match="doesn't send"):
        write_answer(offer, [silent], local, 1, 1)


def test_inactive_repeats_extensions_and_simulcast(recorded: Recorded, local: LocalTransport) -> None:
    offer = parse(recorded("offer_simulcast_VP8.sdp"))
    answers = [
        SectionAnswer("inactive", codecs.accept_idle(s), extensions.accept_publish(s), s.rids)
        for s in offer.sections
    ]
    text = write_answer(offer, answers, local, 1, 1)
    assert "a=simulcast:recv q;h;f\r\n" in text
    assert extensions.REPAIRED_RID in text


def test_mixed_extension_headers_are_echoed_where_offered(recorded: Recorded, local: LocalTransport) -> None:
    section = video_section(recorded)
    reply = [SectionAnswer("inactive", codecs.accept_idle(section))]
    in_section = Description((section,), (section.mid,))
    assert write_answer(in_section, reply, local, 1, 1).index("allow-mixed") > 300
    nowhere = Description((replace(section, extmap_allow_mixed=False),), (section.mid,))
    assert "allow-mixed" not in write_answer(nowhere, reply, local, 1, 1)


def test_full_ice_is_not_called_lite(recorded: Recorded, local: LocalTransport) -> None:
    offer = only(parse(recorded("v1_offer_js.sdp")), 6)
    text = write_answer(offer, [SectionAnswer()], replace(local, ice_lite=False, candidates=()), 1, 1)
    assert "ice-lite" not in text
    assert "end-of-candidates" not in text


@pytest.mark.parametrize(
    ("offered", "preferred", "ours"),
    [
        ("actpass", "passive", "passive"),
        ("actpass", "active", "active"),
        ("active", "active", "passive"),
        ("passive", "passive", "active"),
        ("", "passive", "passive"),
    ],
)
def test_dtls_role(offered: str, preferred, ours: str) -> None:
    assert answer_setup(offered, preferred) == ours
