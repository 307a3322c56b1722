"""Fault 110 thrown at a running server: scrapes without end, and people whose names would be series."""

import asyncio
import secrets
import time
from collections.abc import Iterator

import pytest

from tests.faults.bystander import Media
from tests.harness.listening import free_port
from tests.harness.raw_http import ask
from tests.harness.raw_signal import V0, signalling
from tests.harness.scrape import metrics_at, scraped, value
from tests.harness.server import Server, running_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

PORT = free_port()
SCRAPES = 300
EVERY_S = 0.01


@pytest.fixture(scope="module")
def server_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server"), metrics_at(PORT)) as server:
        yield server


async def test_110_a_hundred_scrapes_a_second(media: Media) -> None:
    started_at = time.monotonic()
    last = 0.0
    for number in range(SCRAPES):
        found = await scraped(PORT)
        sent = value(found, "hubbub_packets_sent_total")
        assert sent >= last
        last = sent
        await asyncio.sleep(started_at + (number + 1) * EVERY_S - time.monotonic())
    await media.goes_on()


async def test_110_names_become_no_series(media: Media, server: Server, room: str) -> None:
    before = await scraped(PORT)
    for _ in range(20):
        names = [f"{room}-{secrets.token_hex(4)}" for _ in range(2)]
        async with signalling(server, server.token(*names), V0) as signal:
            await signal.hears("join")
            found = await scraped(PORT)
            assert found.keys() == before.keys()
            assert value(found, "livekit_participant_total") > value(before, "livekit_participant_total")
    assert not any(room in repr(series) for series in await scraped(PORT))


async def test_110_requests_that_are_none(media: Media, server: Server) -> None:
    size = server.log_size()
    for target in ("/" + "x" * 60_000, "/%00", "//", "/\x80"):
        await ask(PORT, target)
    assert (await ask(PORT, "/", method="DELETE")).status == 405
    idle = [await asyncio.open_connection("127.0.0.1", PORT) for _ in range(100)]
    assert value(await scraped(PORT), "livekit_room_total") >= 1
    for _, writer in idle:
        writer.close()
    assert server.log_size() == size
