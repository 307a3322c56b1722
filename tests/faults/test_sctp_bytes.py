"""Fault plan 72 to 74 and 76: what a client can aim at SCTP, with the bytes its library's bugs wanted."""

import asyncio
import gc
import random
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sfu.net.sctp import MAX_HELD_CHUNKS, MAX_MESSAGE_SIZE, MAX_STREAMS, RECEIVE_WINDOW
from tests.faults.sctp_peer import (
    FIRST_TSN,
    TAG,
    HostilePeer,
    chunk,
    data_chunk,
    forward_tsn_chunk,
    init_body,
    sack_chunk,
)

OPEN_DATA = bytes.fromhex("030000000000000000040000") + b"data"


@pytest.fixture
async def peer() -> AsyncIterator[HostilePeer]:
    established = HostilePeer()
    yield established
    established.association.close()


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def open_channel(peer: HostilePeer) -> None:
    peer.say_data(OPEN_DATA, protocol=50)
    assert peer.heard.opened == ["data"]


# Set-up


@pytest.mark.parametrize("kind", [1, 2, 4, 5, 6, 9, 130])
@pytest.mark.parametrize("length", [0, 1, 3])
async def test_sctp_parameter_length_zero_ends(peer: HostilePeer, kind: int, length: int) -> None:
    """Bug 1: the library's parameter reader stays for ever at a parameter that claims fewer than 4 bytes."""
    body = init_body(tag=5) if kind in (1, 2) else b""
    rejected = peer.association.rejected
    peer.say(chunk(kind, 0, body + struct.pack("!HHL", 13, length, 0)), tag=0 if kind == 1 else None)
    assert peer.association.rejected == rejected + 1
    assert peer.is_alive()


async def test_sctp_chunk_length_zero_ends(peer: HostilePeer) -> None:
    for length in (0, 1, 2, 3, 5000, 0xFFFF):
        peer.say(chunk(4, 0, bytes(8), length=length))
    assert peer.is_alive()


async def test_sctp_init_flood_changes_nothing(peer: HostilePeer) -> None:
    """Bug 6: a late INIT used to set the cumulative TSN back, from which it never recovered."""
    open_channel(peer)
    for number in range(1000):
        peer.say(chunk(1, 0, init_body(tag=TAG + number % 2, tsn=5)), tag=0)
    assert peer.replies() == [] or peer.is_alive()
    peer.say_data(b"still in order", ssn=1)
    assert peer.heard.messages == [("data", b"still in order", True)]
    peer.say_data(b"and acknowledged", ssn=2)
    sacks = [body for kind, body in peer.replies() if kind == 3]
    assert struct.unpack_from("!L", sacks[-1])[0] == peer.next_tsn - 1


async def test_sctp_init_repeated_during_set_up_is_answered_and_keeps_what_came() -> None:
    peer = HostilePeer(establish=False)
    peer.say(chunk(1, 0, init_body()), tag=0)
    cookie = next(body for kind, body in peer.replies() if kind == 2)[-24:]
    peer.say(data_chunk(FIRST_TSN, OPEN_DATA, protocol=50))
    peer.say(chunk(1, 0, init_body()), tag=0)
    assert [kind for kind, _ in peer.replies() if kind != 3] == [2]
    peer.say(chunk(10, 0, cookie))
    assert peer.association.state == "connected"
    peer.say(data_chunk(FIRST_TSN + 1, b"next", ssn=1))
    assert peer.heard.messages == [("data", b"next", True)]
    peer.association.close()


@pytest.mark.parametrize(
    "body",
    [b"", bytes(15), init_body(tag=0), init_body(streams=0), init_body()[:-1]],
    ids=["empty", "cut", "tag 0", "no streams", "one short"],
)
async def test_sctp_init_malformed(body: bytes) -> None:
    peer = HostilePeer(establish=False)
    peer.say(chunk(1, 0, body), tag=0)
    peer.say(chunk(2, 0, body))
    assert peer.association.state == "connecting"
    assert peer.replies() == []
    assert peer.association.rejected == 2
    peer.association.close()


async def test_sctp_init_with_company_is_refused(peer: HostilePeer) -> None:
    """Bug 5: an assertion escaped."""
    peer.say(chunk(1, 0, init_body()), chunk(11), tag=0)
    peer.say(chunk(11), chunk(1, 0, init_body()))
    assert peer.is_alive()


@pytest.mark.parametrize("kind", [0, 3, 4, 7, 8, 9, 10, 11, 14, 130, 192])
async def test_sctp_everything_before_the_init(kind: int) -> None:
    bodies = {0: data_chunk(1)[4:], 3: sack_chunk(1)[4:], 192: bytes(4), 7: bytes(4)}
    peer = HostilePeer(establish=False)
    peer.say(chunk(kind, 3, bodies.get(kind, b"")))
    assert peer.association.state == "connecting"
    assert peer.association.rejected == 1
    peer.association.close()


