"""What the floor repeats is what was sent."""

import socket

import pytest

from sfu.compiled.messages import SENDMMSG
from sfu.compiled.outgoing import PROTECTED, ROW_STATE
from sfu.forwarding.arena import SendArena
from sfu.net import mmsg, srtp
from sfu.net.peers import PeerTable
from tests.bench.floor import Floor, Message, Recorder
from tests.harness.eventually import PATIENCE_S

pytestmark = pytest.mark.skipif(not mmsg.supported(), reason="there is no sendmmsg")


class _Count:
    value = 0


def _send(sender: mmsg.Sender, datagrams: list[bytes], port: int) -> None:
    """By the engine's own sender, each in a row of its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        gso = mmsg.gso_supported(bound)
        peers = PeerTable(1)
        raw = b"\x02\0" + port.to_bytes(2, "big") + socket.inet_aton("127.0.0.1")
        peers.use_udp(0, 0, raw.ljust(16, b"\0"))
        count = len(datagrams)
        arena = SendArena(count, 1536)
        for data in datagrams:
            arena.append(0, data)
        arena.rows[:, ROW_STATE] = PROTECTED
        sender.send(bound.fileno(), arena.rows, 0, count, arena.memory, peers.matrix, 0, gso=gso)


@pytest.fixture
def receiver() -> socket.socket:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.settimeout(PATIENCE_S)
        yield bound


def _media(size: int, fill: int) -> bytes:
    return bytes([0x80, 96]) + bytes([fill]) * (size - 2)


def test_it_repeats_media_and_nothing_else(receiver: socket.socket) -> None:
    sender = mmsg.Sender(5)
    recorder = Recorder([sender])
    datagrams = [
        _media(600, 1),
        _media(600, 2),
        _media(600, 3),
        _media(90, 4),
        bytes([0x80, 200]) + bytes(60),
    ]
    try:
        _send(sender, datagrams, receiver.getsockname()[1])
    finally:
        batches = recorder.stop()
    assert [len(receiver.recv(2000)) for _ in datagrams] == [600, 600, 600, 90, 62]
    assert sum(message.datagrams for batch in batches for message in batch) == 4
    floor = Floor(batches)
    assert floor.shape[0] == 4
    sent, cpu_s = floor.run(4, 1000, _Count())
    assert sent == 4
    assert cpu_s >= 0
    again = [receiver.recv(2000) for _ in range(4)]
    assert [len(data) for data in again] == [600, 600, 600, 90]
    assert all(data[:2] == b"\x80\x60" for data in again)
    assert again[3][12:74] != datagrams[3][12:74], "it is encrypted"


def test_it_can_repeat_what_was_recorded_at_length(receiver: socket.socket) -> None:
    sender = mmsg.Sender(60)
    recorder = Recorder([sender])
    try:
        for first in range(0, 3 * srtp.SENT_WINDOW_SIZE, 60):
            packets = [bytes([0x80, 96]) + (first + n).to_bytes(2, "big") + bytes(100) for n in range(60)]
            _send(sender, packets, receiver.getsockname()[1])
    finally:
        batches = recorder.stop()
    recorded = sum(message.datagrams for batch in batches for message in batch)
    assert srtp.SENT_WINDOW_SIZE - 60 <= recorded <= srtp.SENT_WINDOW_SIZE
    sent, _ = Floor(batches).run(2 * recorded, 10_000, _Count())
    assert sent >= 2 * recorded


def test_the_recorder_leaves_nothing_behind() -> None:
    sender = mmsg.Sender(1)
    before = mmsg._lib, sender.words[SENDMMSG]
    Recorder([sender]).stop()
    assert (mmsg._lib, sender.words[SENDMMSG]) == before


def test_a_message_knows_its_datagrams() -> None:
    name = bytes(16)
    assert Message(name, (bytes(100),), 0).datagrams == 1
    assert Message(name, (bytes(100), bytes(100)), 100).datagrams == 2
    assert Message(name, (bytes(250),), 100).datagrams == 3
    assert Message(name, (_media(50, 0),), 0).is_media
    assert not Message(name, (bytes([0x80, 200, 0, 0]),), 0).is_media
    assert not Message(name, (bytes(20),), 0).is_media
