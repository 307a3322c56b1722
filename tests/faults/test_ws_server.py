"""Faults 78 to 82 against the whole server: sockets that misbehave while others are in a call."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from livekit.protocol import models, rtc

from tests.faults.bystander import Media
from tests.faults.test_ws_frame import BAD_FRAMES, LIMIT
from tests.harness.attacker import Attacker
from tests.harness.eventually import eventually
from tests.harness.raw_http import ask, frame, read_frame, upgraded
from tests.harness.raw_signal import LIKE_JS, V0, signalling
from tests.harness.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def raw(
    server: Server, token: str, buffer_bytes: int = 0
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """An SDK's connection as bytes."""
    query = "&".join(f"{name}={value}" for name, value in LIKE_JS.items())
    async with upgraded(server.port, f"/rtc?access_token={token}&{query}", buffer_bytes) as streams:
        yield streams


async def ends(reader: asyncio.StreamReader, within_s: float = 5) -> None:
    """Wait until the server has closed the connection."""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(within_s):
            while await reader.read(1 << 16):
                pass


async def test_78_half_open_handshakes_and_82_hostile_requests(media: Media, server: Server) -> None:
    port = server.port
    half_open = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
    for number, (_, writer) in enumerate(half_open):
        writer.write(b"GET /rtc HTTP/1.1\r\nHost: h"[: number % 28])
    before = server.log_size()
    for target in ("/../../etc/passwd", "/rtc/../rtc", "/%2e%2e/x", "//rtc/validate", "/" + "x" * 60_000):
        assert (await ask(port, target)).status in (400, 401, 403, 404)
    for method, body in (("POST", "10000000000"), ("PUT", "-1"), ("GET", "5, 6")):
        answer = await ask(port, "/rtc/validate", method=method, headers={"Content-Length": body})
        assert 400 <= answer.status < 500
    assert (await ask(port, "/", headers={"X": "x" * 100_000})).status == 400
    assert server.log_size() == before  # what anybody may send is no news
    await media.goes_on()
    assert (await ask(port, "/")).status == 200
    for _, writer in half_open:
        writer.close()
    media.stays_small(8 << 20)


async def test_79_frames_that_break_the_protocol(media: Media, server: Server, room: str) -> None:
    async def say(number: int, data: bytes) -> None:
        async with raw(server, server.token(room, f"guest{number}")) as (reader, writer):
            await read_frame(reader)
            writer.write(data)
            await ends(reader)

    await asyncio.gather(*(say(number, data) for number, (data, _) in enumerate(BAD_FRAMES.values())))
    async with raw(server, server.token(room, "endless")) as (reader, writer):
        writer.write(frame(bytes(1024), fin=False))
        with contextlib.suppress(ConnectionError):
            for _ in range(2 * LIMIT // (1 << 16)):
                writer.write(frame(bytes(1 << 16), opcode=0, fin=False))
                await writer.drain()
        await ends(reader)
    async with raw(server, server.token(room, "pinger")) as (reader, writer):
        flood = frame(bytes(125), opcode=9) * 100
        for _ in range(100):
            writer.write(flood)
            await asyncio.sleep(0)
        writer.write(frame(rtc.SignalRequest(ping=1).SerializeToString()))
        async with asyncio.timeout(10):
            while True:
                opcode, payload = await read_frame(reader)
                if opcode == 2 and rtc.SignalResponse.FromString(payload).HasField("pong"):
                    break
    await media.goes_on()


async def test_80_two_of_one_identity_and_connections_that_vanish(
    media: Media, server: Server, room: str, mallory: Attacker
) -> None:
    token = server.token(room, "twin")
    for _ in range(10):  # at once, and each time both
        async with signalling(server, token) as first, signalling(server, token) as second:
            await eventually(
                lambda a=first, b=second: a.heard("leave") or b.heard("leave"), "one of them to go"
            )
    async with signalling(server, token) as stays:
        sid = (await stays.hears("join")).participant.sid
        for _ in range(10):
            async with signalling(server, token, V0, LIKE_JS | {"reconnect": "1", "sid": sid}) as back:
                await eventually(lambda back=back: back.frames, "an answer to the resume")
    await mallory.is_heard()
    # Somebody with the attacker's own identity takes its place, media and all; the witness sees one of them go.
    async with signalling(server, server.token(room, "mallory")) as other:
        await other.hears("join")
        await eventually(lambda: "DUPLICATE_IDENTITY" in mallory.client.failure, "the end of the first")
    async with signalling(server, server.token(room, "observer")) as observer:
        others = (await observer.hears("join")).other_participants
        assert [info.identity for info in others if info.identity == "mallory"] in ([], ["mallory"])


async def test_80_a_goodbye_reaches_one_who_is_still_talking(media: Media, server: Server, room: str) -> None:
    """A connection closed with input unread is reset, and what was said last is lost with it."""
    offer = rtc.SignalRequest(offer=rtc.SessionDescription(type="offer", sdp="nonsense"))
    chatter = frame(rtc.SignalRequest(simulate=rtc.SimulateScenario(speaker_update=1)).SerializeToString())
    async with raw(server, server.token(room, "chatterbox")) as (reader, writer):
        writer.write(frame(offer.SerializeToString()) + chatter * 50_000)
        await asyncio.sleep(0.5)
        kinds = []
        async with asyncio.timeout(10):
            while (answer := await read_frame(reader))[0] != 8:
                kinds.append(rtc.SignalResponse.FromString(answer[1]).WhichOneof("message"))
        assert kinds[-1] == "leave"
        writer.write(frame(answer[1], opcode=8))
        await ends(reader)


async def test_81_one_who_does_not_read_while_the_room_is_busy(
    media: Media, server: Server, room: str
) -> None:
    """A thousand updates of ten kilobytes: who reads gets them, who does not is cut off before long."""
    busy = server.token(room, "busy", can_update_own_metadata=True)
    async with (
        signalling(server, server.token(room, "reader")) as reads,
        raw(server, server.token(room, "stuck"), 4096) as (reader, _),
        signalling(server, busy) as writes,
    ):
        await read_frame(reader)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        started = time.monotonic()
        for number in range(1000):
            update = rtc.UpdateParticipantMetadata(metadata=f"{number} " + "x" * 10_000)
            await writes.send(update_metadata=update)
            if number % 20 == 0:
                await eventually(
                    lambda number=number: len(writes.heard("request_response")) >= number - 100, "replies"
                )
        await reads.learns("busy", lambda info: info.metadata.startswith("999 "), within_s=10)
        await reads.learns("stuck", lambda info: info.state == models.ParticipantInfo.DISCONNECTED)
        assert time.monotonic() - started < 20
        assert not reads.heard("leave")
        assert not writes.heard("leave")
    media.stays_small(16 << 20)