async def test_sctp_cookies_forged_and_stale(peer: HostilePeer) -> None:
    for body in (b"", bytes(24), bytes(23), struct.pack("!L", 2**32 - 1) + bytes(20), bytes(1000)):
        peer.say(chunk(10, 0, body))
    assert peer.is_alive()


async def test_sctp_wrong_verification_tag_and_checksum(peer: HostilePeer) -> None:
    open_channel(peer)
    for tag in (0, TAG, peer.their_tag ^ 1):
        peer.say(data_chunk(peer.next_tsn, b"forged", ssn=1), tag=tag)
    packet = struct.pack("!HHLL", 5000, 5000, peer.their_tag, 12345) + data_chunk(
        peer.next_tsn, b"bad", ssn=1
    )
    peer.association.feed(packet)
    assert peer.association.rejected == 4
    assert peer.heard.messages == []


@pytest.mark.parametrize("size", [0, 1, 11, 12, 15, 17, 5000, 70_000])
async def test_sctp_packet_sizes(peer: HostilePeer, size: int) -> None:
    peer.association.feed(bytes(size))
    assert peer.association.rejected == 1


async def test_sctp_unknown_chunk_types(peer: HostilePeer) -> None:
    """The high bits say whether to go on with the packet (RFC 9260 section 3.2)."""
    for kind in (0x40, 0x7F, 0x80, 0xC1, 0xFE):
        peer.replies()
        peer.say(chunk(kind, 0xFF, bytes(8)), chunk(4, 0, struct.pack("!HHL", 1, 8, 77)))
        assert (5 in dict(peer.replies())) is (kind >= 0x80)


async def test_sctp_abort_is_final_and_answered_by_silence(peer: HostilePeer) -> None:
    peer.say(chunk(6))
    assert peer.association.state == "closed"
    peer.replies()
    for _ in range(1000):
        peer.say(chunk(6))
        peer.say(chunk(1, 0, init_body()), tag=0)
    assert peer.sent == []


async def test_sctp_shutdown_mid_message(peer: HostilePeer) -> None:
    open_channel(peer)
    peer.say_data(b"begins", ssn=1, flags=2)
    for body in (b"", bytes(3), bytes(400)):
        peer.say(chunk(7, 0, body))
    assert peer.association.state == "connected"
    peer.say(chunk(7, 0, bytes(4)))
    peer.say(chunk(7, 0, bytes(4)))
    assert 8 in dict(peer.replies())
    peer.say(chunk(14))
    assert peer.association.state == "closed"


async def test_sctp_errors_and_stream_resets_that_are_malformed(peer: HostilePeer) -> None:
    """Bug 5: struct errors of short re-configuration parameters escaped."""
    for name in range(12, 20):
        for size in range(20):
            peer.say(chunk(130, 0, struct.pack("!HH", name, 4 + size) + bytes(size)))
    peer.say(chunk(9, 0, struct.pack("!HH", 1, 4)))
    assert peer.is_alive()


async def test_sctp_stream_resets_repeated_for_everything(peer: HostilePeer) -> None:
    open_channel(peer)
    streams = b"".join(struct.pack("!H", stream) for stream in range(200))
    for sequence in range(50):
        body = struct.pack("!LLL", FIRST_TSN + sequence, 0, peer.next_tsn - 1) + streams
        peer.say(chunk(130, 0, struct.pack("!HH", 13, 4 + len(body)) + body))
        peer.say(chunk(130, 0, struct.pack("!HHLL", 16, 12, (peer.their_tsn + sequence) % (1 << 32), 1)))
        await asyncio.sleep(0)
    assert peer.association.labels == ()
    assert peer.is_alive()


# Acknowledgements


@pytest.mark.parametrize(
    ("cumulative", "gaps"),
    [
        (0, [(1, 0xFFFF)] * 200),
        (0, [(2, 1)]),
        (0, [(0, 5)]),
        (0, [(5, 6), (2, 3)]),
        (1, []),
        (5000, []),
        (2**31 - 1, []),
    ],
)
async def test_sctp_sack_of_what_was_never_sent(
    peer: HostilePeer, cumulative: int, gaps: list[tuple[int, int]]
) -> None:
    """Bug 2: one packet of gap blocks was expanded number by number, for a second of CPU."""
    rejected = peer.association.rejected
    started = time.process_time()
    peer.say(sack_chunk(peer.their_tsn - 1 + cumulative, gaps=gaps))
    assert time.process_time() - started < 0.25
    assert peer.association.rejected == rejected + 1
    open_channel(peer)


