"""One tick: what each datagram is taken for, what is refused, and what goes out at the end of it."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from sfu.control import MediaKind
from sfu.forwarding.binding import MAX_SSRCS
from sfu.net.tcp import TcpPeer
from sfu.rtp import rtcp
from sfu.rtp.header import PacketClass, demux
from sfu.tick import MAX_WAIT_S
from tests.harness.lab import Lab
from tests.harness.lab_client import LabClient
from tests.harness.offers import OPUS, Line
from tests.harness.rtp_stream import rtp_header


@pytest_asyncio.fixture
async def lab() -> AsyncIterator[Lab]:
    made = Lab(seed=3)
    yield made
    made.close()


@pytest_asyncio.fixture
async def speaker(lab: Lab) -> LabClient:
    """A client that publishes a microphone under SSRC 1, connected."""
    return _speaker(lab, "speaker")


@pytest_asyncio.fixture
async def listener(lab: Lab, speaker: LabClient) -> LabClient:
    made = lab.join("listener")
    made.watch("TR_speaker")
    return made


def _speaker(lab: Lab, name: str, ssrc: int = 1) -> LabClient:
    client = lab.join(name)
    client.peer.expect(f"TR_{name}", MediaKind.AUDIO)
    client.peer.send_line(Line("audio", "0", cid=f"TR_{name}", ssrcs=(ssrc,)))
    client.negotiate()
    return client


def _rtp(sequence: int, ssrc: int = 1, payload: bytes = b"sound") -> bytes:
    return rtp_header(OPUS, sequence, 960 * sequence, ssrc, False) + payload


def _put(lab: Lab, client: LabClient, *datagrams: bytes) -> None:
    """Let datagrams of a client's address reach the engine in one batch."""
    for data in datagrams:
        lab._port.put(client.host, data, lab._arrival_us())
    lab._turn()


def _came(lab: Lab) -> int:
    """Media packets that reached a stream."""
    transports = lab.engine.transports.values()
    return sum(
        stream.stats.packets for transport in transports for stream in transport.ingress.streams.values()
    )


def _sent_to(lab: Lab, client: LabClient) -> list[bytes]:
    """RTP that reached a client, protected."""
    arrived = client.down.receive(lab.now + 1)
    return [data for data in arrived if demux(data[0], data[1]) is PacketClass.RTP]


def _heard(lab: Lab, client: LabClient) -> list[bytes]:
    """Payloads that reached a client."""
    plain = [client.peer.srtp.unprotect(data) for data in _sent_to(lab, client)]
    return [packet[-5:] for packet in plain if packet is not None]


# --- what is it? ---


async def test_media_is_forwarded_at_the_end_of_the_tick(
    lab: Lab, speaker: LabClient, listener: LabClient
) -> None:
    packets = [speaker.peer.srtp.protect(_rtp(n, payload=b"word%d" % n)) for n in (1, 2, 3)]
    _put(lab, speaker, packets[0])  # the layer comes alive
    lab.run(0.02)
    _heard(lab, listener)
    sent = lab.engine.egress.counters.packets
    _put(lab, speaker, *packets[1:])
    assert _heard(lab, listener) == [b"word2", b"word3"]
    assert lab.engine.egress.counters.packets == sent + 2


async def test_the_first_packet_of_a_track_is_forwarded(
    lab: Lab, speaker: LabClient, listener: LabClient
) -> None:
    _put(lab, speaker, speaker.peer.srtp.protect(_rtp(1, payload=b"first")))
    assert _heard(lab, listener) == [b"first"]


async def test_strangers_get_nowhere(lab: Lab, speaker: LabClient) -> None:
    strangers = lab.engine.mux.strangers
    packet = speaker.peer.srtp.protect(_rtp(1))
    for data in (packet, b"\x16\xfe\xfd" + bytes(50), b"\x00\x01\x00\x00" + bytes(16)):
        lab._port.put("10.9.9.9", data, 0)
    lab._turn()
    assert lab.engine.mux.strangers == strangers + 3
    assert _came(lab) == 0


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\x80\x6f", b"\x81\xc9", b"\x80\x6f" + bytes(9), b"\x46" * 40, b"\xff" * 40]
)
async def test_what_is_too_short_or_nothing_known_is_dropped(
    lab: Lab, speaker: LabClient, data: bytes
) -> None:
    _put(lab, speaker, data)
    assert _came(lab) == 0


async def test_media_before_the_keys_is_rejected(lab: Lab, speaker: LabClient) -> None:
    early = lab.join("early")
    early.peer.receive_lines(audio=1)
    early.peer.offer()
    lab._port.put(early.host, early.peer.check(), 0)
    lab._turn()
    rejected = lab.engine.tick.rejected
    _put(lab, early, early.peer.srtp.protect(_rtp(1)), early.peer.srtp.protect_rtcp(_report(5)))
    assert lab.engine.tick.rejected == rejected + 2


