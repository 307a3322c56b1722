"""Which layouts of extensions a stream is expected to send."""

from sfu.compiled.streams import LAYOUTS
from sfu.forwarding.layout import SourceExtensions
from sfu.forwarding.layout_table import LAYOUTS as MOST
from sfu.forwarding.stream_table import StreamTable
from sfu.rtp.extensions import ExtensionUri
from tests.harness.rtp_stream import rtp_header


def _expect(table: StreamTable, row: int, id_: int) -> None:
    block = rtp_header(111, 1, 2, 3, False, [(id_, b"ab")])[12:]
    source = SourceExtensions({id_: ExtensionUri.TRANSPORT_CC})
    table.expect(row, source.layout(block), len(block))


def _expected(table: StreamTable, row: int) -> list[int]:
    word = int(table.rows.words[row, LAYOUTS])
    return [number for shift in range(0, 64, 16) if (number := word >> shift & 0xFFFF)]


def test_the_latest_four_are_expected_the_newest_first():
    table = StreamTable()
    row = table.rows.begin(48_000)
    for id_ in (1, 2, 3, 4, 5):
        _expect(table, row, id_)
    assert _expected(table, row) == [5, 4, 3, 2]
    layout = table.layouts.known[3]
    assert layout is not None
    table.expect(row, layout, 8)
    assert _expected(table, row) == [5, 4, 3, 2], "it is among them already"
    table.forget_layouts(row)
    assert _expected(table, row) == []


def test_there_is_room_for_any_packet():
    assert len(StreamTable(1).forwarding.store.ring) >= 1 << 16


def test_when_there_are_too_many_all_begin_anew():
    table = StreamTable()
    rows = [table.rows.begin(48_000) for _ in range(2)]
    for _ in range(MOST - 1):
        _expect(table, rows[0], 1)
    assert table.layouts.full
    _expect(table, rows[1], 2)
    assert [_expected(table, row) for row in rows] == [[], [1]]
