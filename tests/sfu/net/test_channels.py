"""Channels: ids, labels, turns and bounds, without an association."""

import pytest

from sfu.net import dcep
from sfu.net.channels import MAX_BUFFERED_BYTES, Channels
from sfu.net.dcep import ChannelOpen


class Silence:
    def channel_opened(self, label: str) -> None:
        """Not looked at."""

    def message(self, label: str, payload: bytes, binary: bool) -> None:
        """Not looked at."""


def drain(channels: Channels) -> list[tuple[int, int, bytes]]:
    taken = []
    while (message := channels.next_message()) is not None:
        taken.append((message[0].id, message[1], message[2]))
    return taken


@pytest.mark.parametrize(("first_id", "expected"), [(1, [1, 3, 5]), (0, [0, 2, 4])])
def test_ids_have_our_parity_and_skip_those_taken(first_id: int, expected: list[int]) -> None:
    channels = Channels(Silence(), first_id)
    channels.take(expected[1], dcep.PROTOCOL_ID, bytes(ChannelOpen("theirs")))
    channels.open(ChannelOpen("a"))
    channels.open(ChannelOpen("b"))
    assert sorted(channels.by_id) == expected
    assert channels.labels == ("theirs", "a", "b")


def test_channels_take_turns_message_by_message() -> None:
    channels = Channels(Silence(), 1)
    channels.open(ChannelOpen("a"))
    channels.open(ChannelOpen("b"))
    drain(channels)
    for payload in (b"a1", b"a2", b"a3"):
        channels.send("a", payload, True)
    channels.send("b", b"b1", True)
    assert [payload for _, _, payload in drain(channels)] == [b"a1", b"b1", b"a2", b"a3"]
    assert not channels.has_messages


def test_the_channel_opened_last_has_the_label() -> None:
    channels = Channels(Silence(), 1)
    for stream_id in (0, 2):
        channels.take(stream_id, dcep.PROTOCOL_ID, bytes(ChannelOpen("same")))
    drain(channels)
    channels.send("same", b"x", True)
    assert drain(channels) == [(2, 53, b"x")]
    channels.forget_label(channels.by_id[0])
    assert channels.labels == ("same",)
    channels.forget_label(channels.by_id[2])
    assert not channels.send("same", b"x", True)


def test_a_closing_channel_drops_its_queue() -> None:
    channels = Channels(Silence(), 1)
    channels.open(ChannelOpen("a"))
    drain(channels)
    channels.send("a", b"x" * 10, True)
    assert channels.buffered("a") == 10
    channels.by_id[1]._setReadyState("closing")
    assert channels.buffered("a") == 0
    assert drain(channels) == []


def test_the_buffer_is_bounded() -> None:
    channels = Channels(Silence(), 1)
    channels.open(ChannelOpen("a"))
    drain(channels)
    assert channels.send("a", bytes(MAX_BUFFERED_BYTES), True)
    assert not channels.send("a", b"x", True)
