"""Fault plan 19 to 28: DTLS peers that lose, repeat, cut, lie, refuse, or aren't who they say.

Timers of the handshake are OpenSSL's and read the real clock, so the tests of loss do too.
"""

import asyncio
import contextlib
import datetime
import os
import random
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL

from sfu.net.dtls import MAX_QUEUED_DATAGRAMS, Certificate, DtlsTransport, Role
from sfu.net.errors import DtlsError
from sfu.net.srtp import AEAD_AES_128_GCM, AEAD_AES_256_GCM, SrtpKeys, SrtpProfile

SERVER = Certificate.generate()
CLIENT = Certificate.generate()
STRANGER = Certificate.generate()
Filter = Callable[[bytes], Sequence[tuple[float, bytes]]]


def fingerprints(certificate: Certificate) -> list[tuple[str, str]]:
    return [("sha-256", certificate.fingerprint)]


def record(kind: int, body: bytes, epoch: int = 0, sequence: int = 0, version: int = 0xFEFD) -> bytes:
    return (
        struct.pack("!BHHHIH", kind, version, epoch, sequence >> 32, sequence & 0xFFFFFFFF, len(body)) + body
    )


class Link:
    """Two of our transports with a network between them that a test describes."""

    def __init__(
        self,
        to_server: Filter | None = None,
        to_client: Filter | None = None,
        roles: tuple[Role, Role] = ("server", "client"),
        profiles: tuple[Sequence[SrtpProfile], Sequence[SrtpProfile]] | None = None,
    ) -> None:
        ours, theirs = profiles or ((AEAD_AES_128_GCM,), (AEAD_AES_128_GCM,))
        self.at_server: list[bytes] = []
        self.closed = 0
        self.server = DtlsTransport(
            SERVER,
            roles[0],
            lambda data: self.carry(data, self.client, to_client),
            self.at_server.append,
            ours,
            self.count_close,
        )
        self.client = DtlsTransport(
            CLIENT, roles[1], lambda data: self.carry(data, self.server, to_server), lambda _: None, theirs
        )

    def count_close(self) -> None:
        self.closed += 1

    def carry(self, data: bytes, to: DtlsTransport, through: Filter | None) -> None:
        loop = asyncio.get_running_loop()
        for delay_s, datagram in through(data) if through else ((0.0, data),):
            loop.call_later(delay_s, to.feed, datagram)

    async def handshake(
        self,
        timeout_s: float = 10.0,
        of_client: list[tuple[str, str]] | None = None,
        of_server: list[tuple[str, str]] | None = None,
    ) -> list[SrtpKeys | BaseException]:
        return await asyncio.gather(
            self.server.handshake(fingerprints(CLIENT) if of_client is None else of_client, timeout_s),
            self.client.handshake(fingerprints(SERVER) if of_server is None else of_server, timeout_s),
            return_exceptions=True,
        )

    async def close(self) -> None:
        self.server.close()
        self.client.close()
        await asyncio.sleep(0)


class RawClient:
    """A DTLS client of any certificate and settings against a server of ours."""

    def __init__(
        self, key: Any, certificate: x509.Certificate, srtp: bytes = b"SRTP_AEAD_AES_128_GCM"
    ) -> None:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        context.set_cipher_list(b"ALL:@SECLEVEL=0")
        context.use_certificate(certificate)
        context.use_privatekey(key)
        if srtp:
            context.set_tlsext_use_srtp(srtp)
        self.context = context
        self.certificate = certificate
        self.received: list[bytes] = []
        self.server = DtlsTransport(SERVER, "server", self.take, self.received.append)
        self.ssl: Any = None

    def take(self, datagram: bytes) -> None:
        self.ssl.bio_write(datagram)
        asyncio.get_running_loop().call_soon(self.step)

    def step(self) -> None:
        with contextlib.suppress(SSL.Error):
            self.ssl.do_handshake()
        self.flush()

    def flush(self) -> None:
        try:
            datagram = self.ssl.bio_read(16_384)
        except SSL.Error:
            return
        asyncio.get_running_loop().call_soon(self.server.feed, datagram)

    async def handshake(self, timeout_s: float = 2.0) -> SrtpKeys:
        self.ssl = SSL.Connection(self.context)
        self.ssl.set_connect_state()
        self.ssl.set_ciphertext_mtu(1200)
        asyncio.get_running_loop().call_soon(self.step)
        digest = self.certificate.fingerprint(hashes.SHA256()).hex(":").upper()
        return await self.server.handshake([("sha-256", digest)], timeout_s)


