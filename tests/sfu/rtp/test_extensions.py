"""Header extensions in both forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.rtp import extensions
from sfu.rtp.errors import RtpError
from sfu.rtp.extensions import encode, walk

ELEMENTS = st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=30)), max_size=12)
NARROW = st.lists(st.tuples(st.integers(1, 14), st.binary(min_size=1, max_size=16)), min_size=1, max_size=12)


def read(block: bytes) -> list[tuple[int, bytes]]:
    """Walk a block with its own header."""
    if not block:
        return []
    profile = int.from_bytes(block[:2], "big")
    assert int.from_bytes(block[2:4], "big") * 4 == len(block) - 4
    return [
        (number, block[at : at + length])
        for number, at, length in walk(memoryview(block), profile, 4, len(block))
    ]


def walk_body(profile: int, body: str) -> list[tuple[int, int, int]]:
    packet = bytes.fromhex(body)
    return walk(packet, profile, 0, len(packet))


@given(ELEMENTS)
def test_encode_then_walk_gives_the_same(elements) -> None:
    assert read(encode(elements)) == elements


@given(NARROW)
def test_one_byte_form_whenever_it_is_enough(elements) -> None:
    assert encode(elements)[:2] == b"\xbe\xde"


@pytest.mark.parametrize("element", [(15, b"a"), (1, b""), (14, bytes(17))], ids=["id15", "empty", "long"])
def test_two_byte_form_when_one_element_needs_it(element) -> None:
    block = encode([(1, b"x"), element])
    assert block[:2] == b"\x10\x00"
    assert read(block) == [(1, b"x"), element]


@pytest.mark.parametrize("element", [(0, b"a"), (256, b"a"), (1, bytes(256))], ids=["id0", "id256", "longer"])
def test_encode_refuses_what_fits_neither_form(element) -> None:
    with pytest.raises(RtpError):
        encode([element])


def test_encode_refuses_a_block_above_65535_words() -> None:
    with pytest.raises(RtpError):
        encode([(1, bytes(255))] * 1100)


def test_one_byte_form_by_hand() -> None:
    # id 1 of one byte, two of padding, id 2 of two bytes, padding.
    assert walk_body(0xBEDE, "10aa 0000 21bbcc 00") == [(1, 1, 1), (2, 5, 2)]


def test_id_15_ends_the_one_byte_form() -> None:
    assert walk_body(0xBEDE, "10aa f0 bb 20cc") == [(1, 1, 1)]


def test_padding_with_a_length_ends_the_one_byte_form() -> None:
    assert walk_body(0xBEDE, "10aa 03 bb 20cc") == [(1, 1, 1)]


def test_id_15_is_an_id_like_others_in_the_two_byte_form() -> None:
    assert walk_body(0x1000, "0f01aa 00 0200 0000") == [(15, 2, 1), (2, 6, 0)]


@pytest.mark.parametrize("profile", [0x1000, 0x1001, 0x100F])
def test_application_bits_do_not_matter(profile: int) -> None:
    assert walk_body(profile, "0101aa00") == [(1, 2, 1)]


@pytest.mark.parametrize("profile", [0, 0x0FFF, 0x1010, 0xBEDF])
def test_a_foreign_profile_has_no_elements(profile: int) -> None:
    assert walk_body(profile, "ffffffff") == []


def test_duplicates_are_all_listed() -> None:
    assert walk_body(0xBEDE, "10aa 10bb") == [(1, 1, 1), (1, 3, 1)]


@pytest.mark.parametrize(
    ("profile", "body"),
    [
        (0xBEDE, "13aabbcc"),
        (0xBEDE, "0000001f"),
        (0x1000, "0103aabb"),
        (0x1000, "00000001"),
        (0x1000, "01ff0000"),
    ],
)
def test_an_element_past_its_block_is_refused(profile: int, body: str) -> None:
    with pytest.raises(RtpError):
        walk_body(profile, body)


@given(st.sampled_from([0xBEDE, 0x1000, 0x1003]), st.binary(max_size=64))
def test_any_block_is_walked_inside_its_bounds_or_refused(profile: int, body: bytes) -> None:
    try:
        elements = walk(body, profile, 0, len(body))
    except RtpError:
        return
    at = 0
    for number, offset, length in elements:
        assert number
        assert at < offset
        at = offset + length
    assert at <= len(body)


def test_audio_level() -> None:
    assert extensions.encode_audio_level(voice=True, level=30) == b"\x9e"
    assert extensions.audio_level(0x9E) == (True, 30)
    assert extensions.audio_level(0x7F) == (False, 127)
    assert extensions.encode_audio_level(voice=False, level=900) == b"\x7f"


def test_abs_send_time_wraps_every_64_seconds() -> None:
    assert extensions.abs_send_time(1.5) == 0x60000
    assert extensions.abs_send_time(64 * 1000 + 1.5) == 0x60000
    assert extensions.abs_send_time_s(0x60000) == 1.5


def test_playout_delay() -> None:
    assert extensions.encode_playout_delay(0.1, 2) == bytes.fromhex("00a0c8")
    assert extensions.playout_delay(bytes.fromhex("00a0c8")) == (0.1, 2)
    assert extensions.playout_delay(extensions.encode_playout_delay(-1, 100)) == (0, 40.95)
    with pytest.raises(RtpError):
        extensions.playout_delay(b"")


@given(st.integers(0, 2**64 - 1), st.none() | st.integers(-(2**63), 2**63 - 1))
def test_abs_capture_time(ntp: int, offset: int | None) -> None:
    value = extensions.encode_abs_capture_time(ntp, offset)
    assert extensions.abs_capture_time(value) == (ntp, offset or 0)


def test_abs_capture_time_refuses_other_lengths_and_values() -> None:
    with pytest.raises(RtpError):
        extensions.abs_capture_time(bytes(9))
    with pytest.raises(RtpError):
        extensions.encode_abs_capture_time(1 << 64)


def test_text_is_ascii() -> None:
    assert extensions.text(memoryview(b"hi")) == "hi"
    for bad in (b"", b"\xff"):
        with pytest.raises(RtpError):
            extensions.text(bad)
