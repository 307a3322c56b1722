"""RTCP of one transport: what is believed of it, what it leads to, and what is said in return."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sfu import control
from sfu.compiled.feedback import MEDIA_SSRC
from sfu.control import MediaKind, TrackId
from sfu.forwarding.downtrack import DownTrack
from sfu.forwarding.uptrack import Layer
from sfu.peer.feedback import (
    MAX_COMPOUND_BYTES,
    OVERLOADED_S,
    REPORTS_PER_PACKET,
    Feedback,
)
from sfu.rtp import ntp, rtcp
from tests.harness.lab import Lab
from tests.harness.lab_client import LabClient
from tests.harness.offers import Line
from tests.harness.rtp_source import AudioSource, StreamConfig, VideoSource, simulcast

CAMERA, VOICE = TrackId("TR_camera"), TrackId("TR_voice")
CAMERA_SSRC, VOICE_SSRC = 0x100, 0x77


class Wire:
    """Takes what a Feedback says."""

    def __init__(self, lab: Lab, client: LabClient) -> None:
        self.transport = lab.engine.transports[client.peer.id]
        self.feedback = Feedback(self.transport, self._put, lab.engine.context.acknowledgements)
        self.sent: list[bytes] = []
        self.resent: list[tuple[int, bytes]] = []

    def receive(self, *packets: bytes, now: float, unix_now: float = 0.0) -> None:
        self.feedback.receive(
            b"".join(packets), now, unix_now, lambda row, data: self.resent.append((row, data))
        )

    def said(self) -> list[list[rtcp.Packet]]:
        """What was sent since last asked, compound by compound."""
        said = [rtcp.parse_compound(data) for data in self.sent]
        self.sent.clear()
        return said

    def _put(self, row: int, data: bytes) -> None:
        assert row == self.transport.row
        self.sent.append(data)


@pytest_asyncio.fixture
async def lab() -> AsyncIterator[Lab]:
    made = Lab(seed=6)
    yield made
    made.close()


@pytest_asyncio.fixture
async def alice(lab: Lab) -> LabClient:
    """Publishes a camera and a microphone."""
    made = lab.join("alice")
    config = StreamConfig(CAMERA_SSRC, 96, mid="0", rtx_ssrc=0x101, rtx_payload_type=97)
    made.publish(CAMERA, VideoSource(config))
    made.publish(VOICE, AudioSource(StreamConfig(VOICE_SSRC, 111, 48_000, mid="1")))
    made.negotiate()
    return made


@pytest_asyncio.fixture
async def bob(lab: Lab, alice: LabClient) -> LabClient:
    """Watches and hears alice."""
    made = lab.join("bob")
    made.watch(CAMERA, VOICE)
    lab.run(0.5)
    return made


def _down(lab: Lab, client: LabClient, track_id: TrackId) -> DownTrack:
    return lab.engine.transports[client.peer.id].subscribing.down_tracks[track_id]


def _layer(lab: Lab, client: LabClient, track_id: TrackId) -> Layer:
    return lab.engine.transports[client.peer.id].publishing.tracks[track_id].layers[0]


def _block(ssrc: int, **fields: int) -> rtcp.ReportBlock:
    values = {"fraction_lost": 0, "cumulative_lost": 0, "highest_sequence": 1, "jitter": 0}
    return rtcp.ReportBlock(ssrc, **(values | {"last_report": 0, "delay": 0} | fields))  # type: ignore[arg-type]


# --- what is believed ---


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x80\xc9\x00\xff\0\0\0\1", b"\x80\xc9\x00\x01\0\0\0\1\x80"])
async def test_nonsense_is_counted(lab: Lab, bob: LabClient, data: bytes) -> None:
    wire = Wire(lab, bob)
    wire.receive(data, now=lab.now)
    assert wire.feedback.malformed == 1
    assert wire.sent == wire.resent == []


async def test_packets_about_streams_of_others_change_nothing(
    lab: Lab, alice: LabClient, bob: LabClient
) -> None:
    wire = Wire(lab, bob)
    down = _down(lab, bob, CAMERA)
    assert down.rendition is not None
    before = down.rendition.layer.keyframes.waiting
    for ssrc in (CAMERA_SSRC, 0xDEAD, down.rtx_ssrc):
        wire.receive(
            rtcp.build_receiver_report(rtcp.ReceiverReport(5, (_block(ssrc, last_report=1),))),
            rtcp.build_nack(5, ssrc, range(10)),
            rtcp.build_pli(5, ssrc),
            rtcp.build_fir(5, (rtcp.FirRequest(ssrc, 1),)),
            rtcp.build_sender_report(rtcp.SenderReport(ssrc, 1 << 40, 1, 1, 1)),
            rtcp.build_bye((ssrc,)),
            now=lab.now,
            unix_now=lab.unix_now,
        )
    assert wire.resent == []
    assert wire.feedback.rtt_s == 0.0
    assert down.rendition.layer.keyframes.waiting == before


async def test_the_round_trip_comes_from_reports_on_our_own_reports(lab: Lab, bob: LabClient) -> None:
    wire = Wire(lab, bob)
    down = _down(lab, bob, CAMERA)
    unix_now = lab.unix_now
    for rtt_s, expected_s in ((0.1, 0.1), (0.2, 0.175)):
        sent_at = ntp.middle(ntp.from_unix(unix_now - rtt_s - 1.0))
        block = _block(down.ssrc, last_report=sent_at, delay=65_536)
        wire.receive(
            rtcp.build_receiver_report(rtcp.ReceiverReport(5, (block,))), now=lab.now, unix_now=unix_now
        )
        assert wire.feedback.rtt_s == pytest.approx(expected_s, abs=0.001)


async def test_of_a_report_on_many_streams_the_newest_answer_counts(lab: Lab, bob: LabClient) -> None:
    wire = Wire(lab, bob)
    blocks = []
    for track, rtt_s, waited_s in ((CAMERA, 0.5, 2.0), (VOICE, 0.1, 1.0)):
        sent_at = ntp.middle(ntp.from_unix(lab.unix_now - rtt_s - waited_s))
        ssrc = _down(lab, bob, track).ssrc
        blocks.append(_block(ssrc, last_report=sent_at, delay=int(65_536 * waited_s)))
    report = rtcp.build_receiver_report(rtcp.ReceiverReport(5, tuple(blocks)))
    wire.receive(report, now=lab.now, unix_now=lab.unix_now)
    assert wire.feedback.rtt_s == pytest.approx(0.1, abs=0.001)


async def test_a_publishers_clock_is_noted(lab: Lab, alice: LabClient, bob: LabClient) -> None:
    wire = Wire(lab, alice)
    report = rtcp.build_sender_report(rtcp.SenderReport(CAMERA_SSRC, 0xFFFF << 32, 9000, 1, 1))
    wire.receive(report, now=lab.now)
    layer = wire.transport.publishing.tracks[CAMERA].layers[0]
    assert layer.clock.report is not None
    assert (layer.clock.report.ntp64, layer.clock.report.rtp) == (0xFFFF << 32, 9000)


# --- retransmission ---


async def test_what_is_lost_is_sent_again_under_its_own_ssrc(lab: Lab, bob: LabClient) -> None:
    wire = Wire(lab, bob)
    down = _down(lab, bob, CAMERA)
    newest = down.last_out().sequence
    wire.receive(rtcp.build_nack(5, down.ssrc, [(newest - n) & 0xFFFF for n in (3, 2)]), now=lab.now)
    assert [row for row, _ in wire.resent] == [wire.transport.row] * 2
    for number, (_, packet) in zip((3, 2), wire.resent, strict=True):
        assert int.from_bytes(packet[8:12], "big") == down.rtx_ssrc
        assert packet[1] & 0x7F == down.rtx_payload_type
        extension = 4 + 4 * int.from_bytes(packet[14:16], "big") if packet[0] & 0x10 else 0
        assert int.from_bytes(packet[12 + extension : 14 + extension], "big") == (newest - number) & 0xFFFF
    wire.receive(rtcp.build_nack(5, down.ssrc, [(newest - 3) & 0xFFFF]), now=lab.now + 0.001)
    assert len(wire.resent) == 2  # it is on its way


async def test_what_was_never_sent_is_not_sent_again(lab: Lab, bob: LabClient) -> None:
    wire = Wire(lab, bob)
    down = _down(lab, bob, CAMERA)
    newest = down.last_out().sequence
    wire.receive(
        rtcp.build_nack(5, down.ssrc, [(newest + n) & 0xFFFF for n in (1, 30_000, -30_000)]), now=lab.now
    )
    assert wire.resent == []


async def test_without_rtx_nothing_is_sent_again(lab: Lab, alice: LabClient) -> None:
    carol = lab.join("carol")
    carol.watch(CAMERA, line=Line("video", "", rtx=False))
    lab.run(0.5)
    wire = Wire(lab, carol)
    down = _down(lab, carol, CAMERA)
    assert down.rtx_payload_type == 0
    wire.receive(rtcp.build_nack(5, down.ssrc, [down.last_out().sequence & 0xFFFF]), now=lab.now)
    assert wire.resent == []


# --- key frames ---


@pytest.mark.parametrize("kind", ["pli", "fir"])
async def test_a_request_for_a_key_frame_reaches_the_publisher(
    lab: Lab, alice: LabClient, bob: LabClient, kind: str
) -> None:
    down = _down(lab, bob, CAMERA)
    alice.plis.clear()
    request = rtcp.build_pli(5, down.ssrc)
    if kind == "fir":
        request = rtcp.build_fir(5, (rtcp.FirRequest(down.ssrc, 1),))
    Wire(lab, bob).receive(request, now=lab.now)
    lab.run(1.0)
    assert [ssrc for _, ssrc in alice.plis] == [CAMERA_SSRC]


async def test_a_subscriber_cannot_make_a_storm_of_requests(
    lab: Lab, alice: LabClient, bob: LabClient
) -> None:
    wire, down = Wire(lab, bob), _down(lab, bob, CAMERA)
    alice.plis.clear()
    for _ in range(100):
        wire.receive(rtcp.build_pli(5, down.ssrc), now=lab.now)
        lab.run(0.05)
    assert len(alice.plis) <= 3


async def test_requests_for_sound_are_ignored(lab: Lab, alice: LabClient, bob: LabClient) -> None:
    down = _down(lab, bob, VOICE)
    Wire(lab, bob).receive(rtcp.build_pli(5, down.ssrc), now=lab.now)
    assert not _layer(lab, alice, VOICE).keyframes.waiting


async def test_before_its_first_packet_a_stream_is_asked_for_nothing(lab: Lab) -> None:
    """Requests that can't be answered would only delay the next one that can."""
    silent, bob = lab.join("silent"), lab.join("bob")
    silent.peer.expect(CAMERA, MediaKind.VIDEO)
    silent.peer.send_line(Line("video", "0", cid=CAMERA, ssrcs=(CAMERA_SSRC,)))
    silent.negotiate()
    bob.watch(CAMERA)
    lab.run(3.0)
    layer = _layer(lab, silent, CAMERA)
    assert layer.wanted
    assert layer.keyframes.sent == 0