async def test_forged_and_repeated_packets_are_rejected(
    lab: Lab, speaker: LabClient, listener: LabClient
) -> None:
    packet = speaker.peer.srtp.protect(_rtp(1, payload=b"hello"))
    bent = packet[:-1] + bytes([packet[-1] ^ 1])
    _put(lab, speaker, bent, packet, packet, bent)
    assert lab.engine.tick.rejected == 3
    assert _heard(lab, listener) == [b"hello"]


async def test_rtcp_goes_to_feedback(lab: Lab, speaker: LabClient) -> None:
    feedback = lab.engine.tick.feedback[lab.engine.transports[speaker.peer.id]]
    report = rtcp.build_sender_report(rtcp.SenderReport(1, 1 << 40, 960, 1, 5), "me")
    _put(lab, speaker, speaker.peer.srtp.protect(_rtp(1)), speaker.peer.srtp.protect_rtcp(report))
    stream = lab.engine.transports[speaker.peer.id].ingress.streams[1]
    assert stream.stats.sender_clock is not None
    assert feedback.malformed == 0
    _put(lab, speaker, speaker.peer.srtp.protect_rtcp(b"\x80\xc9\x00\xff" + bytes(4)))
    assert feedback.malformed == 1


@pytest.mark.parametrize(
    ("early_us", "waited_s"),
    [(0, 0.0), (30_000, 0.03), (3_600_000_000, MAX_WAIT_S), (-3_600_000_000, 0.0)],
    ids=["at once", "late", "the clock was set", "or set back"],
)
async def test_rtcp_counts_from_when_it_came(
    lab: Lab, speaker: LabClient, early_us: int, waited_s: float
) -> None:
    feedback = lab.engine.tick.feedback[lab.engine.transports[speaker.peer.id]]
    came: list[tuple[float, float]] = []
    feedback.receive = lambda data, now, unix_now, resend: came.append((now, unix_now))  # type: ignore[method-assign]
    lab._port.put(speaker.host, speaker.peer.srtp.protect_rtcp(_report(5)), lab._arrival_us() - early_us)
    lab._turn()
    assert came == [
        (pytest.approx(lab.now - waited_s, abs=1e-4), pytest.approx(lab.unix_now - waited_s, abs=1e-4))
    ]


async def test_dtls_reaches_its_transport_only_from_a_valid_address(lab: Lab, speaker: LabClient) -> None:
    transport = lab.engine.transports[speaker.peer.id]
    records: list[bytes] = []
    transport.dtls_record = records.append  # type: ignore[method-assign]
    _put(lab, speaker, b"\x16\xfe\xfdrecord")
    assert records == [b"\x16\xfe\xfdrecord"]


# --- whose SSRC is it? ---


def _report(ssrc: int) -> bytes:
    return rtcp.build_receiver_report(rtcp.ReceiverReport(ssrc, ()))


def _flood(client: LabClient, kind: str) -> Iterator[bytes]:
    for ssrc in range(1000, 1000 + 3 * MAX_SSRCS):
        srtp = client.peer.srtp
        unknown = rtp_header(100, 1, 1, ssrc, False) + b"of no negotiated type"
        yield srtp.protect_rtcp(_report(ssrc)) if kind == "rtcp" else srtp.protect(unknown)
        client.peer.srtp.remove_stream(ssrc)


@pytest.mark.parametrize("kind", ["rtp", "rtcp"])
async def test_the_ssrcs_of_a_client_are_bounded_but_not_for_life(
    lab: Lab, speaker: LabClient, listener: LabClient, kind: str
) -> None:
    """Who publishes again and again for days uses more than any limit, and must be heard to the end."""
    _put(lab, speaker, speaker.peer.srtp.protect(_rtp(1, payload=b"begin")))
    for data in _flood(speaker, kind):
        _put(lab, speaker, data)
    ingress = lab.engine.transports[speaker.peer.id].ingress
    assert len(ingress._heard) == MAX_SSRCS
    assert 1 in ingress._heard  # it is in use
    repeated = speaker.peer.srtp.protect(_rtp(2, payload=b"again"))
    rejected = lab.engine.tick.rejected
    _put(lab, speaker, repeated, repeated)
    assert lab.engine.tick.rejected == rejected + 1  # its replay window is the one from before
    assert _heard(lab, listener) == [b"begin", b"again"]


