"""Faults 72 to 77 thrown at a running server: SCTP inside a DTLS that is in order, and data that is not."""

import asyncio
import os
import random
import struct
from typing import Any

import pytest
from google_crc32c import value as crc32c
from livekit.protocol import metrics, models, rtc

from hubbub.load.client import Client
from sfu.net.dcep import ChannelOpen
from tests.faults.bystander import Media
from tests.faults.sctp_peer import Heard, chunk, data_chunk, forward_tsn_chunk, init_body, sack_chunk
from tests.harness.attacker import Attacker
from tests.harness.eventually import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

RELIABLE, LOSSY = "_reliable", "_lossy"


class Chunks:
    """Says chunks in the attacker's association, behind its back."""

    def __init__(self, mallory: Attacker) -> None:
        self._mallory = mallory
        self.association: Any = mallory.client.transport._sctp
        self._state = self.association._association
        self.tsn = self._state._local_tsn

    def say(self, *chunks: bytes, tag: int | None = None) -> None:
        """One packet with a right checksum."""
        whole = b"".join(chunks)
        header = struct.pack("!HHL", 5000, 5000, self._state._remote_verification_tag if tag is None else tag)
        checksum = crc32c(header + bytes(4) + whole)
        self._mallory.sctp(header + struct.pack("<L", checksum) + whole)

    def data(self, payload: bytes, **fields: int) -> None:
        """The next DATA chunk in order."""
        self.say(data_chunk(self.tsn, payload, **fields))
        self.tsn += 1


def listen(client: Client) -> Heard:
    """What a client hears on its data channels from now on."""
    heard = Heard()
    client.transport._sctp._channels._listener = heard  # type: ignore[union-attr]
    return heard


def say(client: Client, payload: bytes, label: str = RELIABLE) -> bool:
    """Send on a data channel as anybody does."""
    assert client.transport._sctp is not None
    return client.transport._sctp.send(label, payload)


def user(payload: bytes, sequence: int = 0, **fields: Any) -> bytes:
    packet = models.DataPacket(user=models.UserPacket(payload=payload, **fields), sequence=sequence)
    return packet.SerializeToString()


async def open_channels(*clients: Client) -> None:
    """Wait until each can be reached: a message of the other's comes through."""
    for client in clients:
        await eventually(
            lambda client=client: client.transport._sctp.state == "connected",
            "an SCTP association",  # type: ignore[union-attr]
        )
    await asyncio.sleep(0.1)


async def talks(speaker: Client, listener: Client) -> None:
    """Assert that data gets from one to the other."""
    heard, text = listen(listener), os.urandom(8)
    for label in (RELIABLE, LOSSY):
        assert say(speaker, user(text), label)
    await eventually(
        lambda: sum(text in payload for _, payload, _ in heard.messages) == 2, "data of both kinds"
    )


async def test_72_sctp_set_up_again_and_chunks_that_lie(media: Media, mallory: Attacker) -> None:
    assert mallory.witness is not None
    await open_channels(mallory.client, mallory.witness)
    chunks = Chunks(mallory)
    for _ in range(300):
        chunks.say(chunk(1, 0, init_body()), tag=0)
        chunks.say(chunk(1, 0, init_body()[:10]), tag=0)
        chunks.say(chunk(2, 0, init_body()))
        chunks.say(chunk(10, 0, os.urandom(40)))
        chunks.say(chunk(11))
    for kind in range(256):
        if kind not in (0, 6, 7, 8, 14):  # data, and what ends it all
            for length in (0, 3, 4, 5, 0xFFFF):
                chunks.say(chunk(kind, 0xFF, os.urandom(24), length))
                chunks.say(chunk(kind, 0, b"", length), tag=12345)
    for cut in range(0, 40, 4):
        mallory.sctp(os.urandom(cut))
    chunks.say(sack_chunk(chunks.tsn + 5000), sack_chunk(0, gaps=[(65_000, 3)] * 100))
    await talks(mallory.client, mallory.witness)
    await talks(mallory.witness, mallory.client)
    await mallory.is_heard()


