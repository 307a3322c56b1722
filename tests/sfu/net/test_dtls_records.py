"""The record layer against OpenSSL, which writes what it reads and reads what it writes, and against damage."""

import contextlib
import struct
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from sfu.net.dtls import Certificate
from sfu.net.dtls_records import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    CLOSE_NOTIFY,
    HANDSHAKE,
    HEADER_SIZE,
    MAX_CONTENT_SIZE,
    REPLAY_WINDOW,
    SUITES,
    Record,
    RecordLayer,
    Secrets,
    epoch_of,
    prf,
    split,
)

Role = Literal["server", "client"]
CERTIFICATE = Certificate.generate()
SECRETS = Secrets(bytes(range(48)), b"c" * 32, b"s" * 32)
ALL_SUITES = pytest.mark.parametrize("suite", SUITES)
BOTH_ROLES = pytest.mark.parametrize("role", ["server", "client"])


def record(kind: int, number: int, body: bytes = b"", epoch: int = 1, version: int = 0xFEFD) -> bytes:
    return struct.pack("!BHQH", kind, version, epoch << 48 | number, len(body)) + body


def pair(suite: str = "ECDHE-ECDSA-AES128-GCM-SHA256", written: int = 0) -> tuple[RecordLayer, RecordLayer]:
    """A client and a server that have written so many records after their first."""
    last = record(HANDSHAKE, written, bytes(8))
    return (
        RecordLayer(SUITES[suite], "client", SECRETS, last),
        RecordLayer(SUITES[suite], "server", SECRETS, last),
    )


def contents(layer: RecordLayer, datagram: bytes) -> list[bytes]:
    return [one.content for one in layer.receive(datagram)]


class OpenSslEnd:
    """One end of an association on OpenSSL alone."""

    def __init__(self, suite: str, role: Role) -> None:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.use_certificate(CERTIFICATE._cert)
        context.use_privatekey(CERTIFICATE._key)
        context.set_cipher_list(suite.encode())
        context.set_options(SSL.OP_NO_TICKET)
        self.role = role
        self.ssl = SSL.Connection(context)
        self.ssl.set_ciphertext_mtu(1200)
        (self.ssl.set_accept_state if role == "server" else self.ssl.set_connect_state)()
        self.last_written = b""

    def step(self) -> bytes:
        with contextlib.suppress(SSL.WantReadError):
            self.ssl.do_handshake()
        return self.written()

    def written(self) -> bytes:
        try:
            data = self.ssl.bio_read(65_536)
        except SSL.WantReadError:
            return b""
        self.last_written = max((one for one in split(data) if epoch_of(one) == 1), default=self.last_written)
        return data

    def send(self, data: bytes) -> bytes:
        self.ssl.send(data)
        return self.written()

    def receive(self, datagram: bytes) -> bytes:
        self.ssl.bio_write(datagram)
        return self.ssl.recv(65_536)

    def take_over(self) -> RecordLayer:
        ssl: Any = self.ssl
        secrets = Secrets(ssl.master_key(), ssl.client_random(), ssl.server_random())
        return RecordLayer(SUITES[ssl.get_cipher_name()], self.role, secrets, self.last_written)


def connect(suite: str, ours: Role) -> tuple[OpenSslEnd, OpenSslEnd]:
    """Both ends after a handshake, ours first."""
    ends = client, server = OpenSslEnd(suite, "client"), OpenSslEnd(suite, "server")
    sender, receiver = ends
    while flight := sender.step():
        receiver.ssl.bio_write(flight)
        sender, receiver = receiver, sender
    assert client.ssl.get_cipher_name() == server.ssl.get_cipher_name() == suite
    return (client, server) if ours == "client" else (server, client)


def test_the_prf_gives_the_published_output() -> None:
    """The test vector for P_SHA256 that was posted to the TLS working group's list."""
    secret = bytes.fromhex("9bbe436ba940f017b17652849a71db35")
    seed = b"test label" + bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c")
    output = bytes.fromhex(
        "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af"
        "0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701"
        "87347b66"
    )
    assert prf(secret, seed, len(output), "sha256") == output