# --- what is said ---


async def test_reports_name_the_publisher_as_sdp_does(lab: Lab, bob: LabClient) -> None:
    """Trap of lip sync: streams of one publisher play in step only under one CNAME."""
    wire = Wire(lab, bob)
    transport = wire.transport
    wire.feedback.report(lab.now + 10.0, lab.unix_now + 10.0)
    packets = [packet for compound in wire.said() for packet in compound]
    reports = [packet for packet in packets if isinstance(packet, rtcp.SenderReport)]
    assert {report.ssrc for report in reports} == {
        down.ssrc for down in transport.subscribing.down_tracks.values()
    }
    chunks = [chunk for packet in packets if isinstance(packet, rtcp.Sdes) for chunk in packet.chunks]
    for down in transport.subscribing.down_tracks.values():
        named = [chunk.cname for chunk in chunks if chunk.ssrc == down.ssrc]
        assert named == [transport.subscribing.sending(down).cname]


async def test_each_report_is_about_all_that_was_received(lab: Lab, alice: LabClient) -> None:
    lab.run(1.0)
    wire = Wire(lab, alice)
    for step in range(3):
        wire.feedback.report(lab.now + step, lab.unix_now)
    reports = [packet for compound in wire.said() for packet in compound]
    assert len(reports) == 3
    for report in reports:
        assert isinstance(report, rtcp.ReceiverReport)
        assert report.ssrc == wire.transport.rtcp_ssrc
        assert {block.ssrc for block in report.reports} == {CAMERA_SSRC, VOICE_SSRC}


