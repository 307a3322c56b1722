"""Layouts of header extensions by number."""

import numpy as np

from sfu.compiled.intake import LEVEL_AT, SIZE, TWCC_AT, _fits
from sfu.forwarding.layout import SourceExtensions
from sfu.forwarding.layout_table import HEAD_BYTES, LAYOUTS, UNKNOWN, LayoutTable
from sfu.rtp.extensions import ExtensionUri
from tests.harness.rtp_stream import rtp_header

SOURCE = SourceExtensions({5: ExtensionUri.TRANSPORT_CC, 10: ExtensionUri.AUDIO_LEVEL})


def packet(*elements: tuple[int, bytes]) -> bytes:
    return rtp_header(111, 1, 2, 3, False, elements)


def fits(table: LayoutTable, number: int, data: bytes) -> bool:
    head = np.frombuffer(data.ljust(HEAD_BYTES, b"\xee")[:HEAD_BYTES], np.int64)
    return bool(_fits(head[None].copy(), 0, table.words, number))


def test_packets_have_the_layout_of_which_they_differ_in_values_only():
    table = LayoutTable()
    first = packet((5, b"\x12\x34"), (10, b"\x80"))
    block = first[12:]
    number = table.number(SOURCE.layout(block), len(block))
    assert number == table.number(SOURCE.layout(block), len(block)) != UNKNOWN
    assert fits(table, number, first)
    assert fits(table, number, packet((5, b"\xff\x00"), (10, b"\x00")))
    assert not fits(table, number, packet((10, b"\x00"), (5, b"\xff\x00")))
    assert not fits(table, number, packet((5, b"\x12\x34")))
    assert not fits(table, number, packet())
    assert not fits(table, number, bytes([first[0] | 0x20]) + first[1:]), "padding"
    twcc_at, level_at = table.words[number, [TWCC_AT, LEVEL_AT]].tolist()
    assert first[twcc_at : twcc_at + 2] == b"\x12\x34"
    assert first[level_at] == 0x80
    assert table.words[number, SIZE] == len(block)


def test_packets_without_extensions_have_one_too():
    table = LayoutTable()
    number = table.number(SOURCE.none, 0)
    assert fits(table, number, packet())
    assert not fits(table, number, packet((5, b"\x12\x34")))
    assert table.words[number, [SIZE, TWCC_AT, LEVEL_AT]].tolist() == [0, 0, 0]


def test_blocks_that_are_empty_or_too_long_have_none():
    table = LayoutTable()
    assert table.number(SOURCE.none, 4) == UNKNOWN
    block = packet(*((14, bytes(16)) for _ in range(4)))[12:]
    assert table.number(SOURCE.layout(block), len(block)) == UNKNOWN


def test_it_is_bounded_and_begins_anew():
    table = LayoutTable()
    block = packet((5, b"ab"))[12:]
    before = [
        table.number(SourceExtensions({5: ExtensionUri.TRANSPORT_CC}).layout(block), len(block))
        for _ in range(LAYOUTS + 10)
    ]
    assert before == [*range(1, LAYOUTS), *[UNKNOWN] * 11]
    assert table.full
    table.clear()
    number = table.number(SOURCE.layout(block), len(block))
    assert (number, table.full) == (1, False)
    assert fits(table, number, packet((5, b"cd")))
