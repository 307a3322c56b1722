"""The ring of newest packets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.forwarding.history import History, Store
from sfu.forwarding.layout import SourceExtensions
from sfu.forwarding.layout_table import LayoutTable
from sfu.forwarding.packet import MediaPacket
from sfu.rtp.extensions import ExtensionUri
from tests.harness.forwarding import NO_IDS, extensions, media

packets = st.builds(
    MediaPacket,
    st.binary(max_size=40),
    st.integers(0, 1 << 40),
    st.sampled_from([0, 0x80]),
    st.integers(0, 1),
    st.just(NO_IDS.none),
    st.integers(0, 1 << 200),
    st.booleans(),
    st.booleans(),
    st.integers(0, 7),
    st.booleans(),
    st.integers(-1, 1 << 40),
    st.integers(0, 6),
    st.integers(0, 1 << 40),
    st.integers(0, 6),
    st.integers(0, 31),
    st.integers(0, 6),
)


@given(packets)
def test_a_packet_is_found_as_it_was_stored(packet: MediaPacket):
    history = History(4)
    history.store(70_000, packet)
    assert history.find(70_000) == packet


def test_a_packet_is_found_until_its_place_is_taken():
    history = History(4)
    for n in range(10, 15):
        history.store(n, media(timestamp=n * 2))
    assert history.find(10) is None
    assert history.find(11) == media(timestamp=22)
    assert history.find(14) == media(timestamp=28)
    assert history.find(15) is None


def test_a_very_late_packet_does_not_push_out_a_newer_one():
    history = History(4)
    history.store(14, media(payload=b"new"))
    history.store(10, media(payload=b"old"))
    assert history.find(14) == media(payload=b"new")
    assert history.find(10) is None


def test_those_that_share_a_store_keep_the_newest_of_all():
    store = Store(1000)
    one, other = History(16, store), History(16, store)
    for n in range(10):
        (one if n % 2 else other).store(n, media(payload=bytes([n]) * 150))
    found = [(one if n % 2 else other).find(n) for n in range(10)]
    assert found == [None] * 4 + [media(payload=bytes([n]) * 150) for n in range(4, 10)]


def test_layouts_that_have_numbers_are_found_until_these_mean_something_else():
    layouts = LayoutTable()
    source = SourceExtensions({5: ExtensionUri.TRANSPORT_CC})
    layout, block = extensions(source, [(5, b"ab")])
    layouts.number(layout, 8)
    history = History(4, Store(1000, layouts))
    history.store(1, media(layout=layout, block=block))
    assert history.find(1) == media(layout=layout, block=block)
    layouts.clear()
    assert history.find(1) is None


def test_an_empty_one_has_nothing():
    assert [History(4).find(number) for number in (-1, 0, 3, 4)] == [None] * 4


def test_its_size_is_a_power_of_two():
    with pytest.raises(ValueError, match="power of two"):
        History(500)


@given(st.lists(st.integers(0, 200), max_size=100))
def test_what_is_found_is_what_was_stored_under_that_number(numbers: list[int]):
    history = History(16)
    for n in numbers:
        history.store(n, media(timestamp=n))
    for n in range(200):
        assert history.find(n) in (None, media(timestamp=n))
