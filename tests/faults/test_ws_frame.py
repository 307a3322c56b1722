"""Fault 79: frames that break RFC 6455 or its limits."""

import asyncio
import zlib

import pytest
from livekit.protocol import rtc

from tests.faults.conftest import Target, token
from tests.harness.raw_http import UPGRADE, frame, head, read_answer, read_close_code, read_frame

PING = rtc.SignalRequest(ping=1).SerializeToString()
LIMIT = 2 * 1024 * 1024
BAD_FRAMES = {
    "declares 2^63 bytes": (b"\x82\xff" + b"\xff" * 8 + bytes(4), 1009),
    "declares one byte too many": (b"\x82\xff" + (LIMIT + 1).to_bytes(8, "big") + bytes(4), 1009),
    "control frame of 126 bytes": (frame(bytes(126), opcode=9), 1002),
    "fragmented control frame": (frame(b"", opcode=9, fin=False), 1002),
    "reserved bit 1 (no compression agreed)": (frame(zlib.compress(bytes(1 << 24)), rsv=4), 1002),
    "reserved bit 2": (frame(PING, rsv=2), 1002),
    "reserved bit 3": (frame(PING, rsv=1), 1002),
    "unknown data opcode": (frame(PING, opcode=3), 1002),
    "unknown control opcode": (frame(b"", opcode=11), 1002),
    "invalid UTF-8 in text": (frame(b'{"ping": "\xff"}', opcode=1), 1007),
    "continuation of nothing": (frame(PING, opcode=0), 1002),
    "new message inside a fragmented one": (frame(b"a", fin=False) + frame(PING), 1002),
    "close code out of range": (frame((999).to_bytes(2, "big"), opcode=8), 1002),
    "close with half a code": (frame(b"\x03", opcode=8), 1002),
    "bytes that are no message": (frame(b"\xff" * 20), 1000),
    "text that is no message": (frame(b"{", opcode=1), 1000),
}


@pytest.mark.parametrize(("data", "code"), BAD_FRAMES.values(), ids=BAD_FRAMES.keys())
async def test_closed_with_the_code_for_it(target: Target, data: bytes, code: int) -> None:
    reader, writer = await target.open_signal()
    writer.write(data)
    assert await read_close_code(reader) == code
    writer.close()
    await target.session_is_lost()
    assert target.rooms.sessions[-1].requests == []


async def test_fragments_without_end_stop_at_the_limit(target: Target) -> None:
    reader, writer = await target.open_signal()
    writer.write(frame(bytes(1024), fin=False))
    closing = asyncio.create_task(read_close_code(reader))
    sent = 1024
    while not closing.done() and sent < 3 * LIMIT:
        writer.write(frame(bytes(16384), opcode=0, fin=False))
        sent += 16384
        await asyncio.sleep(0)
    assert await closing == 1009
    await target.session_is_lost()


async def test_empty_fragments_without_end_hold_no_memory_and_time_out(target: Target) -> None:
    _, writer = await target.open_signal()
    writer.write(frame(b"", fin=False))
    writer.write(frame(b"", opcode=0, fin=False) * 10_000)
    await target.session_is_lost()


async def test_an_unmasked_frame_is_refused(target: Target) -> None:
    reader, writer = await target.open_signal()
    writer.write(frame(PING, mask=False))
    assert await read_close_code(reader) == 1002
    writer.close()
    await target.session_is_lost()


async def test_a_message_in_fragments_is_one_message(target: Target) -> None:
    reader, writer = await target.open_signal()
    for index in range(len(PING)):
        last = index == len(PING) - 1
        writer.write(frame(PING[index : index + 1], opcode=2 if index == 0 else 0, fin=last))
        writer.write(frame(b"between", opcode=9))
    answers = [await read_frame(reader) for _ in range(len(PING) + 1)]
    assert sorted(opcode for opcode, _ in answers) == [2] + [10] * len(PING)


async def test_a_flood_of_pings_by_one_who_does_not_read_ends(target: Target) -> None:
    reader, writer = await target.open_signal()
    writer.transport.set_write_buffer_limits(high=1 << 20)
    flood = frame(bytes(125), opcode=9) * 1000
    try:
        async with asyncio.timeout(20):
            while not target.rooms.sessions[-1].lost:
                writer.write(flood)
                await asyncio.wait_for(writer.drain(), 5)
    except (TimeoutError, ConnectionError):
        pass
    await target.session_is_lost()
    assert not reader.at_eof()


async def test_compression_is_not_agreed_to(target: Target) -> None:
    reader, writer = await target.connect()
    offer = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
    writer.write(head(f"/rtc?access_token={token()}", headers=UPGRADE | offer))
    answer = await read_answer(reader)
    assert answer.status == 101
    assert "sec-websocket-extensions" not in answer.headers
