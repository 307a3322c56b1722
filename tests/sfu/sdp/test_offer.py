"""Server offers, and whether descriptions follow on each other."""

from itertools import pairwise

import pytest

from sfu.sdp import codecs, extensions
from sfu.sdp.answer import LocalTransport, SendingTrack
from sfu.sdp.continuity import check_answer, check_next_offer
from sfu.sdp.errors import SdpError
from sfu.sdp.offer import OfferSection, write_offer
from sfu.sdp.parse import parse

AUDIO = OfferSection(
    "audio",
    "2",
    "sendonly",
    codecs.offer_codecs(["audio/red", "audio/opus"], stereo=True),
    extensions.offered("audio"),
    SendingTrack("PA_a|TR_x", "TR_x", 21, None, "PA_a"),
)
VIDEO = OfferSection(
    "video",
    "1",
    "sendonly",
    codecs.offer_codecs(["video/vp8"]),
    extensions.offered("video"),
    SendingTrack("PA_a|TR_y", "TR_y", 11, 12, "PA_a"),
)


def test_the_first_offer_may_hold_data_alone(local: LocalTransport) -> None:
    offer = parse(write_offer([], local, 9, 1, data_mid="0"))
    assert offer.data is not None
    assert (offer.bundle, offer.setup, offer.data.sctp_port) == (("0",), "actpass", 5000)
    assert offer.data.max_message_size == 65535


def test_offers_read_back(local: LocalTransport) -> None:
    offer = parse(write_offer([VIDEO, AUDIO], local, 9, 4, data_mid="0"))
    assert (offer.session_id, offer.session_version) == (9, 4)
    assert [s.mid for s in offer.sections] == ["0", "1", "2"]
    _, video, audio = offer.sections
    assert (video.codecs, video.extensions, video.direction) == (VIDEO.codecs, VIDEO.extensions, "sendonly")
    assert (video.msid, video.ssrcs, video.rtx_ssrcs) == (("PA_a|TR_y", "TR_y"), (11,), {11: 12})
    assert (audio.msid, audio.ssrcs, audio.codecs) == (("PA_a|TR_x", "TR_x"), (21,), AUDIO.codecs)
    assert offer.extmap_allow_mixed


def test_an_unused_section_stays_inactive(local: LocalTransport) -> None:
    unused = OfferSection("video", "1", "inactive", VIDEO.codecs, VIDEO.extensions)
    section = parse(write_offer([unused], local, 9, 5)).sections[0]
    assert (section.direction, section.msid, section.ssrcs) == ("inactive", None, ())


def test_recorded_client_answers_fit_livekits_offers(exchange) -> None:
    if exchange.offerer == "client":
        check_next_offer(parse(exchange.offer), parse(exchange.offer))
        return
    offer = parse(exchange.offer)
    sections = [OfferSection(s.kind, s.mid, s.direction, s.codecs) for s in offer.sections if s.is_media]
    check_answer(sections, "0", parse(exchange.answer))


def test_recorded_offers_follow_on_each_other(exchange_runs: list[list[str]]) -> None:
    for run in exchange_runs:
        for before, offer in pairwise(run):
            check_next_offer(parse(before), parse(offer))


def test_m_lines_keep_their_places(local: LocalTransport) -> None:
    before = parse(write_offer([VIDEO, AUDIO], local, 9, 1))
    for sections in ([VIDEO], [AUDIO, VIDEO], []):
        with pytest.raises(SdpError):
            check_next_offer(before, parse(write_offer(sections, local, 9, 2)))
    rejected = parse(write_offer([VIDEO, AUDIO], local, 9, 1).replace("m=video 9", "m=video 0"))
    other = OfferSection("video", "3", "sendonly", VIDEO.codecs)
    check_next_offer(rejected, parse(write_offer([other, AUDIO], local, 9, 2)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a=sendonly", "a=sendrecv"),
        ("a=sendonly", "a=sendonly"),
        ("a=mid:1", "a=mid:5"),
        ("m=video", "m=audio"),
        ("setup:active", "setup:actpass"),
        ("setup:active", "setup:holdconn"),
    ],
)
def test_answers_that_are_none(local: LocalTransport, old: str, new: str) -> None:
    offered = write_offer([VIDEO], local, 9, 1, "0").replace("setup:actpass", "setup:active")
    check_answer([VIDEO], "0", parse(offered.replace("a=sendonly", "a=recvonly")))
    answer = offered if old == "a=sendonly" else offered.replace("a=sendonly", "a=recvonly")
    with pytest.raises(SdpError):
        check_answer([VIDEO], "0", parse(answer.replace(old, new).replace("BUNDLE 0 1", "BUNDLE 0 1 5")))