async def test_sctp_sack_counts_that_disagree_with_the_size(peer: HostilePeer) -> None:
    for gaps, duplicates, tail in ((1, 0, b""), (0, 1, b""), (0xFFFF, 0xFFFF, bytes(8)), (0, 0, bytes(4))):
        body = struct.pack("!LLHH", peer.their_tsn - 1, 1 << 20, gaps, duplicates) + tail
        peer.say(chunk(3, 0, body))
    peer.say(chunk(3, 0, bytes(11)))
    assert peer.association.rejected == 5
    assert peer.is_alive()


async def test_sctp_many_sacks_in_one_packet_count_as_one(peer: HostilePeer) -> None:
    rejected = peer.association.rejected
    peer.say(*[sack_chunk(peer.their_tsn - 1)] * 60)
    assert peer.association.rejected == rejected + 1


async def test_sctp_zero_window_sends_one_chunk_and_resumes(peer: HostilePeer) -> None:
    """Fault 74, bug 8: a peer that takes nothing is sent next to nothing, and what waits is counted."""
    open_channel(peer)
    await asyncio.sleep(0)
    acknowledgement = [body for kind, body in peer.replies() if kind == 0]
    assert len(acknowledgement) == 1
    peer.say(sack_chunk(peer.their_tsn, window=0))
    for _ in range(50):
        assert peer.association.send("data", bytes(10_000))
    await asyncio.sleep(0)
    assert len([1 for kind, _ in peer.replies() if kind == 0]) == 1
    assert peer.association.buffered("data") > 300_000
    peer.say(sack_chunk(peer.their_tsn + 1, window=1 << 20))
    assert len([1 for kind, _ in peer.replies() if kind == 0]) >= 3


async def test_sctp_partial_reliability_gives_up_with_a_forward_tsn() -> None:
    peer = HostilePeer()
    peer.say_data(bytes.fromhex("038100000000000000040000") + b"data", protocol=50)
    await asyncio.sleep(0)
    peer.replies()
    peer.say(sack_chunk(peer.their_tsn))
    for _ in range(5):
        peer.association.send("data", bytes(1000))
    await asyncio.sleep(0)
    assert [kind for kind, _ in peer.replies()].count(0) >= 3
    for end in (2, 3, 4):
        peer.say(sack_chunk(peer.their_tsn, gaps=[(2, end)]))
    kinds = dict(peer.replies())
    assert struct.unpack("!L", kinds[192][:4])[0] == (peer.their_tsn + 1) % (1 << 32)
    peer.association.close()


# Data


@pytest.mark.parametrize("size", range(13))
async def test_sctp_short_data(peer: HostilePeer, size: int) -> None:
    """Bug 5: a DATA chunk shorter than its own header raised struct.error."""
    peer.say(chunk(0, 3, bytes(size)))
    assert peer.association.rejected == 1
    assert peer.is_alive()


async def test_sctp_invalid_utf8_is_passed_as_it_is(peer: HostilePeer) -> None:
    """Bug 5: UnicodeDecodeError closed the connection."""
    open_channel(peer)
    peer.say_data(b"\xff\xfe\x80", ssn=1, protocol=51)
    assert peer.heard.messages == [("data", b"\xff\xfe\x80", False)]


async def test_sctp_message_on_a_stream_without_channel_and_of_unknown_kind(peer: HostilePeer) -> None:
    open_channel(peer)
    peer.say_data(b"nobody", stream=8)
    peer.say_data(b"what", ssn=1, protocol=9999)
    peer.say_data(b"far", stream=MAX_STREAMS)
    assert peer.association.rejected == 3
    assert peer.heard.messages == []


async def test_sctp_reassembly_endless_fragments_end_the_association(peer: HostilePeer) -> None:
    open_channel(peer)
    peer.say_data(b"begin", ssn=1, flags=2)
    sent = 0
    while peer.association.state == "connected":
        peer.say_data(bytes(1100), ssn=1, flags=0)
        sent += 1100
        assert sent < MAX_MESSAGE_SIZE + 5000
    assert sent > MAX_MESSAGE_SIZE - 5000
    assert peer.replies()[-1][0] == 6


async def test_sctp_reassembly_one_byte_fragments_stay_within_memory(peer: HostilePeer) -> None:
    gc.collect()
    before = resident_bytes()
    for number in range(2 * MAX_HELD_CHUNKS):
        peer.say(data_chunk(FIRST_TSN + 1 + 2 * number, b"x", ssn=number & 0xFFFF, flags=number % 3))
        peer.sent.clear()
    assert peer.association.state == "connected"
    assert peer.association.rejected >= MAX_HELD_CHUNKS
    assert resident_bytes() - before < 20_000_000