async def test_many_streams_need_several_packets(lab: Lab) -> None:
    crowd, bob = lab.join("crowd"), lab.join("bob")
    for number in range(40):
        crowd.publish(f"TR_{number}", AudioSource(StreamConfig(1000 + number, 111, 48_000, mid=str(number))))
    crowd.negotiate()
    bob.watch(*(f"TR_{number}" for number in range(40)))
    lab.run(1.0)
    up, down = Wire(lab, crowd), Wire(lab, bob)
    up.feedback.report(lab.now, lab.unix_now)
    reports = [packet for compound in up.said() for packet in compound]
    assert [len(report.reports) for report in reports if isinstance(report, rtcp.ReceiverReport)] == [
        REPORTS_PER_PACKET,
        40 - REPORTS_PER_PACKET,
    ]
    down.feedback.report(lab.now + 10.0, lab.unix_now + 10.0)
    assert max(map(len, down.sent)) <= MAX_COMPOUND_BYTES
    sent = [
        packet for compound in down.said() for packet in compound if isinstance(packet, rtcp.SenderReport)
    ]
    assert len({report.ssrc for report in sent}) == 40


async def test_nothing_is_said_before_the_keys(lab: Lab) -> None:
    early = lab.join("early")
    wire = Wire(lab, early)
    wire.feedback.report(lab.now, lab.unix_now)
    wire.feedback.attend(lab.now, lab.unix_now)
    assert wire.sent == []


