"""Fault plan 75: DCEP messages that lie about lengths, types and streams."""

import asyncio
import struct
from collections.abc import AsyncIterator

import pytest

from sfu.net.channels import MAX_CHANNELS
from sfu.net.dcep import MAX_LABEL_SIZE, ChannelOpen, DcepError, parse_open
from tests.faults.sctp_peer import HostilePeer


@pytest.fixture
async def peer() -> AsyncIterator[HostilePeer]:
    established = HostilePeer()
    yield established
    established.association.close()


def opening(label_size: int, protocol_size: int, tail: bytes, kind: int = 0, message: int = 3) -> bytes:
    return struct.pack("!BBHLHH", message, kind, 0, 0, label_size, protocol_size) + tail


BAD = {
    "empty": b"",
    "cut header": opening(0, 0, b"")[:11],
    "label past end": opening(5, 0, b"four"),
    "protocol past end": opening(4, 1, b"four"),
    "65535-byte label": opening(0xFFFF, 0, bytes(1000)),
    "both 65535": opening(0xFFFF, 0xFFFF, b""),
    "label over the limit": opening(MAX_LABEL_SIZE + 1, 0, b"x" * (MAX_LABEL_SIZE + 1)),
    "label not UTF-8": opening(2, 0, b"\xff\xfe"),
    "protocol not UTF-8": opening(1, 1, b"x\x80"),
    "unknown channel type": opening(1, 0, b"x", kind=3),
    "unknown channel type, unordered": opening(1, 0, b"x", kind=0x84),
    "unknown message": opening(1, 0, b"x", message=7),
    "acknowledgement with more": b"\x02\x00",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
async def test_dcep_bad_open(peer: HostilePeer, data: bytes) -> None:
    with pytest.raises(DcepError):
        parse_open(data)
    if not data:
        return
    peer.say_data(data, protocol=50)
    assert peer.heard.opened == []
    assert peer.association.rejected == 1
    peer.say_data(bytes(ChannelOpen("fine")), ssn=1, protocol=50)
    assert peer.heard.opened == ["fine"]


async def test_dcep_bad_open_on_a_used_stream(peer: HostilePeer) -> None:
    """Bug 5: an assertion closed the connection."""
    peer.say_data(bytes(ChannelOpen("first")), protocol=50)
    peer.say_data(bytes(ChannelOpen("second")), ssn=1, protocol=50)
    assert peer.heard.opened == ["first"]
    assert peer.association.labels == ("first",)
    assert peer.association.rejected == 1
    peer.say_data(b"goes on", ssn=2)
    assert peer.heard.messages == [("first", b"goes on", True)]


async def test_dcep_bad_open_on_a_stream_of_our_parity_does_not_meet_ours(peer: HostilePeer) -> None:
    peer.say_data(bytes(ChannelOpen("theirs")), stream=1, protocol=50)
    peer.association.open_channel("ours")
    await asyncio.sleep(0)
    streams = [struct.unpack_from("!4xH", body)[0] for kind, body in peer.replies() if kind == 0]
    assert sorted(streams) == [1, 3]


async def test_dcep_bad_acknowledgement_of_nothing(peer: HostilePeer) -> None:
    """Bug 5: an assertion closed the connection."""
    peer.say_data(b"\x02", protocol=50)
    assert peer.association.rejected == 1
    assert peer.is_alive()


async def test_dcep_bad_acknowledgement_twice_opens_once(peer: HostilePeer) -> None:
    peer.association.open_channel("ours")
    await asyncio.sleep(0)
    peer.say_data(b"\x02", stream=1, protocol=50)
    peer.say_data(b"\x02", stream=1, ssn=1, protocol=50)
    assert peer.heard.opened == ["ours"]


async def test_dcep_bad_every_stream_opened(peer: HostilePeer) -> None:
    for stream in range(0, 65_535, 7):
        peer.say_data(bytes(ChannelOpen(f"channel {stream}")), stream=stream, protocol=50)
    assert len(peer.heard.opened) == MAX_CHANNELS
    assert len(peer.association.labels) == MAX_CHANNELS
    assert peer.is_alive()


async def test_dcep_label_size_is_in_bytes(peer: HostilePeer) -> None:
    """Bug 7: labels beyond ASCII were cut, their length being that in characters."""
    label = "日本語" * 20
    peer.association.open_channel(label)
    await asyncio.sleep(0)
    body = next(body for kind, body in peer.replies() if kind == 0)
    assert parse_open(body[12:]).label == label
