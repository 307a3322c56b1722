"""DTLS pairs joined in memory: keys, data, roles, profiles, ends, and what a transport costs."""

import asyncio
import gc
import tracemalloc
import weakref
from collections.abc import Sequence
from typing import Any

import pytest
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport

from sfu.net.dtls import MTU, Certificate, DtlsTransport
from sfu.net.dtls_handshake import OpenSslRecords
from sfu.net.dtls_records import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    CLOSE_NOTIFY,
    HANDSHAKE,
    MAX_CONTENT_SIZE,
    RecordLayer,
    epoch_of,
    split,
)
from sfu.net.errors import DtlsError
from sfu.net.srtp import (
    AEAD_AES_128_GCM,
    AEAD_AES_256_GCM,
    AES128_CM_SHA1_80,
    PROFILES,
    SrtpKeys,
    SrtpProfile,
)
from tests.harness.eventually import eventually

SERVER = Certificate.generate()
CLIENT = Certificate.generate()
SIZES = [1, 100, 1200, 5000, 16_000]


def fingerprints(certificate: Certificate) -> list[tuple[str, str]]:
    return [("sha-256", certificate.fingerprint)]


class Pair:
    """A server and a client; what one sends the other gets in the next turn of the loop."""

    def __init__(
        self,
        server_profiles: Sequence[SrtpProfile] = PROFILES,
        client_profiles: Sequence[SrtpProfile] = PROFILES,
    ) -> None:
        self.sent: list[bytes] = []
        self.at_server: list[bytes] = []
        self.at_client: list[bytes] = []
        self.closed: list[str] = []
        self.server = DtlsTransport(
            SERVER,
            "server",
            self.to_client,
            self.at_server.append,
            server_profiles,
            lambda: self.closed.append("server"),
        )
        self.client = DtlsTransport(CLIENT, "client", self.to_server, self.at_client.append, client_profiles)

    def to_client(self, datagram: bytes) -> None:
        self.sent.append(datagram)
        asyncio.get_running_loop().call_soon(self.client.feed, datagram)

    def to_server(self, datagram: bytes) -> None:
        self.sent.append(datagram)
        asyncio.get_running_loop().call_soon(self.server.feed, datagram)

    async def handshake(self, timeout_s: float = 5.0) -> tuple[SrtpKeys, SrtpKeys]:
        return await asyncio.gather(
            self.server.handshake(fingerprints(CLIENT), timeout_s),
            self.client.handshake(fingerprints(SERVER), timeout_s),
        )

    def close(self) -> None:
        self.server.close()
        self.client.close()


async def settle(turns: int = 5) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def test_both_ends_derive_the_same_keys_and_prefer_aes_128_gcm() -> None:
    pair = Pair()
    server, client = await pair.handshake()
    assert server.profile == client.profile == AEAD_AES_128_GCM
    assert (server.rx_key, server.tx_key) == (client.tx_key, client.rx_key)
    assert len(server.rx_key) == 28
    assert server.rx_key != server.tx_key
    assert pair.server.state == pair.client.state == "connected"
    pair.close()
    await settle()


async def test_data_flows_both_ways_and_several_records_per_datagram_all_arrive() -> None:
    pair = Pair()
    await pair.handshake()
    joined: list[bytes] = []
    pair.server._send = joined.append
    for number in range(3):
        pair.server.send_data(bytes([number]) * 100)
    pair.client.feed(b"".join(joined))
    assert pair.at_client == [bytes([number]) * 100 for number in range(3)]
    pair.client.send_data(b"hello")
    await settle()
    assert pair.at_server == [b"hello"]
    pair.close()
    await settle()


async def test_handshake_datagrams_stay_within_the_mtu_in_unfragmented_records() -> None:
    pair = Pair()
    await pair.handshake()
    assert max(map(len, pair.sent)) <= MTU
    assert any(len(datagram) > 300 for datagram in pair.sent)
    pair.close()
    await settle()