@pytest.mark.parametrize("kind", [6, 7, 14], ids=["abort", "shutdown", "shutdown complete"])
async def test_72_sctp_ended_in_the_middle_of_a_message(media: Media, mallory: Attacker, kind: int) -> None:
    assert mallory.witness is not None
    await open_channels(mallory.client, mallory.witness)
    chunks = Chunks(mallory)
    chunks.data(bytes(1000), flags=2)
    for _ in range(50):
        chunks.say(chunk(kind, 0, struct.pack("!L", chunks.tsn - 1) if kind == 7 else b""))
        chunks.data(bytes(1000), flags=0)
    for _ in range(300):
        say(mallory.witness, user(bytes(1000)))  # for one who can't be reached any more
    await mallory.is_heard()  # the media of an association that is gone goes on
    await mallory.is_served()


async def test_73_sctp_reassembly_without_end(media: Media, mallory: Attacker) -> None:
    assert mallory.witness is not None
    await open_channels(mallory.client, mallory.witness)
    heard, chunks = listen(mallory.witness), Chunks(mallory)
    for size in (65_537, 200_000):  # larger than what is relayed, smaller than what is taken
        say(mallory.client, user(bytes(size)))
    for n in range(3000):  # gaps everywhere
        chunks.say(
            data_chunk(chunks.tsn + 2 * n + 40_000 % 65_000, bytes(1000), flags=n % 4, stream=n % 1024)
        )
        if n % 64 == 0:
            await asyncio.sleep(0)
    for n in range(1500):  # and fragments that never end
        chunks.data(bytes(1100), flags=2 if n == 0 else 0)
        if n % 64 == 0:
            await asyncio.sleep(0)
    chunks.say(*(forward_tsn_chunk(chunks.tsn + n, (n % 1024, n)) for n in range(20)))
    await mallory.is_heard()
    assert all(len(payload) <= 65_536 for _, payload, _ in heard.messages)
    media.stays_small(8 << 20)


async def test_74_sctp_one_who_never_reads(media: Media, mallory: Attacker, room: str) -> None:
    """The attacker acknowledges nothing: it is let go, and the others get every message in time."""
    assert mallory.witness is not None
    friend = await media.stage.join(room, "friend", publishes=False)
    await open_channels(mallory.client, mallory.witness, friend)
    await talks(mallory.witness, friend)
    mallory.client.transport._dtls._on_data = lambda data: None  # type: ignore[union-attr]
    heard = listen(friend)
    for number in range(60):
        await eventually(lambda number=number: len(heard.messages) >= number - 10, "what was sent before")
        assert say(mallory.witness, user(bytes(30_000), sequence=number + 1))
    await eventually(lambda: len(heard.messages) == 60, "everything that was sent")
    await eventually(lambda: mallory.client.failure, "the end of one who does not read")
    assert "STATE_MISMATCH" in mallory.client.failure
    await talks(mallory.witness, friend)
    await media.stage.leave(friend)
    media.stays_small(12 << 20)


async def test_75_dcep_bad(media: Media, mallory: Attacker) -> None:
    assert mallory.witness is not None
    await open_channels(mallory.client, mallory.witness)
    chunks = Chunks(mallory)
    openings = [
        struct.pack("!BBHLHH", 3, 0, 0, 0, 0xFFFF, 0) + b"x" * 100,
        struct.pack("!BBHLHH", 3, 0, 0, 0, 0xFFFF, 0xFFFF),
        struct.pack("!BBHLHH", 3, 0x7F, 0, 0, 1, 0) + b"x",
        struct.pack("!BBHLHH", 3, 0, 0, 0, 2, 0) + b"\xff\xfe",
        struct.pack("!BBHLHH", 99, 0, 0, 0, 1, 0) + b"x",
        b"\x03",
        b"\x02",
        bytes(ChannelOpen("")),
        bytes(ChannelOpen("x" * 200)),
        bytes(ChannelOpen(RELIABLE)),
        bytes(ChannelOpen(LOSSY)),
    ]
    for opening in openings:
        for stream in (0, 1, 2, 500, 1023, 1024, 65_535):
            chunks.data(opening, stream=stream, protocol=50, flags=7)
    for stream in range(0, 65_536, 64):
        chunks.data(bytes(ChannelOpen(f"channel {stream}")), stream=stream, protocol=50, flags=7)
    for stream in range(1024):
        chunks.data(bytes(20), stream=stream, protocol=random.randrange(100), flags=7)
    await mallory.is_heard()
    await talks(mallory.witness, mallory.client)
    media.stays_small(8 << 20)


