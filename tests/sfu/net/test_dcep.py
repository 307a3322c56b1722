"""DCEP messages: what is built can be read, in every kind of channel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.net.dcep import ChannelOpen, DcepError, parse_open


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(("retransmits", "lifetime_ms"), [(None, None), (0, None), (7, None), (None, 300)])
def test_every_kind_of_channel(ordered: bool, retransmits: int | None, lifetime_ms: int | None) -> None:
    opening = ChannelOpen("ярлык", ordered, retransmits, lifetime_ms, "proto")
    assert parse_open(bytes(opening)) == opening


def test_what_livekit_clients_send() -> None:
    assert parse_open(bytes.fromhex("030000000000000000090000") + b"_reliable") == ChannelOpen("_reliable")
    lossy = parse_open(bytes.fromhex("038100000000000000060000") + b"_lossy")
    assert lossy == ChannelOpen("_lossy", ordered=False, max_retransmits=0)


@given(st.binary(max_size=60))
def test_any_bytes_open_a_channel_or_are_refused(data: bytes) -> None:
    try:
        opening = parse_open(b"\x03" + data)
    except DcepError:
        return
    assert len(opening.label.encode()) <= len(data)