def certificate_of(key: Any, days: int = 30, filler: int = 0) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "peer")])
    now = datetime.datetime.now(tz=datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=400))
        .not_valid_after(now + datetime.timedelta(days=days))
    )
    if filler:
        oid = x509.ObjectIdentifier("1.2.3.4")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, os.urandom(filler)), critical=False)
    return builder.sign(key, hashes.SHA256())


async def first_flight() -> bytes:
    """A ClientHello as our client sends it."""
    sent: list[bytes] = []
    client = DtlsTransport(CLIENT, "client", sent.append, lambda _: None)
    waiting = asyncio.ensure_future(client.handshake(fingerprints(SERVER)))
    await asyncio.sleep(0)
    client.close()
    await asyncio.gather(waiting, return_exceptions=True)
    return sent[0]


# 19 to 21: fragments, garbage, loss


async def test_dtls_frag_duplicated_reversed_and_repeated_records() -> None:
    def mangle(datagram: bytes) -> Sequence[tuple[float, bytes]]:
        return ((0.002, datagram), (0.0, datagram), (0.004, datagram))

    link = Link(mangle, mangle)
    server, client = await link.handshake()
    assert isinstance(server, SrtpKeys)
    assert isinstance(client, SrtpKeys)
    assert server.rx_key == client.tx_key
    await link.close()


@pytest.mark.parametrize(
    "header",
    [
        bytes.fromhex("01ffffff0000000000000000"),
        bytes.fromhex("01ffffff0000fffff0000010") + bytes(16),
        bytes.fromhex("010000100000000008000010") + bytes(16),
        bytes.fromhex("010000100000000000000000"),
        bytes.fromhex("01000010ffff000000000010") + bytes(16),
        bytes.fromhex("100000100000000000000010") + bytes(16),
    ],
    ids=["length 2^24-1", "end of 2^24-1", "past the end", "zero-length", "far sequence", "wrong message"],
)
async def test_dtls_frag_that_lies_before_a_good_handshake(header: bytes) -> None:
    """It may cost the peer its handshake, not more; what is merely strange is survived."""
    link = Link()
    for sequence in range(5):
        link.server.feed(record(22, header, sequence=1000 + sequence))
    outcome = await link.handshake(timeout_s=0.5)
    assert all(isinstance(one, SrtpKeys | DtlsError) for one in outcome)
    assert link.at_server == []
    await link.close()


async def test_dtls_garbage_during_and_after_the_handshake() -> None:
    chance = random.Random(20)
    garbage = [
        b"\x14",
        record(22, b"", version=0x0000),
        record(22, bytes(50), version=0x0303),
        record(23, bytes(30)),
        record(22, bytes(30), epoch=7),
        record(22, bytes(12), sequence=(1 << 48) - 1),
        record(22, bytes(50))[:20],
        *[bytes([kind]) + chance.randbytes(40) for kind in range(20, 64) if kind != 22],
        *[record(kind, chance.randbytes(60), epoch=1, sequence=5) for kind in range(20, 64)],
    ]

    def mixed(datagram: bytes) -> Sequence[tuple[float, bytes]]:
        return [(0.0, chance.choice(garbage)), (0.0, chance.choice(garbage)), (0.001, datagram)]

    link = Link(mixed, mixed)
    server, client = await link.handshake()
    assert isinstance(server, SrtpKeys)
    assert isinstance(client, SrtpKeys)
    for datagram in garbage:
        link.server.feed(datagram)
    link.server.feed(b"")
    link.server.feed(bytes(20_000))
    link.client.send_data(b"still here")
    await asyncio.sleep(0.05)
    assert link.at_server == [b"still here"]
    await link.close()


async def test_dtls_replayed_records_are_delivered_once() -> None:
    link = Link(lambda datagram: ((0.0, datagram),) * 3)
    await link.handshake()
    link.client.send_data(b"once")
    await asyncio.sleep(0.05)
    assert link.at_server == [b"once"]
    await link.close()


@pytest.mark.parametrize("seed", range(4))
async def test_dtls_loss_of_half_of_everything(seed: int) -> None:
    chance = random.Random(seed)

    def lossy(datagram: bytes) -> Sequence[tuple[float, bytes]]:
        return ((0.0, datagram),) if chance.random() < 0.5 else ()

    link = Link(lossy, lossy)
    server, client = await link.handshake(timeout_s=30.0)
    assert isinstance(server, SrtpKeys)
    assert isinstance(client, SrtpKeys)
    assert server.rx_key == client.tx_key
    await link.close()