async def test_sctp_reassembly_holds_no_more_than_the_window(peer: HostilePeer) -> None:
    for number in range(2 * RECEIVE_WINDOW // 1000):
        peer.say(data_chunk(FIRST_TSN + 1 + number, bytes(1000), ssn=1 + number))
    assert peer.association._association._reassembly.held_bytes <= RECEIVE_WINDOW
    assert peer.association.state == "connected"
    sack = [body for kind, body in peer.replies() if kind == 3][-1]
    assert struct.unpack_from("!LL", sack) == (FIRST_TSN - 1, RECEIVE_WINDOW % 1000)


async def test_sctp_tsn_far_ahead_or_behind(peer: HostilePeer) -> None:
    for ahead in (0x10001, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 2):
        peer.say(data_chunk(FIRST_TSN + ahead, b"far"))
    open_channel(peer)


async def test_sctp_misordered_flood_costs_the_same_for_each_chunk(peer: HostilePeer) -> None:
    """Bug 3: all numbers received out of order were sorted again with each chunk, 0.5 ms at 8000."""
    started = time.process_time()
    for number in range(8000):
        peer.say(data_chunk(FIRST_TSN + 1 + number, b"x", ssn=1 + number))
    each_us = (time.process_time() - started) / 8000 * 1e6
    assert each_us < 400
    started = time.process_time()
    peer.say(data_chunk(FIRST_TSN, OPEN_DATA, protocol=50))
    assert time.process_time() - started < 1.0
    assert len(peer.heard.messages) == 8000


async def test_sctp_fragments_in_reverse_cost_little(peer: HostilePeer) -> None:
    started = time.process_time()
    for number in reversed(range(1, 8000)):
        peer.say(data_chunk(FIRST_TSN + number, b"x", flags=0))
    assert (time.process_time() - started) / 8000 < 400e-6


async def test_sctp_duplicates_of_everything(peer: HostilePeer) -> None:
    open_channel(peer)
    copy = data_chunk(peer.next_tsn, b"once", ssn=1)
    for _ in range(500):
        peer.say(*[copy] * 40)
    assert peer.heard.messages == [("data", b"once", True)]
    assert all(len(packet) <= 1200 for packet in peer.sent)


async def test_sctp_forward_tsn_floods_and_jumps(peer: HostilePeer) -> None:
    open_channel(peer)
    for number in range(2, 6000, 2):
        peer.say(data_chunk(FIRST_TSN + number, b"x", stream=5, flags=0))
    started = time.process_time()
    for start in range(0, 1300, 130):
        peer.say(*[forward_tsn_chunk(FIRST_TSN + start + step, (5, step)) for step in range(80)])
    assert time.process_time() - started < 2.0
    peer.say(forward_tsn_chunk(FIRST_TSN + 2**30, *[(stream, 40_000) for stream in range(250)]))
    peer.say(forward_tsn_chunk(0), forward_tsn_chunk(2**31))
    for size in (0, 3, 5, 6):
        peer.say(chunk(192, 0, bytes(size)))
    assert peer.is_alive()


async def test_sctp_heartbeat_flood_is_answered_in_kind(peer: HostilePeer) -> None:
    peer.say(*[chunk(4, 0, struct.pack("!HHL", 1, 8, 77))] * 90)
    assert sum(map(len, peer.sent)) <= 90 * 12 + 24


async def test_dc_flood_of_ten_thousand_one_byte_messages(peer: HostilePeer) -> None:
    """Fault 76."""
    open_channel(peer)
    started = time.process_time()
    for number in range(200):
        chunks = [data_chunk(peer.next_tsn + one, b"x", ssn=number * 50 + one + 1) for one in range(50)]
        peer.next_tsn += 50
        peer.say(*chunks)
    assert time.process_time() - started < 4.0
    assert len(peer.heard.messages) == 10_000


async def test_dc_flood_one_slow_subscriber_of_many_delays_nobody() -> None:
    """Fault 76: two hundred receivers of the same messages, one of which never acknowledges."""
    peers = [HostilePeer() for _ in range(200)]
    for peer in peers:
        open_channel(peer)
    await asyncio.sleep(0)
    for peer in peers[1:]:
        peer.replies()
        peer.say(sack_chunk(peer.their_tsn))
    for number in range(3):
        for peer in peers:
            assert peer.association.send("data", b"%d" % number + bytes(1000))
    await asyncio.sleep(0)
    assert all(len([1 for kind, _ in peer.replies() if kind == 0]) == 3 for peer in peers[1:])
    for peer in peers:
        peer.association.close()


async def test_sctp_random_chunks(peer: HostilePeer) -> None:
    chance = random.Random(72)
    for _ in range(5000):
        kind = chance.choice((0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 130, 192, chance.randrange(256)))
        body = chance.randbytes(chance.randrange(40))
        peer.say(chunk(kind, chance.randrange(256), body), tag=0 if kind == 1 else None)
        if peer.association.state == "closed":
            peer = HostilePeer()
    peer.association.close()