@pytest.mark.parametrize(
    ("ours", "theirs", "chosen"),
    [
        (PROFILES, (AES128_CM_SHA1_80, AEAD_AES_256_GCM, AEAD_AES_128_GCM), AEAD_AES_128_GCM),
        (PROFILES, (AEAD_AES_256_GCM, AES128_CM_SHA1_80), AES128_CM_SHA1_80),
        (PROFILES, (AEAD_AES_256_GCM,), AEAD_AES_256_GCM),
    ],
)
async def test_the_servers_preference_decides(
    ours: Sequence[SrtpProfile], theirs: Sequence[SrtpProfile], chosen: SrtpProfile
) -> None:
    pair = Pair(ours, theirs)
    server, client = await pair.handshake()
    assert server.profile == client.profile == chosen
    assert len(server.rx_key) == chosen.key_size + chosen.salt_size
    assert server.rx_key == client.tx_key
    pair.close()
    await settle()


async def test_every_fingerprint_algorithm_of_the_certificate_is_accepted() -> None:
    pair = Pair()
    every = [(one.algorithm.upper(), one.value.lower()) for one in CLIENT.getFingerprints()]
    await asyncio.gather(pair.server.handshake(every), pair.client.handshake(fingerprints(SERVER)))
    pair.close()
    await settle()


async def test_close_tells_the_peer_and_ends_every_task() -> None:
    before = asyncio.all_tasks()
    pair = Pair()
    await pair.handshake()
    pair.client.close()
    await settle()
    assert pair.closed == ["server"]
    assert pair.server.state == pair.client.state == "closed"
    assert asyncio.all_tasks() == before
    pair.client.send_data(b"late")
    pair.client.feed(b"late")
    pair.client.close()


async def test_close_during_the_handshake_ends_it() -> None:
    before = asyncio.all_tasks()
    lonely = DtlsTransport(CLIENT, "client", lambda _: None, lambda _: None)
    waiting = asyncio.ensure_future(lonely.handshake(fingerprints(SERVER)))
    await settle()
    lonely.close()
    with pytest.raises(DtlsError, match="closed"):
        await waiting
    assert asyncio.all_tasks() == before


async def test_cancelling_the_handshake_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    lonely = DtlsTransport(CLIENT, "client", lambda _: None, lambda _: None)
    waiting = asyncio.ensure_future(lonely.handshake(fingerprints(SERVER)))
    await settle()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert lonely.state == "closed"
    assert asyncio.all_tasks() == before


async def test_a_handshake_without_a_peer_times_out() -> None:
    lonely = DtlsTransport(SERVER, "server", lambda _: None, lambda _: None)
    with pytest.raises(DtlsError, match="timed out"):
        await lonely.handshake(fingerprints(CLIENT), timeout_s=0.01)
    assert lonely.state == "failed"


async def test_a_transport_shakes_hands_once() -> None:
    pair = Pair()
    await pair.handshake()
    with pytest.raises(DtlsError):
        await pair.server.handshake(fingerprints(CLIENT))
    pair.close()
    await settle()


class StockWire:
    """An ICE transport for an unmodified aiortc peer."""

    role = "controlling"

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self.deliver: Any = None

    async def _recv(self) -> bytes:
        return await self.inbox.get()

    async def _send(self, data: bytes) -> None:
        asyncio.get_running_loop().call_soon(self.deliver, data)


class StockReceiver:
    def __init__(self) -> None:
        self.received: list[bytes] = []

    async def _handle_data(self, data: bytes) -> None:
        self.received.append(data)


@pytest.mark.parametrize("ours", ["server", "client"])
async def test_an_unmodified_aiortc_peer(ours: Any) -> None:
    wire, receiver, received = StockWire(), StockReceiver(), []
    stock = RTCDtlsTransport(wire, [RTCCertificate.generateCertificate()])
    stock._register_data_receiver(receiver)
    stock._set_role("client" if ours == "server" else "server")
    transport = DtlsTransport(SERVER, ours, wire.inbox.put_nowait, received.append)
    wire.deliver = transport.feed
    theirs = [(one.algorithm, one.value) for one in stock.getLocalParameters().fingerprints]
    keys, _ = await asyncio.gather(
        transport.handshake(theirs, 5.0),
        stock.start(RTCDtlsParameters([RTCDtlsFingerprint("sha-256", SERVER.fingerprint)])),
    )
    assert stock.state == "connected"
    assert keys.profile in PROFILES
    transport.send_data(b"to aiortc")
    await stock._send_data(b"from aiortc")
    await eventually(lambda: received == [b"from aiortc"] and receiver.received == [b"to aiortc"])
    await stock.stop()
    await eventually(lambda: transport.state == "closed")