@ALL_SUITES
@BOTH_ROLES
def test_openssl_reads_what_we_write_and_we_read_what_it_writes(suite: str, role: Role) -> None:
    ours, theirs = connect(suite, role)
    layer = ours.take_over()
    for size in (1, 100, 1200, 5000, MAX_CONTENT_SIZE):
        data = bytes([size % 251]) * size
        assert theirs.receive(layer.protect(APPLICATION_DATA, data)) == data
        assert list(layer.receive(theirs.send(data))) == [Record(APPLICATION_DATA, data)]
    assert layer.rejected == 0


@ALL_SUITES
@BOTH_ROLES
def test_numbers_and_nonces_go_on_where_openssl_stopped(suite: str, role: Role) -> None:
    """No nonce may come twice under one key: OpenSSL's own records count as well."""
    ours, theirs = connect(suite, role)
    written = [one for number in range(3) for one in split(ours.send(bytes([number])))]
    layer = ours.take_over()
    written += [layer.protect(APPLICATION_DATA, b"x") for _ in range(3)]
    numbers = [int.from_bytes(one[5:11], "big") for one in written]
    assert numbers == list(range(numbers[0], numbers[0] + 6))
    if SUITES[suite].explicit_nonce_size:
        nonces = [int.from_bytes(one[HEADER_SIZE : HEADER_SIZE + 8], "big") for one in written]
        assert nonces == [(nonces[0] + step) % (1 << 64) for step in range(6)]
    assert [theirs.receive(one) for one in written] == [b"\x00", b"\x01", b"\x02", b"x", b"x", b"x"]


@BOTH_ROLES
def test_openssl_takes_our_close_notify_and_we_its_own(role: Role) -> None:
    ours, theirs = connect("ECDHE-ECDSA-AES128-GCM-SHA256", role)
    layer = ours.take_over()
    with pytest.raises(SSL.ZeroReturnError):
        theirs.receive(layer.protect(ALERT, CLOSE_NOTIFY))
    theirs.ssl.shutdown()
    assert list(layer.receive(theirs.written())) == [Record(ALERT, CLOSE_NOTIFY)]


def test_the_explicit_nonce_wraps() -> None:
    last = record(HANDSHAKE, 7, b"\xff" * 8)
    layer = RecordLayer(SUITES["ECDHE-ECDSA-AES128-GCM-SHA256"], "client", SECRETS, last)
    assert layer.protect(APPLICATION_DATA, b"")[HEADER_SIZE : HEADER_SIZE + 8] == bytes(8)
    assert layer.protect(APPLICATION_DATA, b"")[HEADER_SIZE : HEADER_SIZE + 8] == bytes(7) + b"\x01"


def test_sequence_numbers_end() -> None:
    client, _ = pair(written=(1 << 48) - 2)
    client.protect(APPLICATION_DATA, b"the last one")
    with pytest.raises(AssertionError):
        client.protect(APPLICATION_DATA, b"one too many")


@ALL_SUITES
def test_several_records_in_a_datagram(suite: str) -> None:
    client, server = pair(suite)
    records = [client.protect(APPLICATION_DATA, bytes([number]) * 10) for number in range(4)]
    broken = bytearray(records[2])
    broken[-1] ^= 1
    datagram = records[0] + records[1] + bytes(broken) + records[3] + b"tail"
    assert contents(server, datagram) == [bytes([number]) * 10 for number in (0, 1, 3)]
    assert server.rejected == 2


