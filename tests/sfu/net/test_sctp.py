"""SCTP associations over plain callables: channels, messages, loss, and an unmodified aiortc peer."""

import asyncio
import random
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport

from sfu.little import LittleByLittle
from sfu.net.sctp import MAX_MESSAGE_SIZE, SctpAssociation, Soon, call_soon
from tests.harness.skipped_time import skipped_time


@pytest.fixture(autouse=True)
async def timers_without_waiting() -> AsyncIterator[None]:
    with skipped_time():
        yield


class Listener:
    def __init__(self) -> None:
        self.opened: list[str] = []
        self.messages: list[tuple[str, bytes, bool]] = []

    def channel_opened(self, label: str) -> None:
        self.opened.append(label)

    def message(self, label: str, payload: bytes, binary: bool) -> None:
        self.messages.append((label, payload, binary))

    @property
    def payloads(self) -> list[bytes]:
        return [payload for _, payload, _ in self.messages]


class Pair:
    """A server and a client; packets arrive in the next turn of the loop, except for those that are lost."""

    def __init__(self, loss: float = 0.0, seed: int = 1, soon: Soon = call_soon) -> None:
        """``soon`` is the server's."""
        self.loss = loss
        self.chance = random.Random(seed)
        self.packets: list[bytes] = []
        self.server_heard, self.client_heard = Listener(), Listener()
        self.server = SctpAssociation(self.to_client, "server", self.server_heard, soon=soon)
        self.client = SctpAssociation(self.to_server, "client", self.client_heard)

    def to_client(self, packet: bytes) -> None:
        self.carry(packet, self.client)

    def to_server(self, packet: bytes) -> None:
        self.carry(packet, self.server)

    def carry(self, packet: bytes, to: SctpAssociation) -> None:
        self.packets.append(packet)
        if self.chance.random() >= self.loss:
            asyncio.get_running_loop().call_soon(to.feed, packet)

    async def connect(self) -> None:
        self.server.start()
        self.client.start()
        await until(lambda: self.server.state == self.client.state == "connected")

    async def channel(self, label: str, ordered: bool = True, max_retransmits: int | None = None) -> None:
        self.client.open_channel(label, ordered, max_retransmits)
        await until(lambda: label in self.client_heard.opened and label in self.server_heard.opened)

    def close(self) -> None:
        self.server.close()
        self.client.close()


async def until(condition: Any, timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.001)


