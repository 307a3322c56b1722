"""Ports are read when something comes, later where that pays, and again whatever happened before."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import pytest

from sfu.net.udp import UdpPort
from sfu.readers import Readers
from tests.harness.eventually import PATIENCE_S

DELAY_S = 0.002


class Reading:
    """A port, whoever sends to it, and what was read when."""

    def __init__(self) -> None:
        self.port = UdpPort(0, "127.0.0.1", 0, batch_size=64, buffer_bytes=1 << 20, batch=True)
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.connect(("127.0.0.1", self.port.port))
        self.fault: Exception | None = None
        self.read_at: list[float] = []
        self.counts: list[int] = []
        self.readers: Readers | None = None
        self._came = asyncio.Event()

    def begin(self, delay_s: float = DELAY_S, *, hurried: bool = False) -> None:
        """Have the port read."""
        self.readers = Readers(self.read, lambda: hurried, delay_s)
        self.readers.start([self.port])

    def end(self) -> None:
        """Have it read no more."""
        if self.readers is not None:
            self.readers.stop()

    def read(self, port: UdpPort, now: float) -> int:
        count = port.fill()
        self.read_at.append(time.monotonic())
        self.counts.append(count)
        self._came.set()
        fault, self.fault = self.fault, None
        if fault is not None:
            raise fault
        return count

    async def send(self) -> None:
        """Send a datagram, and come back when there was a look at the port."""
        self._came.clear()
        self.client.send(b"datagram")
        await asyncio.wait_for(self._came.wait(), PATIENCE_S)

    async def send_some(self) -> None:
        """So many that it is known how often they come."""
        for _ in range(3):
            await self.send()


@pytest.fixture
async def reading() -> AsyncIterator[Reading]:
    reading = Reading()
    yield reading
    reading.end()
    reading.client.close()
    reading.port.close()


@pytest.fixture
def much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes is much, from the second look on."""
    monkeypatch.setattr("sfu.coalescing.WINDOW_S", 0.0)
    monkeypatch.setattr("sfu.coalescing.OFTEN_PER_S", 0)
    monkeypatch.setattr("sfu.coalescing.BUSY", 2.0)


async def test_what_comes_is_read_at_once(reading: Reading) -> None:
    reading.begin()
    for count in range(1, 4):
        await reading.send()
        assert len(reading.read_at) == count


@pytest.mark.usefixtures("much")
async def test_where_much_comes_looks_are_apart(reading: Reading) -> None:
    reading.begin(10 * DELAY_S)
    for _ in range(6):
        await reading.send()
    assert reading.read_at[-1] - reading.read_at[1] >= 4 * 0.9 * 10 * DELAY_S


@pytest.mark.usefixtures("much")
@pytest.mark.parametrize(("delay_s", "hurried"), [(0.0, False), (DELAY_S, True)], ids=["never", "hurried"])
async def test_or_not(reading: Reading, delay_s: float, hurried: bool) -> None:
    reading.begin(delay_s, hurried=hurried)
    await reading.send_some()
    assert asyncio.get_running_loop().remove_reader(reading.port.fileno)  # it was listened to


async def test_when_less_comes_it_is_listened_to_again(reading: Reading) -> None:
    reading.begin()
    loop = asyncio.get_running_loop()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sfu.coalescing.WINDOW_S", 0.0)
        patched.setattr("sfu.coalescing.OFTEN_PER_S", 0)
        patched.setattr("sfu.coalescing.BUSY", 2.0)
        await reading.send_some()
        reading.client.send(b"before the next look")
        patched.setattr("sfu.coalescing.OFTEN_PER_S", 1_000_000_000)
        await reading.send()
    assert loop.remove_reader(reading.port.fileno)


@pytest.mark.usefixtures("much")
async def test_a_port_to_which_nothing_comes_is_listened_to(reading: Reading) -> None:
    reading.begin()
    await reading.send_some()
    while reading.counts[-1]:
        await asyncio.sleep(0)
    assert asyncio.get_running_loop().remove_reader(reading.port.fileno)


@pytest.mark.usefixtures("much")
async def test_what_came_to_a_port_that_is_read_late_goes_before_what_comes_to_another(
    reading: Reading,
) -> None:
    other = UdpPort(1, "127.0.0.1", 0, batch_size=64, buffer_bytes=1 << 20, batch=True)
    order: list[UdpPort] = []

    def read(port: UdpPort, now: float) -> int:
        count = reading.read(port, now)
        order.extend([port] * count)
        return count

    readers = Readers(read, lambda: False, 60.0)
    readers.start([reading.port, other])
    for _ in range(2):
        await reading.send()
    order.clear()
    reading.client.send(b"first")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"second", ("127.0.0.1", other.port))
        while len(order) < 2:
            await asyncio.sleep(0)
    assert order == [reading.port, other]
    readers.stop()
    other.close()


@pytest.mark.usefixtures("much")
async def test_a_fault_is_not_the_end(reading: Reading) -> None:
    reading.begin()
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["exception"]))
    for _ in range(3):
        reading.fault = ValueError("of one batch")
        await reading.send()
        await reading.send()
    assert [str(fault) for fault in faults] == ["of one batch"] * 3


@pytest.mark.usefixtures("much")
async def test_nothing_is_read_after_the_end(reading: Reading) -> None:
    reading.begin()
    await reading.send_some()
    reading.end()
    read = len(reading.read_at)
    reading.client.send(b"late")
    later = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(3 * DELAY_S, later.set_result, None)
    await later
    assert len(reading.read_at) == read
