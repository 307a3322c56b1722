"""A peer that can say anything: it sets an association up by hand and sends whatever chunks a test wants."""

import struct
from typing import Any

from google_crc32c import value as crc32c

from sfu.net.sctp import SctpAssociation

TAG = 0x11223344
FIRST_TSN = 1000


def chunk(kind: int, flags: int = 0, body: bytes = b"", length: int | None = None) -> bytes:
    size = len(body) + 4 if length is None else length
    return struct.pack("!BBH", kind, flags, size) + body + bytes(-len(body) & 3)


def data_chunk(
    tsn: int, payload: bytes = b"x", stream: int = 0, ssn: int = 0, flags: int = 3, protocol: int = 53
) -> bytes:
    return chunk(0, flags, struct.pack("!LHHL", tsn % (1 << 32), stream, ssn, protocol) + payload)


def sack_chunk(cumulative: int, window: int = 1 << 20, gaps: list[tuple[int, int]] | None = None) -> bytes:
    gaps = gaps or []
    body = struct.pack("!LLHH", cumulative % (1 << 32), window, len(gaps), 0)
    return chunk(3, 0, body + b"".join(struct.pack("!HH", *gap) for gap in gaps))


def init_body(tag: int = TAG, window: int = 1 << 20, streams: int = 1024, tsn: int = FIRST_TSN) -> bytes:
    return struct.pack("!LLHHL", tag, window, streams, streams, tsn)


def forward_tsn_chunk(tsn: int, *skipped: tuple[int, int]) -> bytes:
    return chunk(192, 0, struct.pack("!L", tsn) + b"".join(struct.pack("!HH", *one) for one in skipped))


def chunks_of(packet: bytes) -> list[tuple[int, bytes]]:
    at, found = 12, []
    while at + 4 <= len(packet):
        kind, _, length = struct.unpack_from("!BBH", packet, at)
        found.append((kind, packet[at + 4 : at + length]))
        at += length + (-length & 3)
    return found


class Heard:
    def __init__(self) -> None:
        self.opened: list[str] = []
        self.messages: list[tuple[str, bytes, bool]] = []

    def channel_opened(self, label: str) -> None:
        self.opened.append(label)

    def message(self, label: str, payload: bytes, binary: bool) -> None:
        self.messages.append((label, payload, binary))


class HostilePeer:
    """The DTLS client across from a server association, established unless told otherwise."""

    def __init__(self, establish: bool = True) -> None:
        self.sent: list[bytes] = []
        self.heard = Heard()
        self.association = SctpAssociation(self.sent.append, "server", self.heard)
        self.association.start()
        init = dict(self.replies())[1]
        self.their_tag, self.their_tsn = struct.unpack("!L8xL", init[:16])
        self.next_tsn = FIRST_TSN
        if establish:
            self.say(chunk(2, 0, init_body() + struct.pack("!HHL", 7, 8, 1)))
            assert [kind for kind, _ in self.replies()] == [10]
            self.say(chunk(11))
            assert self.association.state == "connected"

    def say(self, *chunks: bytes, tag: int | None = None) -> None:
        """Send chunks in one packet with a right checksum."""
        self.raw(b"".join(chunks), self.their_tag if tag is None else tag)

    def raw(self, body: bytes, tag: int) -> None:
        header = struct.pack("!HHL", 5000, 5000, tag)
        checksum: Any = crc32c(header + bytes(4) + body)
        self.association.feed(header + struct.pack("<L", checksum) + body)

    def say_data(self, payload: bytes, **fields: int) -> None:
        """Send the next DATA chunk in order."""
        self.say(data_chunk(self.next_tsn, payload, **fields))
        self.next_tsn += 1

    def replies(self) -> list[tuple[int, bytes]]:
        """Take the chunks that came back."""
        packets, self.sent[:] = self.sent[:], []
        return [one for packet in packets for one in chunks_of(packet)]

    def is_alive(self) -> bool:
        """Whether the association still answers a heartbeat."""
        self.replies()
        self.say(chunk(4, 0, struct.pack("!HHL", 1, 8, 77)))
        return 5 in dict(self.replies())