async def settle(turns: int = 20) -> None:
    """Let everything happen that takes no time."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def test_both_ends_start_and_meet() -> None:
    pair = Pair()
    assert pair.server.state == "new"
    await pair.connect()
    pair.close()
    assert pair.server.state == pair.client.state == "closed"


@pytest.mark.parametrize("opener", ["server", "client"])
async def test_either_end_opens_a_channel_and_both_send(opener: str) -> None:
    pair = Pair()
    association = pair.server if opener == "server" else pair.client
    association.open_channel("_reliable")
    await pair.connect()
    await until(lambda: pair.server_heard.opened == pair.client_heard.opened == ["_reliable"])
    assert pair.server.send("_reliable", b"from server")
    assert pair.client.send("_reliable", b"from client")
    assert pair.client.send("_reliable", b"text", binary=False)
    assert pair.client.send("_reliable", b"")
    assert pair.client.send("_reliable", b"", binary=False)
    await until(lambda: len(pair.server_heard.messages) == 4 and pair.client_heard.messages)
    assert pair.client_heard.messages == [("_reliable", b"from server", True)]
    assert pair.server_heard.messages == [
        ("_reliable", b"from client", True),
        ("_reliable", b"text", False),
        ("_reliable", b"", True),
        ("_reliable", b"", False),
    ]
    assert pair.server.labels == ("_reliable",)
    pair.close()


async def test_what_is_sent_before_the_peer_agreed_arrives_after_the_opening() -> None:
    pair = Pair()
    pair.server.open_channel("_lossy", ordered=False, max_retransmits=0)
    assert pair.server.send("_lossy", b"early")
    await pair.connect()
    await until(lambda: pair.client_heard.messages)
    assert pair.client_heard.opened == ["_lossy"]
    assert pair.client_heard.payloads == [b"early"]
    pair.close()


async def test_nothing_is_sent_on_an_unknown_channel_or_beyond_the_peers_limit() -> None:
    pair = Pair()
    pair.server.start(max_message_size=1000)
    pair.client.start()
    await until(lambda: pair.server.state == pair.client.state == "connected")
    await pair.channel("data")
    assert not pair.server.send("other", b"x")
    assert not pair.server.send("data", bytes(1001))
    assert pair.server.send("data", bytes(1000))
    assert pair.server.buffered("data") == 1000
    assert pair.server.buffered("other") == 0
    await until(lambda: pair.client_heard.messages)
    assert pair.server.buffered("data") == 0
    pair.close()


@pytest.mark.parametrize("size", [1, 1160, 1161, 16_384, MAX_MESSAGE_SIZE])
async def test_messages_of_every_size_arrive_whole(size: int) -> None:
    pair = Pair()
    pair.server.start(max_message_size=0)
    pair.client.start(max_message_size=0)
    await until(lambda: pair.server.state == pair.client.state == "connected")
    await pair.channel("data")
    payload = random.Random(size).randbytes(size)
    assert pair.client.send("data", payload)
    await until(lambda: pair.server_heard.messages)
    assert pair.server_heard.payloads == [payload]
    pair.close()


async def test_small_messages_of_one_turn_share_packets() -> None:
    pair = Pair()
    await pair.connect()
    await pair.channel("data")
    await settle()
    before = len(pair.packets)
    for number in range(100):
        pair.client.send("data", b"%03d" % number)
    await until(lambda: len(pair.server_heard.messages) == 100)
    await settle()
    assert pair.server_heard.payloads == [b"%03d" % number for number in range(100)]
    assert len(pair.packets) - before < 10
    pair.close()


async def test_every_second_packet_is_acknowledged_and_the_last_one_late() -> None:
    pair = Pair()
    await pair.connect()
    await pair.channel("data")
    await asyncio.sleep(0.05)
    pair.packets.clear()
    pair.client.send("data", b"one packet")
    await settle()
    assert len(pair.packets) == 1
    await asyncio.sleep(0.05)
    assert len(pair.packets) == 2
    assert pair.packets[1][12] == 3
    pair.close()


async def test_channels_take_turns() -> None:
    """A megabyte on one channel doesn't hold up a word on another."""
    pair = Pair()
    await pair.connect()
    await pair.channel("bulk")
    await pair.channel("chat")
    for _ in range(64):
        pair.client.send("bulk", bytes(16_384))
    pair.client.send("chat", b"word")
    await until(lambda: len(pair.server_heard.messages) == 65)
    assert pair.server_heard.messages.index(("chat", b"word", True)) < 10
    pair.close()


@pytest.mark.parametrize("seed", range(3))
async def test_reliable_messages_survive_loss_in_order(seed: int) -> None:
    pair = Pair(seed=seed)
    await pair.connect()
    await pair.channel("data")
    pair.loss = 0.05
    sent = [bytes([number % 256]) * (number * 37 % 5000) for number in range(1, 200)]
    for payload in sent:
        pair.client.send("data", payload)
    await until(lambda: len(pair.server_heard.messages) == len(sent), 60.0)
    assert pair.server_heard.payloads == sent
    pair.close()


async def test_lossy_messages_are_given_up_and_later_ones_still_come() -> None:
    """An unordered channel without retransmission, as LiveKit's: what is lost holds nothing else up."""
    pair = Pair(seed=4)
    await pair.connect()
    await pair.channel("_lossy", ordered=False, max_retransmits=0)
    pair.loss = 0.1
    for number in range(300):
        pair.client.send("_lossy", b"%03d" % number + bytes(100))
        await asyncio.sleep(0.005)
    await asyncio.sleep(1.0)
    pair.loss = 0.0
    assert 240 < len(pair.server_heard.messages) < 300
    pair.client.send("_lossy", b"after")
    await until(lambda: pair.server_heard.payloads[-1:] == [b"after"])
    assert len(set(pair.server_heard.payloads)) == len(pair.server_heard.payloads)
    pair.close()


