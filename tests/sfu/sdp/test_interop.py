"""Answers and offers of ours in real stacks: aiortc in memory, and Chromium."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from playwright.sync_api import Page, sync_playwright

from sfu.sdp import codecs, extensions
from sfu.sdp.answer import LocalTransport, SectionAnswer, SendingTrack, write_answer
from sfu.sdp.continuity import check_answer
from sfu.sdp.description import Description
from sfu.sdp.offer import OfferSection, write_offer
from sfu.sdp.parse import parse

pytestmark = pytest.mark.interop

Answer = Callable[[Description], str]

SENDING = [
    OfferSection(
        "video",
        "1",
        "sendonly",
        codecs.offer_codecs(["video/vp8"]),
        extensions.offered("video"),
        SendingTrack("PA_a|TR_y", "TR_y", 11, 12, "PA_a"),
    ),
    OfferSection(
        "audio",
        "2",
        "sendonly",
        codecs.offer_codecs(["audio/red", "audio/opus"], stereo=True),
        extensions.offered("audio"),
        SendingTrack("PA_a|TR_x", "TR_x", 21, None, "PA_a"),
    ),
]


# --- aiortc -------------------------------------------------------------------------------------


async def test_aiortc_takes_our_answer(answer: Answer) -> None:
    client = RTCPeerConnection()
    try:
        client.addTransceiver("audio", "sendrecv")
        client.addTransceiver("video", "recvonly")
        client.createDataChannel("_reliable")
        await client.setLocalDescription(await client.createOffer())
        ours = answer(parse(client.localDescription.sdp))
        await client.setRemoteDescription(RTCSessionDescription(ours, "answer"))
        assert client.signalingState == "stable"
        assert [t.currentDirection for t in client.getTransceivers()] == ["sendonly", "recvonly"]
    finally:
        await client.close()


async def test_aiortc_answers_our_offer(local: LocalTransport) -> None:
    client = RTCPeerConnection()
    try:
        ours = write_offer(SENDING, local, 5, 1, data_mid="0")
        await client.setRemoteDescription(RTCSessionDescription(ours, "offer"))
        await client.setLocalDescription(await client.createAnswer())
        theirs = parse(client.localDescription.sdp)
        check_answer(SENDING, "0", theirs)
        assert codecs.accept_subscribe(theirs.sections[1], ["video/vp8"])[0].payload_type == 96
        assert codecs.accept_subscribe(theirs.sections[2], ["audio/red"])[0].mime == "audio/opus"
    finally:
        await client.close()


# --- Chromium -----------------------------------------------------------------------------------

CLIENT = """() => {
  const pc = window.pc = new RTCPeerConnection({bundlePolicy: 'max-bundle'});
  const canvas = document.createElement('canvas');
  canvas.width = 640; canvas.height = 360;
  canvas.getContext('2d').fillRect(0, 0, 9, 9);
  window.track = canvas.captureStream(5).getVideoTracks()[0];
  window.offer = async () => {
    await pc.setLocalDescription(await pc.createOffer());
    return pc.localDescription.sdp;
  };
  window.publish = (rids, codec) => {
    const sender = pc.addTransceiver(window.track.clone(), {
      direction: 'sendonly', sendEncodings: rids.map((rid, i) => ({rid, scaleResolutionDownBy: 4 >> i}))
    });
    if (codec) {
      const all = RTCRtpSender.getCapabilities('video').codecs;
      sender.setCodecPreferences(all.filter(c => c.mimeType == codec || c.mimeType == 'video/rtx'));
    }
  };
  window.join = () => {
    for (const kind of ['audio', 'audio', 'video', 'video']) pc.addTransceiver(kind, {direction: 'recvonly'});
    pc.createDataChannel('_reliable');
  };
  window.answered = async sdp => {
    await pc.setRemoteDescription({type: 'answer', sdp});
    return pc.getTransceivers().map(t => t.currentDirection);
  };
  window.answer = async sdp => {
    await pc.setRemoteDescription({type: 'offer', sdp});
    await pc.setLocalDescription(await pc.createAnswer());
    return pc.localDescription.sdp;
  };
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    page = browser.new_page()
    page.evaluate(CLIENT)
    yield page
    page.close()


def negotiate(page: Page, answer: Answer) -> list[str]:
    """One offer of the page's, answered by us; the directions that the browser then has."""
    return list(page.evaluate("sdp => answered(sdp)", answer(parse(page.evaluate("offer()")))))


def test_chromium_joins_then_publishes_simulcast(page: Page, answer: Answer) -> None:
    page.evaluate("join()")
    assert negotiate(page, answer) == ["recvonly"] * 4
    page.evaluate("publish(['q', 'h', 'f'])")
    assert negotiate(page, answer) == ["recvonly"] * 4 + ["sendonly"]
    offer = parse(page.evaluate("offer()"))
    assert offer.sections[-1].rids == ("q", "h", "f")
    assert offer.sections[-1].simulcast_send
    assert {codec.mime for codec in offer.sections[2].codecs} >= {"video/vp8", "video/vp9", "video/av1"}
    encodings = page.evaluate("pc.getSenders().at(-1).getParameters().encodings.map(e => e.rid)")
    assert encodings == ["q", "h", "f"]


@pytest.mark.parametrize("codec", ["VP8", "VP9", "H264", "AV1"])
def test_chromium_publishes_each_codec(page: Page, answer: Answer, codec: str) -> None:
    page.evaluate("join()")
    page.evaluate("codec => publish(['q', 'h'], codec)", f"video/{codec}")
    assert negotiate(page, answer)[-1] == "sendonly"
    chosen = page.evaluate("pc.getSenders().at(-1).getParameters().codecs[0].mimeType")
    assert chosen == f"video/{codec}"
    assert negotiate(page, answer)[-1] == "sendonly"


@pytest.mark.parametrize("preferred", ["vp9", "h264", "av1", "vp8"])
def test_chromium_follows_our_preferred_codec(page: Page, local: LocalTransport, preferred: str) -> None:
    page.evaluate("publish(['q', 'h'])")
    offer = parse(page.evaluate("offer()"))
    section = offer.sections[0]
    reply = SectionAnswer(
        "recvonly",
        codecs.accept_publish(section, preferred),
        extensions.accept_publish(section),
        section.rids,
    )
    page.evaluate("sdp => answered(sdp)", write_answer(offer, [reply], local, 1, 1))
    chosen = page.evaluate("pc.getSenders()[0].getParameters().codecs[0].mimeType")
    assert chosen.lower() == f"video/{preferred}"


def reply(offer: Description, mime: str, local: LocalTransport) -> str:
    """Send a track of that type on the video lines that can take it, everything else idle; reject mid 1."""
    answers = []
    for section in offer.sections:
        taken = extensions.accept_publish(section)
        fitting = codecs.accept_subscribe(section, [mime])
        if section.direction == "recvonly" and section.kind == "video" and fitting:
            track = SendingTrack("PA_a|TR_b", "TR_b", 7, 8, "PA_a") if section.mid == "2" else None
            answers.append(SectionAnswer("sendonly", fitting, taken, (), track))
        else:
            idle = codecs.accept_idle(section)
            answers.append(SectionAnswer("inactive", idle, taken, section.rids, rejected=section.mid == "1"))
    return write_answer(offer, answers, local, 1, 1)


def test_chromium_survives_pausing_reuse_and_rejection(page: Page, local: LocalTransport) -> None:
    page.evaluate("join()")
    page.evaluate("publish(['q', 'h', 'f'])")
    for mime in ("", "video/VP8", "", "video/AV1", "video/H264", "video/VP8"):
        offer = parse(page.evaluate("offer()"))
        page.evaluate("sdp => answered(sdp)", reply(offer, mime, local))
    assert page.evaluate("pc.signalingState") == "stable"
    published = parse(page.evaluate("offer()")).section("4")
    assert published is not None
    assert published.rids == ("q", "h", "f")


def test_chromium_answers_our_offers(page: Page, local: LocalTransport) -> None:
    check_answer([], "0", parse(page.evaluate("sdp => answer(sdp)", write_offer([], local, 5, 1, "0"))))
    theirs = parse(page.evaluate("sdp => answer(sdp)", write_offer(SENDING, local, 5, 2, "0")))
    check_answer(SENDING, "0", theirs)
    assert [section.direction for section in theirs.sections[1:]] == ["recvonly", "recvonly"]
    assert codecs.accept_subscribe(theirs.sections[1], ["video/vp8"])[0].payload_type == 96
    assert codecs.accept_subscribe(theirs.sections[2], ["audio/red"])[0].payload_type == 63
    assert extensions.accept_subscribe(theirs.sections[1]) == SENDING[0].extensions
    unused = [OfferSection(s.kind, s.mid, "inactive", s.codecs, s.extensions) for s in SENDING]
    theirs = parse(page.evaluate("sdp => answer(sdp)", write_offer(unused, local, 5, 3, "0")))
    assert [section.direction for section in theirs.sections[1:]] == ["inactive", "inactive"]
    received = page.evaluate("pc.getReceivers().map(r => r.track.id)")
    assert received == ["TR_y", "TR_x"]


def test_chromium_takes_every_codec_of_ours(page: Page, local: LocalTransport) -> None:
    video = tuple(codec for codec in codecs.OFFERED if codec.mime.startswith("video/"))
    audio = tuple(codec for codec in codecs.OFFERED if codec.mime.startswith("audio/"))
    sections = [
        OfferSection("video", "v", "sendonly", video, extensions.offered("video")),
        OfferSection("audio", "a", "sendonly", audio, extensions.offered("audio")),
    ]
    theirs = parse(page.evaluate("sdp => answer(sdp)", write_offer(sections, local, 5, 1)))
    assert {codec.name for codec in theirs.sections[0].codecs} >= {"VP8", "VP9", "H264", "AV1", "rtx"}
    assert [codec.name for codec in theirs.sections[1].codecs] == ["opus", "red", "G722", "PCMU", "PCMA"]
