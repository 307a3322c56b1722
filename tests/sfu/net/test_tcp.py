"""ICE-TCP connections over the loopback: framing, limits, and what is left when they end."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from sfu.net import tcp
from sfu.net.framing import frame
from sfu.net.tcp import TcpPeer, TcpPort
from tests.harness.eventually import eventually

MAX_CONNECTIONS = 3


class Listener:
    """Notes what comes, and from whom."""

    def __init__(self) -> None:
        self.received: list[tuple[TcpPeer, bytes]] = []
        self.closed: list[TcpPeer] = []
        self.tcp = TcpPort(self._on_datagram, self.closed.append, MAX_CONNECTIONS)
        self.address = ("127.0.0.1", 0)

    @property
    def datagrams(self) -> list[bytes]:
        return [data for _, data in self.received]

    def _on_datagram(self, peer: TcpPeer, data: bytes) -> None:
        self.received.append((peer, data))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self.address)

    async def connect_and_say(
        self, data: bytes
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, TcpPeer]:
        """A connection whose first datagram has come."""
        reader, writer = await self.connect()
        count = len(self.received)
        writer.write(frame(data))
        await eventually(lambda: len(self.received) > count, "a datagram")
        return reader, writer, self.received[-1][0]


@pytest.fixture(params=["127.0.0.1", "::1"])
async def listener(request: pytest.FixtureRequest) -> AsyncIterator[Listener]:
    made = Listener()
    made.address = (request.param, await made.tcp.listen(request.param, 0))
    yield made
    await made.tcp.close()


async def test_datagrams_pass_both_ways_however_the_stream_is_cut(listener: Listener) -> None:
    reader, writer, peer = await listener.connect_and_say(b"first")
    stream = frame(b"second") + frame(b"x" * 1400)
    for byte in stream[:12]:
        writer.write(bytes([byte]))
        await writer.drain()
    writer.write(stream[12:])
    await eventually(lambda: len(listener.received) == 3, "all datagrams")
    assert listener.datagrams == [b"first", b"second", b"x" * 1400]
    assert {one for one, _ in listener.received} == {peer}
    assert peer.send(b"down")
    assert await reader.readexactly(6) == b"\0\4down"
    writer.close()


async def test_a_peer_knows_its_address(listener: Listener) -> None:
    _, writer, peer = await listener.connect_and_say(b"x")
    assert (peer.host, peer.port) == writer.get_extra_info("sockname")[:2]
    writer.close()


async def test_connections_are_told_apart(listener: Listener) -> None:
    _, one, first = await listener.connect_and_say(b"1")
    _, other, second = await listener.connect_and_say(b"2")
    assert first is not second
    one.close()
    await eventually(lambda: listener.closed == [first], "the first to be gone")
    assert second.send(b"x")
    assert not first.send(b"x")
    other.close()


async def test_a_frame_that_is_too_long_ends_the_connection(listener: Listener) -> None:
    reader, writer, peer = await listener.connect_and_say(b"x")
    writer.write(b"\xff\xff" + bytes(3000))
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    await eventually(lambda: listener.closed == [peer], "the end")
    assert listener.datagrams == [b"x"]


async def test_one_connection_too_many_is_refused(listener: Listener) -> None:
    writers = [(await listener.connect_and_say(b"x"))[1] for _ in range(MAX_CONNECTIONS)]
    reader, extra = await listener.connect()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    assert listener.tcp.refused == 1
    writers.pop().close()
    await eventually(lambda: len(listener.closed) >= 2, "room for another")
    writers.append((await listener.connect_and_say(b"again"))[1])
    for writer in (*writers, extra):
        writer.close()


async def test_a_connection_without_a_valid_check_is_closed(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "IDLE_S", 0.05)
    reader, writer, _ = await listener.connect_and_say(b"no check")
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()


async def test_a_valid_check_lets_a_connection_stay(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "IDLE_S", 0.3)
    reader, writer, peer = await listener.connect_and_say(b"check")
    peer.validated()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.6):
            await reader.readexactly(1)
    assert peer.send(b"x")
    writer.close()


async def test_a_slow_receiver_loses_datagrams_and_no_memory(listener: Listener) -> None:
    _, writer = await listener.connect()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    writer.write(frame(b"x"))
    await eventually(lambda: bool(listener.received), "a datagram")
    peer = listener.received[0][0]
    taken = 0
    while peer.send(bytes(1400)):
        taken += 1
        assert taken < 20_000
    assert peer._transport is not None
    assert peer._transport.get_write_buffer_size() <= tcp.WRITE_BUFFER_BYTES + 1402
    peer.close()
    assert not peer.send(b"x")
    writer.close()


async def test_nothing_is_delivered_of_a_connection_that_its_owner_closed(listener: Listener) -> None:
    """Several datagrams come at once, and the first one's handler ends the connection."""
    original = listener._on_datagram

    def close_at_once(peer: TcpPeer, data: bytes) -> None:
        original(peer, data)
        peer.close()

    listener.tcp._on_datagram = close_at_once
    _, late = await listener.connect()
    late.write(frame(b"1") + frame(b"2") + frame(b"3"))
    await eventually(lambda: bool(listener.closed), "the end")
    assert listener.datagrams == [b"1"]
    late.close()


async def test_closing_the_port_ends_its_connections() -> None:
    listener = Listener()
    listener.address = ("127.0.0.1", await listener.tcp.listen("127.0.0.1", 0))
    reader, _, peer = await listener.connect_and_say(b"x")
    await listener.tcp.close()
    await eventually(lambda: listener.closed == [peer], "the end")
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    with pytest.raises(ConnectionError):
        await listener.connect()


async def test_a_taken_port_is_an_os_error(listener: Listener) -> None:
    other = Listener()
    with pytest.raises(OSError, match="in use"):
        await other.tcp.listen(*listener.address)
