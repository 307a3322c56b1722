"""Faults 80 and 81: a client that vanishes without a word, and one that stops reading."""

import asyncio
import socket
import tracemalloc

from livekit.protocol import rtc

from tests.faults.conftest import Target
from tests.harness.eventually import PATIENCE_S

EVENT = rtc.SignalResponse(refresh_token="x" * 1000)


async def test_a_client_that_vanishes_is_noticed_within_the_ping_timeout(target: Target) -> None:
    _, writer = await target.open_signal()
    # No FIN reaches the server: the socket is simply never used again.
    started = asyncio.get_running_loop().time()
    await target.session_is_lost()
    assert 1.5 < asyncio.get_running_loop().time() - started < 4
    writer.close()


async def test_a_reset_connection_is_noticed_at_once(target: Target) -> None:
    _, writer = await target.open_signal()
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    writer.transport.abort()
    async with asyncio.timeout(1):
        await target.session_is_lost()


async def test_one_who_does_not_read_is_cut_off_and_holds_little_memory(target: Target) -> None:
    reader, writer = await target.open_signal()
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    session = target.rooms.sessions[-1]
    tracemalloc.start()
    sent = 0
    async with asyncio.timeout(20):
        while not session.lost:
            for _ in range(100):  # thousands of events a second
                session.sink.send(EVENT)
            sent += 100
            await asyncio.sleep(0.001)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Kernel buffers of both ends take a few megabytes; ours stay at the queue's limit.
    assert sent > 256
    assert peak < 4 * 1024 * 1024
    writer.close()


async def test_nothing_is_queued_for_one_already_gone(target: Target) -> None:
    _, writer = await target.open_signal()
    writer.transport.abort()
    await target.session_is_lost()
    session = target.rooms.sessions[-1]
    for _ in range(10_000):
        session.sink.send(EVENT)
    session.sink.close()
    assert session.lost == 1


async def test_a_crowd_that_reconnects_at_once_is_served(target: Target) -> None:
    async def once(number: int) -> None:
        _, writer = await target.open_signal(f"u{number % 10}")
        writer.transport.abort()

    for _ in range(3):
        await asyncio.gather(*(once(number) for number in range(50)))
    async with asyncio.timeout(PATIENCE_S):
        while not all(session.lost for session in target.rooms.sessions[1:]):
            await asyncio.sleep(0.01)
    assert len(target.rooms.sessions) == 151
