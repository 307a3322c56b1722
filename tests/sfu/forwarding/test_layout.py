"""Header extensions as one number read the same as element by element."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.forwarding.layout import LAYOUTS, Layout, SourceExtensions
from sfu.rtp.errors import RtpError
from sfu.rtp.extensions import ExtensionUri, encode, walk

TWCC, LEVEL = 5, 10
SOURCE = {TWCC: ExtensionUri.TRANSPORT_CC, LEVEL: ExtensionUri.AUDIO_LEVEL}

blocks = st.builds(
    lambda profile, body: profile + (len(body) // 4).to_bytes(2, "big") + body,
    st.sampled_from([b"\xbe\xde", b"\x10\x00", b"\x10\x05", b"\xab\xcd"]),
    st.binary(max_size=24).map(lambda body: body + bytes(-len(body) % 4)),
)


def number(block: bytes) -> int:
    return int.from_bytes(block, "big")


def walked(block: bytes) -> list[tuple[int, bytes]] | None:
    """Element by element; None for a block that makes no sense."""
    try:
        places = walk(block, block[0] << 8 | block[1], 4, len(block))
    except RtpError:
        return None
    return [(id_, block[at : at + size]) for id_, at, size in places]


def shifted(layout: Layout, block: bytes) -> list[tuple[int, bytes]]:
    return [
        (id_, (number(block) >> shift & (1 << bits) - 1).to_bytes(bits // 8, "big"))
        for id_, shift, bits in layout.elements
    ]


@given(blocks)
def test_a_block_reads_as_if_walked(block: bytes):
    source, expected = SourceExtensions(SOURCE), walked(block)
    if expected is None:
        with pytest.raises(RtpError):
            source.layout(block)
        return
    layout = source.layout(block)
    assert number(block) & layout.mask == layout.pattern
    assert shifted(layout, block) == expected
    for id_ in range(1, 16):
        assert layout.value(number(block), id_) == dict(expected).get(id_)


@given(blocks, st.lists(st.tuples(st.integers(0, 27), st.integers(0, 255)), max_size=4))
def test_a_layout_fits_only_what_reads_alike(block: bytes, changes: list[tuple[int, int]]):
    if walked(block) is None:
        return
    layout = SourceExtensions(SOURCE).layout(block)
    other = bytearray(block)
    for at, value in changes:
        if at < len(other):
            other[at] = value
    if number(other) & layout.mask == layout.pattern:
        assert shifted(layout, bytes(other)) == walked(bytes(other))


@given(blocks, blocks)
def test_a_layout_fits_no_block_of_another_size(block: bytes, other: bytes):
    if walked(block) is not None and len(other) != len(block):
        layout = SourceExtensions(SOURCE).layout(block)
        assert number(other) & layout.mask != layout.pattern


def test_where_the_numbers_are_that_every_packet_is_read_for():
    block = encode([(1, b"0"), (TWCC, b"\x12\x34"), (LEVEL, b"\x85")])
    layout = SourceExtensions(SOURCE).layout(block)
    assert number(block) >> layout.twcc & 0xFFFF == 0x1234
    assert number(block) >> layout.level & 0xFF == 0x85


@pytest.mark.parametrize("value", [b"", b"\1", b"\1\2\3"])
def test_a_transport_wide_number_of_another_size_is_none(value: bytes):
    assert SourceExtensions(SOURCE).layout(encode([(TWCC, value)])).twcc == -1


def test_a_level_may_be_followed_by_more():
    block = encode([(LEVEL, b""), (LEVEL, b"\x85\1")])
    layout = SourceExtensions(SOURCE).layout(block)
    assert number(block) >> layout.level & 0xFF == 0x85


def test_without_ids_nothing_is_found():
    layout = SourceExtensions({}).layout(encode([(TWCC, b"\1\2"), (LEVEL, b"\1")]))
    assert (layout.twcc, layout.level) == (-1, -1)
    assert SourceExtensions({}).none.value(0, 0) is None


def test_equal_layouts_are_one_object_and_they_are_bounded():
    source = SourceExtensions(SOURCE)
    first = source.layout(encode([(TWCC, b"\1\2")]))
    assert source.layout(encode([(TWCC, b"\3\4")])) is first
    for size in range(1, 2 * LAYOUTS):
        source.layout(encode([(TWCC, bytes(1 + size // 250)), (1, bytes(1 + size % 250))]))
    assert len(source._known) <= LAYOUTS


@pytest.mark.parametrize("block", [b"", b"\xbe\xde", b"\xbe\xde\0"])
def test_a_block_without_its_length_is_refused(block: bytes):
    with pytest.raises(RtpError):
        SourceExtensions(SOURCE).layout(block)
