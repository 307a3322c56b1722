"""What can wait is read with something else or a little later, and wakes nobody but for the first."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from math import inf

import pytest

from sfu.late_reports import INTERVAL_S, PATIENCE, LateReports
from sfu.net.udp import UdpPort
from tests.harness.eventually import PATIENCE_S

BATCH = 4


def _port() -> UdpPort:
    return UdpPort(0, "127.0.0.1", 0, batch_size=BATCH, buffer_bytes=1 << 20, batch=True)


class Reading:
    """A port and another one, whoever sends to them, and how many datagrams each look found."""

    def __init__(self) -> None:
        self.port, self.other = _port(), _port()
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.connect(("127.0.0.1", self.port.port))
        self.fault: Exception | None = None
        self.found: list[int] = []
        self.found_at_other: list[int] = []
        self.reports = LateReports(self._read)
        self.reports.ports += [self.port, self.other]
        self._looked = asyncio.Event()

    def send(self, count: int = 1) -> None:
        for _ in range(count):
            self.client.send(b"datagram")

    def send_to_other(self) -> None:
        self.client.sendto(b"datagram", ("127.0.0.1", self.other.port))

    async def until(self, *found: int) -> None:
        """Wait until so many have been found, look by look, but for looks that found nothing."""
        while sum(self.found) < sum(found):
            await self._look()
        assert [count for count in self.found if count] == list(found)

    async def until_none(self) -> None:
        """Wait until enough looks have found nothing."""
        while any(self.found[-PATIENCE:]):
            await self._look()

    async def _look(self) -> None:
        self._looked.clear()
        await asyncio.wait_for(self._looked.wait(), PATIENCE_S)

    def _read(self, port: UdpPort, now: float, unix_now: float) -> bool | None:
        assert abs(now - time.monotonic()) < PATIENCE_S
        assert abs(unix_now - time.time()) < PATIENCE_S
        count = port.fill()
        found = self.found if port is self.port else self.found_at_other
        found.append(count)
        self._looked.set()
        fault, self.fault = self.fault, None
        if fault is not None:
            raise fault
        return count == BATCH if count else None

    @property
    def listening(self) -> bool:
        """Whether the port wakes us."""
        loop = asyncio.get_running_loop()
        was = loop.remove_reader(self.port.fileno)
        if was:
            loop.add_reader(self.port.fileno, self.reports._on_readable, self.port)
        return was


@pytest.fixture
async def reading() -> AsyncIterator[Reading]:
    reading = Reading()
    reading.reports.start()
    yield reading
    reading.reports.stop()
    reading.client.close()


async def test_the_first_wakes_us_and_the_next_does_not(reading: Reading) -> None:
    assert reading.listening
    reading.send()
    await reading.until(1)
    assert not reading.listening
    assert reading.reports.due_at <= time.monotonic() + INTERVAL_S


async def test_whoever_is_awake_reads_what_is_due(reading: Reading) -> None:
    reading.send()
    await reading.until(1)
    reading.send(2)
    reading.reports.begin()
    assert reading.found[-1] == 2


async def test_without_that_a_timer_does(reading: Reading) -> None:
    reading.send()
    await reading.until(1)
    reading.send(3)
    await reading.until(1, 3)


async def test_when_no_more_comes_the_next_wakes_us_again(reading: Reading) -> None:
    reading.send()
    await reading.until(1)
    reading.send()
    await reading.until(1, 1)
    await reading.until_none()
    assert reading.found[-PATIENCE - 1 :] == [1, *[0] * PATIENCE]
    assert reading.listening
    assert reading.reports.due_at == inf
    reading.send()
    await reading.until(1, 1, 1)


async def test_a_port_to_which_nothing_comes_is_not_looked_at(reading: Reading) -> None:
    for count in (1, 2):
        reading.send()
        await reading.until(*[1] * count)
        await reading.until_none()
    assert reading.found_at_other == []
    reading.send_to_other()
    while not reading.found_at_other:
        await reading._look()
    assert reading.found_at_other == [1]


async def test_many_are_read_batch_by_batch(reading: Reading) -> None:
    reading.send(2 * BATCH + 1)
    await reading.until(BATCH, BATCH, 1)


async def test_a_fault_is_not_the_end(reading: Reading) -> None:
    faults: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: faults.append(context["exception"]))
    reading.fault = ValueError("of one batch")
    reading.send()
    await reading.until(1)
    reading.send()
    await reading.until(1, 1)
    assert [str(fault) for fault in faults] == ["of one batch"]


async def test_the_end_closes_the_ports() -> None:
    reading = Reading()
    reading.reports.start()
    reading.send()
    await reading.until(1)
    reading.reports.stop()
    with pytest.raises(OSError, match="Bad file"):
        socket.socket(fileno=reading.port.fileno)
    reading.client.close()
