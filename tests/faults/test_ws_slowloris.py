"""Fault 78: connections that take their time."""

import asyncio
from contextlib import suppress

from tests.faults.conftest import Target, token
from tests.harness.raw_http import UPGRADE, ask, head, read_answer


async def test_headers_a_byte_at_a_time_are_not_waited_for(target: Target) -> None:
    reader, writer = await target.connect()
    request = head(f"/rtc?access_token={token()}", headers=UPGRADE)
    async with asyncio.timeout(10):
        for byte in request[:-2]:
            if reader.at_eof():
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(0.01)
        with suppress(ConnectionResetError):  # for a byte that was on its way when the server closed
            assert await reader.read() == b""


async def test_a_connection_that_says_nothing_is_closed(target: Target) -> None:
    reader, _ = await target.connect()
    assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_a_handshake_without_key_or_with_a_bad_one_is_refused(target: Target) -> None:
    for key in (None, "", "short", "not base64 at all but as long"):
        headers = {name: value for name, value in UPGRADE.items() if name != "Sec-WebSocket-Key"}
        headers |= {} if key is None else {"Sec-WebSocket-Key": key}
        answer = await ask(target.port, f"/rtc?access_token={token()}", headers=headers)
        assert answer.status == 400
    assert len(target.rooms.sessions) == 1


async def test_huge_and_many_headers_are_refused(target: Target) -> None:
    for headers in ({"X-Huge": "x" * 100_000}, {f"X-{number}": "x" for number in range(1000)}):
        assert (await ask(target.port, "/", headers=headers)).status == 400
    assert (await ask(target.port, "/" + "x" * 100_000)).status == 400


async def test_silence_after_the_upgrade_is_noticed(target: Target) -> None:
    reader, _ = await target.open_signal()
    await target.session_is_lost()
    await asyncio.wait_for(_until_the_end(reader), 5)


async def test_a_hundred_half_open_handshakes_leave_room_for_others(target: Target) -> None:
    half_open = [await target.connect() for _ in range(100)]
    for _, writer in half_open:
        writer.write(b"GET /rtc HTTP/1.1\r\nHost: h")
    assert (await ask(target.port, f"/rtc/validate?access_token={token()}")).body == "success"
    for reader, _ in half_open:
        await asyncio.wait_for(reader.read(), 10)


async def test_a_head_cut_short_by_the_client_is_nothing(target: Target) -> None:
    _, writer = await target.connect()
    writer.write(b"GET /rtc HTTP/1.1\r\nHost")
    writer.close()
    reader, writer = await target.connect()
    writer.write(head("/"))
    assert (await read_answer(reader)).status == 200


async def _until_the_end(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(4096):
            pass
    except ConnectionResetError:
        pass