@pytest.mark.parametrize("lost", [2, 3])
async def test_dtls_loss_of_a_flight_does_not_wait_for_openssl(lost: int) -> None:
    """Bug 10: OpenSSL repeats the server's flight after 1, 3 and 7 s; we begin after a tenth of a second."""
    sent = 0

    def drop_the_first(datagram: bytes) -> Sequence[tuple[float, bytes]]:
        nonlocal sent
        sent += 1
        return ((0.0, datagram),) if sent > lost else ()

    link = Link(to_client=drop_the_first)
    started = time.perf_counter()
    server, client = await link.handshake()
    assert isinstance(server, SrtpKeys)
    assert isinstance(client, SrtpKeys)
    assert time.perf_counter() - started < 2.5
    await link.close()


async def test_dtls_loss_delay_of_two_seconds() -> None:
    def slow(datagram: bytes) -> Sequence[tuple[float, bytes]]:
        return ((0.5, datagram),)

    link = Link(slow, slow)
    server, client = await link.handshake(timeout_s=20.0)
    assert isinstance(server, SrtpKeys)
    assert isinstance(client, SrtpKeys)
    await link.close()


# 22 to 24: who it is, and what it wants


@pytest.mark.parametrize(
    "claimed",
    [
        fingerprints(STRANGER),
        [],
        [("sha-1", "00:11")],
        [("md5", CLIENT.fingerprint)],
        [("sha-256", "")],
        [("sha-512", CLIENT.fingerprint)],
        [*fingerprints(CLIENT), *fingerprints(STRANGER)],
        [("sha-256", CLIENT.fingerprint.replace(":", ""))],
    ],
    ids=["mismatch", "missing", "sha-1", "md5", "empty", "wrong algorithm", "one of two", "no colons"],
)
async def test_dtls_fingerprint(claimed: list[tuple[str, str]]) -> None:
    link = Link()
    outcome = await link.handshake(timeout_s=0.5, of_client=claimed)
    assert isinstance(outcome[0], DtlsError)
    link.client.send_data(b"from nobody we know")
    await asyncio.sleep(0.02)
    assert link.at_server == []
    assert link.server.state != "connected"
    await link.close()


async def test_dtls_fingerprint_several_of_which_one_algorithm_is_unknown() -> None:
    link = Link()
    outcome = await link.handshake(
        of_client=[("sha-1", "00"), (" SHA-256 ", f" {CLIENT.fingerprint.lower()} ")]
    )
    assert isinstance(outcome[0], SrtpKeys)
    await link.close()


@pytest.mark.parametrize("roles", [("server", "server"), ("client", "client")])
async def test_dtls_roles_that_clash(roles: tuple[Role, Role]) -> None:
    link = Link(roles=roles)
    assert all(isinstance(one, DtlsError) for one in await link.handshake(timeout_s=0.5))
    await link.close()


async def test_dtls_no_srtp_in_common() -> None:
    link = Link(profiles=((AEAD_AES_128_GCM,), (AEAD_AES_256_GCM,)))
    outcome = await link.handshake(timeout_s=0.5)
    assert all(isinstance(one, DtlsError) for one in outcome)
    await link.close()


async def test_dtls_no_srtp_asked_for() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    client = RawClient(key, certificate_of(key), srtp=b"")
    with pytest.raises(DtlsError, match="SRTP profile"):
        await client.handshake()
    assert client.server.state == "failed"
    client.server.close()


# 25: what may end a connection


async def test_dtls_renegotiate_is_ignored() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    client = RawClient(key, certificate_of(key))
    await client.handshake()
    await asyncio.sleep(0.01)
    answers: list[bytes] = []
    client.server._send = answers.append
    client.ssl.renegotiate()
    client.step()
    await asyncio.sleep(0.01)
    assert client.server.state == "connected"
    assert answers == []
    client.server.close()
    await asyncio.sleep(0)


async def test_dtls_close_notify_mid_call() -> None:
    link = Link()
    await link.handshake()
    link.client.close()
    await asyncio.sleep(0.01)
    assert (link.server.state, link.closed) == ("closed", 1)
    link.server.send_data(b"into the void")
    await link.close()