async def test_76_dc_flood_of_one_byte_messages(media: Media, mallory: Attacker, room: str) -> None:
    assert mallory.witness is not None
    others = [await media.stage.join(room, f"friend{n}", publishes=False) for n in range(3)]
    await open_channels(mallory.client, mallory.witness, *others)
    heard = [listen(client) for client in (mallory.witness, *others)]
    for number in range(5_000):
        while not say(mallory.client, user(b"x", sequence=number + 1)):
            await asyncio.sleep(0.01)
        if number % 200 == 0:
            await asyncio.sleep(0.01)
    await eventually(
        lambda: all(len(one.messages) == 5_000 for one in heard),
        lambda: f"everything: {[len(one.messages) for one in heard]}",
        within_s=30,
    )
    sequences = [models.DataPacket.FromString(payload).sequence for _, payload, _ in heard[0].messages]
    assert sequences == list(range(1, 5_001))  # each once, and in order
    for client in others:
        await media.stage.leave(client)


async def test_77_dc_app_bad(media: Media, mallory: Attacker) -> None:
    assert mallory.witness is not None
    await open_channels(mallory.client, mallory.witness)
    heard = listen(mallory.witness)
    nested = b""
    for _ in range(200):  # a field 2 in a field 2 in a field 2 …
        nested = b"\x12" + _varint(len(nested)) + nested
    many = [f"nobody{number}" for number in range(3000)]
    points = metrics.MetricsBatch(str_data=many, timestamp_ms=1)
    packets = [
        b"",
        b"\xff" * 1000,
        b"\x08" + b"\xff" * 9 + b"\x01",
        os.urandom(5000),
        nested,
        user(b"x", destination_identities=many),
        user(b"x", destination_sids=many),
        user(b"x", participant_sid="PA_forged", participant_identity="speaker"),
        models.DataPacket(kind=7, user=models.UserPacket(payload=b"x")).SerializeToString(),
        models.DataPacket(destination_identities=["witness"] * 5000).SerializeToString(),
        models.DataPacket(participant_identity="speaker", sequence=0xFFFFFFFF).SerializeToString(),
        models.DataPacket(metrics=points).SerializeToString(),
        models.DataPacket(speaker=models.ActiveSpeakerUpdate()).SerializeToString(),
        models.DataPacket(transcription=models.Transcription(track_id="x" * 1000)).SerializeToString(),
        models.DataPacket(stream_chunk=models.DataStream.Chunk(chunk_index=1 << 63)).SerializeToString(),
        models.DataPacket(rpc_ack=models.RpcAck(request_id="nobody's")).SerializeToString(),
        models.DataPacket(encrypted_packet=models.EncryptedPacket(encrypted_value=b"?")).SerializeToString(),
    ]
    for packet in packets:
        for label in (LOSSY, RELIABLE):
            say(mallory.client, packet, label)
        await asyncio.sleep(0.01)
    await eventually(lambda: len(heard.messages) > 5, "what of it may be relayed")
    for _, payload, _ in heard.messages:
        assert models.DataPacket.FromString(payload).participant_identity == "mallory"
    await talks(mallory.witness, mallory.client)
    assert mallory.client.transport._sctp is not None
    await mallory.is_heard()


async def test_77_data_track_bad(media: Media, mallory: Attacker) -> None:
    assert mallory.witness is not None
    await open_channels(mallory.client, mallory.witness)
    association = mallory.client.transport._sctp
    assert association is not None
    association.open_channel("_data_track", ordered=False, max_retransmits=0)
    await mallory.request(publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=7, name="x"))
    await mallory.request(
        publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=70_000, name="y" * 999)
    )
    await asyncio.sleep(0.1)
    for size in (0, 1, 4, 11, 12, 13, 40, 1200, 60_000):
        for _ in range(5):
            association.send("_data_track", os.urandom(size))
            association.send("_data_track", b"\0\0\0\x07" + os.urandom(size))
            association.send("_data_track", b"\x1f\xff\0\x07" + os.urandom(size))
    await talks(mallory.client, mallory.witness)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))