async def test_forgers_use_up_nobodys_share(lab: Lab, speaker: LabClient, listener: LabClient) -> None:
    _put(lab, speaker, *(_rtp(1, ssrc) + bytes(16) for ssrc in range(1000, 1000 + 60)))
    assert not lab.engine.transports[speaker.peer.id].ingress._heard
    _put(lab, speaker, speaker.peer.srtp.protect(_rtp(1, payload=b"hello")))
    assert _heard(lab, listener) == [b"hello"]


async def test_a_stream_of_ours_with_the_ssrc_of_a_forgotten_one_goes_on(
    lab: Lab, speaker: LabClient, listener: LabClient
) -> None:
    """Else a client could make the server begin a stream anew, with numbers that it has used."""
    _put(lab, speaker, *(speaker.peer.srtp.protect(_rtp(n)) for n in (1, 2)))
    (ours,) = {stream.ssrc for stream in listener.peer.received.values()}
    _put(lab, listener, listener.peer.srtp.protect(_rtp(7, ours)))
    for data in _flood(listener, "rtp"):
        _put(lab, listener, data)
    first = listener.peer.srtp.unprotect(_sent_to(lab, listener)[0])
    assert first is not None
    row = lab.engine.transports[listener.peer.id].row
    assert lab.engine.peers.srtp.protect(row, first) is None


async def test_only_retransmissions_repair(lab: Lab, speaker: LabClient) -> None:
    """A payload type that no m-line has binds its SSRC to nothing, or a good packet of it could not do so later."""
    _put(lab, speaker, speaker.peer.srtp.protect(rtp_header(100, 1, 1, 55, False) + b"\0\1sound"))
    assert not lab.engine.transports[speaker.peer.id].ingress.repairs


# --- batches, TCP, retransmissions ---


async def test_draining_says_whether_more_may_wait(lab: Lab, speaker: LabClient) -> None:
    size = lab._port.batch_size
    for _ in range(size + 3):
        lab._port.put(speaker.host, b"\x46\x46", 0)
    assert lab.engine.tick.turn(lab._port, lab.now, lab.unix_now)  # type: ignore[arg-type]
    assert not lab.engine.tick.turn(lab._port, lab.now, lab.unix_now)  # type: ignore[arg-type]


async def test_after_a_batch_of_many_copies_a_smaller_one_is_taken(
    lab: Lab, speaker: LabClient, listener: LabClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfu.appetite.COPIES", 20)
    _put(lab, speaker, *(speaker.peer.srtp.protect(_rtp(number)) for number in range(1, 61)))
    for number in range(61, 90):
        lab._port.put(speaker.host, speaker.peer.srtp.protect(_rtp(number)), 0)
    assert lab.engine.tick.turn(lab._port, lab.now, lab.unix_now)  # type: ignore[arg-type]
    assert lab._port.filled == 20
    assert not lab.engine.tick.turn(lab._port, lab.now, lab.unix_now)  # type: ignore[arg-type]


class Connection(TcpPeer):
    """An ICE-TCP connection that keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__(lambda peer, data: None, lambda peer: True, lambda peer: None)
        self.host, self.port = "10.1.1.1", 4000
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> bool:
        self.sent.append(data)
        return True


async def test_media_over_tcp(lab: Lab, speaker: LabClient, listener: LabClient) -> None:
    connection = Connection()
    tick: Any = lab.engine.tick
    tick.tcp(connection, speaker.peer.srtp.protect(_rtp(1, payload=b"early")))
    strangers = lab.engine.mux.strangers
    assert strangers
    tick.tcp(connection, speaker.peer.check())
    assert speaker.peer.is_confirmed(connection.sent[0])
    for n, data in enumerate((b"", b"\x80", bytes([0x80]) * 3000)):
        tick.tcp(connection, data)
        assert _came(lab) == 0, n
    tick.tcp(connection, speaker.peer.srtp.protect(_rtp(2, payload=b"hello")))
    tick.finish()
    assert _heard(lab, listener) == [b"hello"]
    assert lab.engine.mux.strangers == strangers


async def test_a_packet_too_large_to_send_again_is_left_out(lab: Lab, speaker: LabClient) -> None:
    row = lab.engine.transports[speaker.peer.id].row
    lab.engine.tick.resend(row, bytes(4000))
    assert lab.engine.context.losses.retransmissions == 1
    lab.engine.tick.resend(row, _rtp(1, 77, bytes(1400)))
    lab.engine.tick.finish()
    assert len(_sent_to(lab, speaker)) == 1


async def test_more_retransmissions_than_rows(lab: Lab, speaker: LabClient) -> None:
    row = lab.engine.transports[speaker.peer.id].row
    capacity = lab.engine.forwarder._lanes[0].arena.capacity
    for sequence in range(capacity + 5):
        lab.engine.tick.resend(row, _rtp(sequence, 77))
    lab.engine.tick.finish()
    assert lab.engine.egress.counters.packets == capacity + 5