async def test_labels_beyond_ascii_are_sized_in_bytes() -> None:
    pair = Pair()
    await pair.connect()
    await pair.channel("журнал-日本")
    assert pair.server.labels == ("журнал-日本",)
    pair.close()


async def test_a_lost_set_up_is_repeated_soon() -> None:
    pair = Pair(loss=1.0)
    pair.server.start()
    pair.client.start()
    await settle()
    pair.loss = 0.0
    await until(lambda: pair.server.state == pair.client.state == "connected", 2.5)
    pair.close()


async def test_closing_leaves_no_task_and_no_timer() -> None:
    before = asyncio.all_tasks()
    pair = Pair()
    await pair.connect()
    await pair.channel("data")
    pair.client.send("data", bytes(50_000))
    await settle(3)
    pair.client.close()
    await settle()
    assert pair.server.state == "closed"
    pair.server.feed(pair.packets[-1])
    pair.server.close()
    assert not pair.server.send("data", b"x")
    await settle()
    assert asyncio.all_tasks() == before
    for association in (pair.server._association, pair.client._association):
        assert association._t1_handle is association._t3_handle is association._sack_handle is None


class StockWire:
    """A DTLS transport for an unmodified aiortc association."""

    state = "connected"

    def __init__(self, role: str, deliver: Any) -> None:
        self._role = role
        self.deliver = deliver
        self.receiver: Any = None

    async def _send_data(self, data: bytes) -> None:
        asyncio.get_running_loop().call_soon(self.deliver, data)

    def _register_data_receiver(self, receiver: Any) -> None:
        self.receiver = receiver

    def _unregister_data_receiver(self, receiver: Any) -> None:
        self.receiver = None

    def take(self, packet: bytes) -> None:
        asyncio.ensure_future(self.receiver._handle_data(packet))  # noqa: RUF006


@pytest.mark.parametrize("role", ["server", "client"])
async def test_an_unmodified_aiortc_peer(role: Any) -> None:
    heard = Listener()
    wire = StockWire("client" if role == "server" else "server", None)
    ours = SctpAssociation(lambda packet: wire.take(packet), role, heard)
    wire.deliver = ours.feed
    stock = RTCSctpTransport(wire)
    offered: list[Any] = []
    stock.on("datachannel", offered.append)
    await stock.start(RTCSctpCapabilities(maxMessageSize=65536), 5000)
    ours.start()
    ours.open_channel("_reliable")
    theirs = RTCDataChannel(
        stock, RTCDataChannelParameters(label="from-aiortc", ordered=False, maxRetransmits=3)
    )
    await until(lambda: offered and theirs.readyState == "open" and "_reliable" in heard.opened)
    got: list[Any] = []
    offered[0].on("message", got.append)
    theirs.send("text")
    theirs.send(b"x" * 30_000)
    ours.send("_reliable", b"y" * 30_000)
    ours.send("_reliable", b"text", binary=False)
    await until(lambda: len(got) == 2 and len(heard.messages) == 2)
    assert got == [b"y" * 30_000, "text"]
    assert sorted(heard.messages) == [("from-aiortc", b"text", False), ("from-aiortc", b"x" * 30_000, True)]
    theirs.close()
    await until(lambda: theirs.readyState == "closed")
    assert ours.labels == ("_reliable",)
    await stock.stop()
    await settle()
    assert ours.state == "closed"


async def test_associations_with_little_time_send_one_after_the_other() -> None:
    little = LittleByLittle(little_s=0)  # one of them in each turn
    pairs = [Pair(soon=little.soon) for _ in range(5)]
    for pair in pairs:
        await pair.connect()
        await pair.channel("data")
    await settle()
    for pair in pairs:
        pair.packets.clear()
        for payload in (b"first", b"second"):
            assert pair.server.send("data", payload)
    closed = pairs.pop(3)
    closed.close()
    sent = [0]
    while sent[-1] < 4:
        await asyncio.sleep(0)
        sent.append(sum(bool(pair.packets) for pair in pairs))
    assert all(later - earlier <= 1 for earlier, later in pairwise(sent))
    await settle()
    assert closed.client_heard.payloads == []
    for pair in pairs:
        assert pair.client_heard.payloads == [b"first", b"second"]
        pair.close()