def stay_with_openssl(transport: DtlsTransport) -> None:
    """Do what is done for suites that our record layer doesn't know."""
    peer: Any = transport._peer

    def take() -> OpenSslRecords:
        ssl, peer._ssl = peer._ssl, None
        peer.end()
        return OpenSslRecords(ssl, transport._send)

    peer.take_records = take


def with_ciphers(names: bytes) -> Certificate:
    """A certificate whose connections offer these cipher suites only."""
    certificate = Certificate.generate()
    offered = DtlsTransport(certificate, "client", lambda _: None, lambda _: None)._peer
    certificate._create_ssl_context(vars(offered)["_srtp_profiles"]).set_cipher_list(names)
    return certificate


async def exchange(pair: Pair) -> None:
    """Data both ways, and the end of the association as the client wants it."""
    for size in SIZES:
        pair.client.send_data(bytes(size))
        pair.server.send_data(bytes(size))
    await settle()
    assert [len(data) for data in pair.at_server] == SIZES
    assert pair.at_client == pair.at_server
    assert pair.server.rejected == pair.client.rejected == 0
    pair.client.close()
    await settle()
    assert (pair.server.state, pair.closed) == ("closed", ["server"])


@pytest.mark.parametrize("on_openssl", ["server", "client", "both", "neither"])
async def test_a_side_with_our_records_and_one_on_openssl(on_openssl: str) -> None:
    pair = Pair()
    for name in ("server", "client"):
        if on_openssl in (name, "both"):
            stay_with_openssl(getattr(pair, name))
    await pair.handshake()
    assert isinstance(pair.server._records, RecordLayer) == (on_openssl in ("client", "neither"))
    assert isinstance(pair.client._records, RecordLayer) == (on_openssl in ("server", "neither"))
    await exchange(pair)