async def test_memory_of_retransmissions_ends_with_the_stream(
    lab: Lab, alice: LabClient, bob: LabClient
) -> None:
    wire, down = Wire(lab, bob), _down(lab, bob, CAMERA)
    wire.receive(rtcp.build_nack(5, down.ssrc, [down.last_out().sequence & 0xFFFF]), now=lab.now)
    for step in range(3):
        wire.feedback.report(lab.now + step, lab.unix_now)
    assert set(wire.feedback._octets) == {down.ssrc}
    for track_id in (CAMERA, VOICE):
        lab.engine.execute(control.Unsubscribe(bob.peer.id, track_id))
    wire.feedback.report(lab.now + 4.0, lab.unix_now)
    assert wire.feedback._octets == {}


async def test_an_overloaded_engine_asks_for_no_packets_but_for_key_frames(
    lab: Lab, alice: LabClient, bob: LabClient
) -> None:
    wire = Wire(lab, alice)
    stream = wire.transport.ingress.streams[CAMERA_SSRC]
    stream.nacks.received(stream.stats.highest + 10, lab.now)
    stream.layer.keyframes.request(lab.now)
    at = lab.now + 1.0
    assert wire.feedback.attend(at, lab.unix_now, overloaded=True) == pytest.approx(at + OVERLOADED_S)
    assert [type(packet) for compound in wire.said() for packet in compound] == [rtcp.Pli]
    stream.nacks.clear()
    stream.nacks.received(stream.stats.highest, at)
    stream.nacks.received(stream.stats.highest + 10, at)
    wire.feedback.attend(at, lab.unix_now, overloaded=False)
    assert [type(packet) for compound in wire.said() for packet in compound] == [rtcp.Nack]


async def test_simulcast_layers_are_asked_one_by_one(lab: Lab) -> None:
    alice, bob = lab.join("alice"), lab.join("bob")
    alice.publish(CAMERA, simulcast())
    alice.negotiate()
    bob.watch(CAMERA, spatial=0)
    lab.run(2.0)
    alice.plis.clear()
    lab.engine.execute(control.SetLayers(bob.peer.id, CAMERA, True, 2))
    lab.run(1.0)
    high = lab.engine.transports[alice.peer.id].publishing.tracks[CAMERA].layers[2].ssrc
    assert {ssrc for _, ssrc in alice.plis} == {high}


async def test_a_stream_that_joins_others_is_reported_soon(lab: Lab, alice: LabClient) -> None:
    """Although the next reports of those are seconds away: it plays in step only after its first."""
    carol = lab.join("carol")
    carol.watch(CAMERA)
    lab.run(8.0)
    carol.watch(VOICE)
    lab.run(0.6)
    voice = _down(lab, carol, VOICE).ssrc
    assert voice in {report.ssrc for _, report in carol.sender_reports}
    times = [at for at, report in carol.sender_reports if report.ssrc == voice]
    lab.run(8.0)
    assert len([at for at, report in carol.sender_reports if report.ssrc == voice]) > len(times) + 1


async def test_feedback_on_arrivals_names_a_stream_that_is_still_sent(lab: Lab, alice: LabClient) -> None:
    """Chromium ignores what names another."""
    lab.run(1.0)
    assert _named(lab, alice) == CAMERA_SSRC
    lab.engine.execute(control.DropTrack(alice.peer.id, CAMERA))
    lab.run(0.05)
    assert _named(lab, alice) == VOICE_SSRC


def _named(lab: Lab, client: LabClient) -> int:
    row = lab.engine.transports[client.peer.id].row
    return int(lab.engine.context.acknowledgements._states[row, MEDIA_SSRC])