@ALL_SUITES
def test_what_is_no_record_of_ours_is_counted(suite: str) -> None:
    client, server = pair(suite)
    good = client.protect(APPLICATION_DATA, b"data")
    body = good[HEADER_SIZE:]
    bad = [
        b"\x17",
        good[:HEADER_SIZE],
        good[:-1],
        record(APPLICATION_DATA, 2),
        record(APPLICATION_DATA, 2, bytes(8)),
        record(APPLICATION_DATA, 2, bytes(23)),
        record(APPLICATION_DATA, 2, bytes(24)),
        record(APPLICATION_DATA, 1, body, epoch=0),
        record(APPLICATION_DATA, 1, body, epoch=2),
        record(APPLICATION_DATA, 2, body),
        record(APPLICATION_DATA, 1, body, version=0xFEFF),
        record(APPLICATION_DATA, 1, body, version=0x0303),
        record(ALERT, 1, body),
        record(HANDSHAKE, 1, body),
        record(CHANGE_CIPHER_SPEC, 1, b"\x01"),
        record(CHANGE_CIPHER_SPEC, 1, body),
        record(63, 1, body),
        record(APPLICATION_DATA, (1 << 48) - 1, body),
        record(APPLICATION_DATA, 1, bytes(MAX_CONTENT_SIZE + 25)),
        bytes([APPLICATION_DATA, 0xFE, 0xFD]) + bytes(8) + b"\xff\xff",
    ]
    for datagram in bad:
        assert contents(server, datagram) == []
    assert server.rejected == len(bad)
    assert contents(server, good) == [b"data"]


def test_a_reflected_record_is_refused() -> None:
    """Each direction has its key."""
    client, _ = pair()
    assert contents(client, client.protect(APPLICATION_DATA, b"mine")) == []


def test_number_zero_is_as_new_as_any() -> None:
    client, server = pair()
    client._number = (1 << 48) - 1
    assert contents(server, client.protect(APPLICATION_DATA, b"number 0")) == [b"number 0"]


def test_a_repeated_record_of_the_handshake_is_given_each_time() -> None:
    """A client that misses our last flight repeats its Finished, maybe byte by byte."""
    client, server = pair()
    finished = client.protect(HANDSHAKE, b"\x14 finished")
    assert [list(server.receive(finished)) for _ in range(3)] == [[Record(HANDSHAKE, b"\x14 finished")]] * 3
    assert contents(server, client.protect(APPLICATION_DATA, b"data")) == [b"data"]


def test_secrets_do_not_show() -> None:
    assert SECRETS.master.hex() not in repr(SECRETS)
    assert repr(SECRETS.master) not in repr(SECRETS)


def arrivals() -> st.SearchStrategy[list[int]]:
    """Record numbers in the order they come: steps forth and back around the window's edges, and repetitions."""
    steps = st.one_of(st.integers(-70, 70), st.sampled_from([0, 1, -1, 63, 64, -63, -64, 1000]))
    return st.lists(steps, max_size=40).map(
        lambda found: [max(sum(found[: at + 1]), 0) for at in range(len(found))]
    )


@given(arrivals())
def test_replay_and_reordering(numbers: list[int]) -> None:
    """Each record once, and none that is older than the window."""
    _, server = pair()
    seen: set[int] = set()
    for number in numbers:
        client, _ = pair()
        client._number = (1 << 48) + number - 1
        fresh = number not in seen and number > max(seen, default=0) - REPLAY_WINDOW
        assert contents(server, client.protect(APPLICATION_DATA, b"x")) == ([b"x"] if fresh else [])
        if fresh:
            seen.add(number)
    assert server._seen < 1 << REPLAY_WINDOW


@given(st.sampled_from(sorted(SUITES)), st.binary(max_size=60), st.integers(0), st.integers(1, 255))
def test_any_changed_byte_is_noticed_and_harms_nothing(suite: str, data: bytes, at: int, change: int) -> None:
    client, server = pair(suite)
    good = client.protect(APPLICATION_DATA, data)
    bad = bytearray(good)
    bad[at % len(bad)] ^= change
    assert contents(server, bytes(bad)) == []
    assert server.rejected >= 1
    assert contents(server, good) == [data]


@given(st.sampled_from(sorted(SUITES)), st.binary(max_size=60), st.integers(0))
def test_any_cut_is_noticed_and_harms_nothing(suite: str, data: bytes, at: int) -> None:
    client, server = pair(suite)
    good = client.protect(APPLICATION_DATA, data)
    assert contents(server, good[: at % len(good)]) == []
    assert contents(server, good[: at % len(good)] + client.protect(APPLICATION_DATA, data)) in ([], [data])
    assert contents(server, good) == [data]


@given(st.binary(max_size=400))
def test_random_bytes_are_refused(data: bytes) -> None:
    _, server = pair()
    assert list(server.receive(data)) == []
    assert server.rejected == len(list(split(data)))
    assert b"".join(split(data)) == data