@pytest.mark.parametrize(
    ("names", "is_ours"),
    [
        (b"ECDHE-ECDSA-AES128-GCM-SHA256", True),
        (b"ECDHE-ECDSA-AES256-GCM-SHA384", True),
        (b"ECDHE-ECDSA-CHACHA20-POLY1305", True),
        (b"ECDHE-ECDSA-AES128-SHA", False),
        (b"ECDHE-ECDSA-AES256-SHA", False),
        (b"ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0", False),
    ],
)
async def test_suites_we_do_not_know_stay_with_openssl(
    names: bytes, is_ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = with_ciphers(names)
    monkeypatch.setitem(globals(), "SERVER", both)
    monkeypatch.setitem(globals(), "CLIENT", both)
    pair = Pair()
    await pair.handshake()
    assert isinstance(pair.server._records, RecordLayer) is is_ours
    await exchange(pair)


async def test_a_client_that_missed_our_last_flight_gets_it_again_but_not_forever() -> None:
    """The very records of its last flight come again, or new ones: OpenSSL numbers anew, others repeat."""
    pair = Pair()
    from_client: list[bytes] = []
    pair.client._peer._deliver = lambda datagram: (from_client.append(datagram), pair.to_server(datagram))  # type: ignore[union-attr]
    await pair.handshake()
    last = from_client[-1]
    assert any(record[0] == HANDSHAKE and epoch_of(record) == 1 for record in split(last))
    pair.sent.clear()
    pair.server.feed(last)
    flight = list(pair.sent)
    assert [record[0] for datagram in flight for record in split(datagram)] == [CHANGE_CIPHER_SPEC, HANDSHAKE]
    for _ in range(100):
        pair.server.feed(last)
    assert len(pair.sent) == 20 * len(flight)
    pair.client.send_data(b"still here")
    await settle()
    assert pair.at_server == [b"still here"]
    pair.close()


async def test_a_client_repeats_nothing_for_a_server() -> None:
    pair = Pair()
    await pair.handshake()
    pair.sent.clear()
    pair.client.feed(pair.server._records.protect(HANDSHAKE, b"\x14\0\0\x0c" + bytes(20)))  # type: ignore[union-attr, arg-type]
    pair.client.feed(pair.server._records.protect(HANDSHAKE, bytes(4)))  # type: ignore[union-attr, arg-type]
    assert pair.sent == []
    assert pair.client.state == "connected"
    pair.close()


@pytest.mark.parametrize(
    ("alert", "state", "refused"),
    [
        (b"\x01\x00", "closed", 0),
        (b"\x02\x00", "closed", 0),
        (b"\x02\x28", "closed", 0),
        (b"\x01\x64", "connected", 0),
        (b"\x07\x28", "connected", 0),
        (b"\x02", "connected", 1),
        (b"", "connected", 1),
        (b"\x02\x28\x02\x28", "connected", 1),
    ],
)
async def test_alerts(alert: bytes, state: str, refused: int) -> None:
    pair = Pair()
    await pair.handshake()
    pair.server.feed(pair.client._records.protect(ALERT, alert) * 2)  # type: ignore[union-attr, arg-type]
    assert pair.server.state == state
    assert pair.closed == (["server"] if state == "closed" else [])
    # The copy is a replay, unless nobody listens any more.
    assert pair.server.rejected == (0 if state == "closed" else refused + 1)
    pair.close()


async def test_what_follows_the_end_in_its_datagram_is_not_delivered() -> None:
    pair = Pair()
    await pair.handshake()
    records: Any = pair.client._records
    end, late = records.protect(ALERT, CLOSE_NOTIFY), records.protect(APPLICATION_DATA, b"late")
    pair.server.feed(end + late)
    assert (pair.at_server, pair.closed) == ([], ["server"])


async def test_data_that_no_record_holds_is_not_sent() -> None:
    pair = Pair()
    await pair.handshake()
    pair.sent.clear()
    pair.client.send_data(bytes(MAX_CONTENT_SIZE + 1))
    assert (pair.sent, pair.client.rejected) == ([], 1)
    pair.server.feed(b"")
    pair.server.feed(bytes(20_000))
    assert pair.server.rejected == 2
    pair.close()


async def test_the_handshake_and_its_task_are_gone_once_it_is_over() -> None:
    before = asyncio.all_tasks()
    pair = Pair()
    handshakes = [weakref.ref(pair.server._peer), weakref.ref(pair.client._peer)]
    await pair.handshake()
    await settle()
    gc.collect()
    assert [reference() for reference in handshakes] == [None, None]
    assert asyncio.all_tasks() == before
    assert pair.server.state == "connected"
    pair.close()


def resident_bytes() -> int:
    with open("/proc/self/statm") as statm:  # noqa: PTH123
        return int(statm.read().split()[1]) * 4096


@pytest.mark.parametrize(("records", "at_most_kb"), [("ours", 12), ("OpenSSL's", 120)])
async def test_memory_per_transport_is_bounded(
    records: str, at_most_kb: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """One pair is two transports. What OpenSSL used and freed may stay with the process, so those that go on
    with our records are many: what they leave behind is shared."""

    async def connect(count: int) -> list[Pair]:
        pairs = [Pair() for _ in range(count)]
        for pair in pairs:
            if records != "ours":
                stay_with_openssl(pair.server)
                stay_with_openssl(pair.client)
            await pair.handshake()
            pair.sent.clear()
        return pairs

    warm_up = await connect(20)
    before = resident_bytes()
    pairs = await connect(60 if records != "ours" else 200)
    each_kb = (resident_bytes() - before) / (2 * len(pairs)) / 1000
    with capsys.disabled():
        print(f"\nDTLS transport with {records} records: {each_kb:.1f} kB resident")
    assert each_kb < at_most_kb
    for pair in [*warm_up, *pairs]:
        pair.close()
    await settle()


async def test_python_objects_of_closed_transports_are_freed() -> None:
    async def churn(count: int) -> None:
        for _ in range(count):
            pair = Pair()
            await pair.handshake()
            pair.close()
            await settle()

    await churn(5)
    gc.collect()
    tracemalloc.start()
    await churn(5)
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    await churn(20)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 100_000
