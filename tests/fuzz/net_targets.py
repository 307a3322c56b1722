"""What of the network layer is fed with random bytes. A target returns, or raises what is a bug."""

import asyncio
from collections.abc import Callable

from sfu.net import stun
from sfu.net.credentials import Credentials
from sfu.net.dcep import DcepError, parse_open
from sfu.net.dtls import _LAST_FLIGHT_RESENDS, MAX_DATAGRAM_SIZE, DtlsTransport
from sfu.net.dtls_handshake import Certificate, Handshake, Role, _is_early, _is_of_handshake
from sfu.net.dtls_records import ALERT, CLOSE_NOTIFY, SUITES, RecordLayer, Secrets, Suite, split
from sfu.net.errors import FramingError, StunError
from sfu.net.framing import Deframer
from sfu.net.ice import IceLite
from sfu.net.srtp import AEAD_AES_128_GCM, PROFILES, SrtpPair
from tests.faults.sctp_peer import HostilePeer, chunk

_OURS = Credentials("ourufrag", "our-password-of-22-chars")
_CERTIFICATE = Certificate.generate()
_SECRETS = Secrets(bytes(48), bytes(32), bytes(32))
_FINISHED = bytes.fromhex("16fefd00010000000000000018") + bytes(24)


def stun_message(data: bytes) -> None:
    """Any datagram as STUN; what parses is looked at from all sides."""
    stun.username_of(data)
    try:
        message = stun.parse(data)
    except StunError:
        return
    message.signed_by(b"key")
    _ = message.username, message.priority, message.error_code, message.mapped_address, message.use_candidate


def stun_signed(data: bytes) -> None:
    """Random attributes in a request with a right signature, so that the agent acts on them."""
    body = stun._pack(stun.USERNAME, b"ourufrag:them") + data[: len(data) & ~3]
    ice = IceLite(_OURS, 0.0)
    ice.receive(
        stun._finish(stun.BINDING_REQUEST, bytes(12), body, _OURS.pwd.encode()), "a", "192.0.2.1", 1, 0.0
    )
    assert len(ice.addresses) <= 1


def framing(data: bytes) -> None:
    """A TCP stream, whole and byte by byte, gives the same."""
    outcomes = []
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
        deframer, packets, failed = Deframer(), [], False
        try:
            for piece in pieces:
                packets += deframer.feed(piece)
        except FramingError:
            failed = True
        outcomes.append(failed or packets)
    assert outcomes[0] == outcomes[1]


def dcep(data: bytes) -> None:
    """A DCEP message."""
    try:
        opening = parse_open(data)
    except DcepError:
        return
    assert parse_open(bytes(opening)) == opening


def sctp_packet(data: bytes) -> None:
    """A packet's body behind a right header, on an established association with a channel."""
    asyncio.run(_feed_sctp([data]))


def sctp_chunks(data: bytes) -> None:
    """Random chunk bodies: a type byte, a size byte and that many bytes, again and again, one packet each."""
    bodies, at = [], 0
    while at + 2 <= len(data):
        kind, size = data[at], data[at + 1]
        bodies.append(chunk(kind, size & 7, data[at + 2 : at + 2 + size]))
        at += 2 + size
    asyncio.run(_feed_sctp(bodies))


async def _feed_sctp(bodies: list[bytes]) -> None:
    peer = HostilePeer()
    peer.association.open_channel("ours")
    for body in bodies:
        peer.raw(body + bytes(-len(body) & 3), 0 if body[:1] == b"\x01" else peer.their_tag)
    await asyncio.sleep(0)
    peer.association.close()


def dtls_handshake(data: bytes) -> None:
    """A datagram of DTLS records before the handshake is over: each goes one way, or nowhere."""
    records = list(split(data))
    assert b"".join(records) == data
    for record in records:
        assert not (_is_of_handshake(record) and _is_early(record))


def dtls_records(data: bytes) -> None:
    """A datagram after the handshake, then records that the peer protected: kind, number, size, content."""
    for suite in SUITES.values():
        sent: list[bytes] = []
        transport = DtlsTransport(_CERTIFICATE, "server", sent.append, lambda _: None)
        transport._take_over(_ShakenHands(suite, "server"))
        peer = RecordLayer(suite, "client", _SECRETS, _FINISHED)
        transport.feed(data)
        assert transport.rejected == (len(list(split(data))) if 0 < len(data) <= MAX_DATAGRAM_SIZE else 1)
        at = 0
        while at + 3 <= len(data):
            peer._number = (1 << 48) + data[at + 1]
            transport.feed(peer.protect(data[at], data[at + 3 : at + 3 + data[at + 2]]))
            at += 3 + data[at + 2]
        assert len(sent) <= 1 + _LAST_FLIGHT_RESENDS
        transport.close()
        assert list(peer.receive(sent[-1])) == [(ALERT, CLOSE_NOTIFY)]


class _ShakenHands(Handshake):
    """A handshake that is over, without having been."""

    def __init__(self, suite: Suite, role: Role) -> None:
        super().__init__(_CERTIFICATE, role, lambda _: None, PROFILES)
        self._suite = suite
        self._flight = [b"our last flight"]

    def take_records(self) -> RecordLayer:
        return RecordLayer(self._suite, "server", _SECRETS, _FINISHED)


def srtp_packet(data: bytes) -> None:
    """A media packet that nobody has encrypted."""
    pair = SrtpPair(AEAD_AES_128_GCM, bytes(28), bytes(28))
    assert pair.unprotect(data) is None
    assert pair.unprotect_rtcp(data) is None
    pair.close()


TARGETS: dict[str, Callable[[bytes], None]] = {
    "stun_message": stun_message,
    "stun_signed": stun_signed,
    "framing": framing,
    "dcep": dcep,
    "sctp_packet": sctp_packet,
    "sctp_chunks": sctp_chunks,
    "dtls_handshake": dtls_handshake,
    "dtls_records": dtls_records,
    "srtp_packet": srtp_packet,
}