async def test_dtls_alert_fatal_spoofed_before_the_end_of_the_handshake() -> None:
    alert = record(21, b"\x02\x28", sequence=9)

    def forged(datagram: bytes) -> Sequence[tuple[float, bytes]]:
        return [(0.0, alert), (0.0, datagram + alert), (0.0, alert)]

    link = Link(forged, forged)
    server, client = await link.handshake()
    assert isinstance(server, SrtpKeys)
    assert isinstance(client, SrtpKeys)
    for sequence in range(5):
        link.server.feed(record(21, b"\x02\x28", sequence=100 + sequence))
        link.server.feed(record(21, b"\x01\x00", sequence=200 + sequence))
    link.client.send_data(b"still here")
    await asyncio.sleep(0.01)
    assert link.at_server == [b"still here"]
    await link.close()


# 26: certificates


async def test_dtls_cert_expired_is_fine_when_the_fingerprint_is() -> None:
    """WebRTC certificates are their fingerprints; clocks of clients are what they are."""
    key = ec.generate_private_key(ec.SECP256R1())
    client = RawClient(key, certificate_of(key, days=-10))
    assert isinstance(await client.handshake(), SrtpKeys)
    client.server.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: rsa.generate_private_key(65537, 1024),
        lambda: rsa.generate_private_key(65537, 2048),
        lambda: ec.generate_private_key(ec.SECP521R1()),
        lambda: ec.generate_private_key(ec.SECP256K1()),
        lambda: ec.generate_private_key(ec.BrainpoolP256R1()),
    ],
    ids=["RSA-1024", "RSA-2048", "P-521", "secp256k1", "brainpool"],
)
async def test_dtls_cert_of_other_kinds_connects_or_fails_cleanly(make: Callable[[], Any]) -> None:
    key = make()
    client = RawClient(key, certificate_of(key))
    outcome = await asyncio.gather(client.handshake(timeout_s=1.0), return_exceptions=True)
    assert isinstance(outcome[0], SrtpKeys | DtlsError)
    client.server.close()
    await asyncio.sleep(0)


async def test_dtls_cert_of_ten_kilobytes() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    client = RawClient(key, certificate_of(key, filler=10_000))
    outcome = await asyncio.gather(client.handshake(timeout_s=2.0), return_exceptions=True)
    assert isinstance(outcome[0], SrtpKeys | DtlsError)
    client.server.close()
    await asyncio.sleep(0)


# 27 and 28: floods


async def test_dtls_early_datagrams_are_bounded() -> None:
    hello = await first_flight()
    server = DtlsTransport(SERVER, "server", lambda _: None, lambda _: None)
    for _ in range(1000):
        server.feed(hello)
    assert server.rejected == 1000 - MAX_QUEUED_DATAGRAMS
    server.close()
    server.feed(hello)
    assert server.rejected == 1001 - MAX_QUEUED_DATAGRAMS


async def test_dtls_early_data_is_delivered_after_verification_only() -> None:
    """What the client sends right after its last flight waits until its certificate is verified."""
    link = Link()
    held: list[bytes] = []
    link.server._peer._deliver, deliver = held.append, link.server._peer._deliver
    server = asyncio.ensure_future(link.server.handshake(fingerprints(CLIENT), 5.0))
    client = asyncio.ensure_future(link.client.handshake(fingerprints(SERVER), 5.0))
    while not held:
        await asyncio.sleep(0)
    link.server._peer._deliver = deliver
    for datagram in held:
        deliver(datagram)
    await client
    link.client.send_data(b"early")
    assert link.at_server == []
    await server
    await asyncio.sleep(0.01)
    assert link.at_server == [b"early"]
    await link.close()


async def test_dtls_flood_of_client_hellos_to_one_transport() -> None:
    """Ten thousand hellos with randoms of their own: few answers, little time, and an end."""
    hello = await first_flight()
    answers: list[bytes] = []
    server = DtlsTransport(SERVER, "server", answers.append, lambda _: None)
    waiting = asyncio.ensure_future(server.handshake(fingerprints(CLIENT), 5.0))
    await asyncio.sleep(0)
    started = time.process_time()
    for number in range(10_000):
        server.feed(hello[:27] + os.urandom(32) + hello[59:])
        if number % 20 == 0:
            await asyncio.sleep(0)
    assert time.process_time() - started < 3.0
    assert sum(map(len, answers)) < 20_000
    outcome = await asyncio.gather(waiting, return_exceptions=True)
    assert isinstance(outcome[0], DtlsError)
    server.close()
