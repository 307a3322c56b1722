"""Many received packets at once, by column.

What is plain is counted by arrays: the next packet of a stream that is known, with the payload type it had, without
padding and CSRCs. If anything that a transport has sent in the batch is not plain, all of it goes the way of single
packets (:class:`sfu.forwarding.ingress.Ingress`), in order; so there is one rule for each exception. Both ways work on
the same numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sfu.forwarding.delivery import AUDIO_CLOCK, Delivery, MediaSink
from sfu.forwarding.ingress import AUDIO_LEVEL_MASK, Ingress, shape_of
from sfu.forwarding.layout_table import HEAD_BYTES, UNKNOWN, LayoutTable
from sfu.forwarding.stream_table import StreamTable
from sfu.net.arrays import Bools, Int64s, UInt8s
from sfu.rtp.header import EXTENSION_HEADER_LENGTH, FIXED_HEAD, FIXED_LENGTH
from sfu.streams.columns import NOBODY
from sfu.streams.receive import MAX_TRANSIT_STEP_S
from sfu.streams.speakers import MAX_PACKET_MS, SpeechSettings

_TURNS = 4
"""Timestamps that one stream may have in a batch; each costs a round over the columns."""
_MAX_STEP = 1 << 30
"""Timestamps further from the newest packet's are no plain case."""


@dataclass(slots=True)
class Arrived:
    """Decrypted RTP packets by column, in the order of arrival."""

    memory: memoryview
    """Where the packets are ..."""
    at: Int64s
    """... and from where on each."""
    heads: UInt8s
    """A row of HEAD_BYTES for each packet, with what it begins with; behind a shorter packet there is anything."""
    lengths: Int64s
    owners: Int64s
    """Rows of the transports."""
    arrivals_us: Int64s
    """In Unix time."""


@dataclass(slots=True)
class _Counted:
    """Plain packets, those of a stream together."""

    order: Int64s
    """Which of the batch."""
    rows: Int64s
    first: Bools
    """Of its stream."""
    sequences: Int64s
    """Extended."""
    timestamps: Int64s
    """Extended."""
    steps: Int64s
    """From the timestamp before."""
    turns: Int64s
    """How many timestamps the stream has had in the batch so far, this packet's included."""

    def keep(self, kept: Bools) -> "_Counted":
        """Some of the packets; of a stream all or none."""
        return _Counted(
            self.order[kept],
            self.rows[kept],
            self.first[kept],
            self.sequences[kept],
            self.timestamps[kept],
            self.steps[kept],
            self.turns[kept],
        )


class Bulk:
    """One per engine."""

    def __init__(
        self,
        table: StreamTable,
        speech: SpeechSettings,
        sink: MediaSink,
        record: Callable[[Int64s, Int64s], None],
        ingress_of: Callable[[int], Ingress],
    ) -> None:
        """``record`` notes transport-wide numbers by column, as Arrivals.record does one; ``ingress_of`` finds a
        transport's ingress by its row."""
        self._table = table
        self._columns = table.columns
        self._speech = speech
        self._delivery = Delivery(sink)
        self._record = record
        self._ingress_of = ingress_of
        self._layouts = LayoutTable()

    def receive(self, arrived: Arrived, now: float) -> None:
        """Take the packets of a batch."""
        self._layouts.tidy()
        ssrcs = arrived.heads.view(">u4")[:, 2].astype(np.uint64)
        rows = self._table.index.find(arrived.owners.astype(np.uint64) << np.uint64(32) | ssrcs)
        np.maximum(rows, NOBODY, out=rows)
        columns = self._columns
        plain = columns.highests[rows] >= 0
        plain &= arrived.heads[:, 1] & 0x7F == columns.payload_types[rows]
        layouts = self._fit(arrived, rows, plain)
        starts = FIXED_LENGTH + self._layouts.sizes[layouts]
        plain &= starts < arrived.lengths
        _leave_out(plain, arrived.owners)
        sequences, timestamps = rows, rows
        if plain.any():
            counted = self._count(arrived, rows, plain)
            self._clock(counted, now)
            self._measure(arrived, counted, layouts, now)
            self._note(arrived, plain, layouts)
            sequences, timestamps = np.zeros_like(rows), np.zeros_like(rows)
            sequences[counted.order] = counted.sequences
            timestamps[counted.order] = counted.timestamps
        self._deliver(arrived, rows, plain, sequences, timestamps, starts, layouts, now)

    # --- what is plain ---

    def _fit(self, arrived: Arrived, rows: Int64s, plain: Bools) -> Int64s:
        """The layout of each packet; those whose layout is new are not plain."""
        layouts = self._columns.layouts[rows]
        fits = self._layouts.fit(layouts, arrived.heads.view(np.uint64))
        for index in np.flatnonzero(plain & ~fits).tolist():
            row = int(rows[index])
            number = self._layout(arrived, index, row)
            self._columns.layouts[row] = layouts[index] = number
            plain[index] = number != UNKNOWN
        return layouts

    def _layout(self, arrived: Arrived, index: int, row: int) -> int:
        """The number of a packet's layout, if the transport has had it."""
        head = arrived.heads[index].tobytes()
        first, second, *_, words = FIXED_HEAD.unpack_from(head)
        if first & 0xEF != 0x80:
            return UNKNOWN
        size = EXTENSION_HEADER_LENGTH + 4 * words if first & 0x10 else 0
        block = int.from_bytes(head[FIXED_LENGTH : FIXED_LENGTH + size], "big")
        layout = self._table.streams[row].layout
        if block & layout.mask != layout.pattern:
            known = self._ingress_of(int(arrived.owners[index])).layouts.get(shape_of(size, second))
            if known is None or block & known.mask != known.pattern:
                return UNKNOWN
            layout = known
        number = self._layouts.number(layout, size)
        return number if self._layouts.sizes[number] == size else UNKNOWN

    def _count(self, arrived: Arrived, rows: Int64s, plain: Bools) -> _Counted:
        """Extend the numbers of plain packets; those that don't follow one on the other are none."""
        columns = self._columns
        order = np.flatnonzero(plain)
        order = order[rows[order].argsort(kind="stable")]
        ours = rows[order]
        first = np.empty(len(ours), np.bool_)
        first[0] = True
        np.not_equal(ours[1:], ours[:-1], out=first[1:])
        starts = np.flatnonzero(first)
        group = first.cumsum() - 1
        sequences = columns.highests[ours] + 1 + np.arange(len(ours)) - starts[group]
        newest = columns.timestamps[ours]
        ahead = arrived.heads.view(">u4")[order, 1] - newest
        ahead = (ahead + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        timestamps = newest + ahead
        steps = timestamps.copy()
        steps[1:] -= timestamps[:-1]
        steps[starts] = ahead[starts]
        changed = steps != 0
        turns = changed.cumsum()
        turns -= (turns - changed)[starts][group]
        odd = sequences & 0xFFFF != arrived.heads.view(">u2")[order, 1]
        odd |= (np.abs(ahead) >= _MAX_STEP) | (turns > _TURNS)
        counted = _Counted(order, ours, first, sequences, timestamps, steps, turns)
        if odd.any():
            plain[order[odd]] = False
            _leave_out(plain, arrived.owners)
            counted = counted.keep(plain[order])
        return counted

    # --- what streams keep ---

    def _clock(self, counted: _Counted, now: float) -> None:
        """Advance the streams: what ReceiveStream.receive does with packets that come in order."""
        columns, rows, steps = self._columns, counted.rows, counted.steps
        last = np.empty(len(rows), np.bool_)
        last[-1:] = True
        last[:-1] = counted.first[1:]
        ends = rows[last]
        columns.highests[ends] = counted.sequences[last]
        columns.timestamps[ends] = counted.timestamps[last]
        for turn in range(1, int(counted.turns.max(initial=0)) + 1):
            at = np.flatnonzero((counted.turns == turn) & (steps != 0))
            ours = rows[at]
            rates = columns.clock_rates[ours]
            changes = np.abs((now - columns.timestamps_at[ours]) * rates - steps[at])
            jitters = columns.jitters[ours]
            steady = changes < MAX_TRANSIT_STEP_S * rates
            columns.jitters[ours] = np.where(steady, jitters + (changes - jitters) / 16, jitters)
            columns.timestamps_at[ours] = now

    def _measure(self, arrived: Arrived, counted: _Counted, layouts: Int64s, now: float) -> None:
        """Note how loud people are: what LevelMeter.observe does."""
        columns, levels = self._columns, self._table.levels
        at = self._layouts.levels[layouts[counted.order]]
        meters = columns.meters[counted.rows]
        measured = np.flatnonzero((at > 0) & (meters != NOBODY))
        if not len(measured):
            return
        levels.seen_at[meters[measured]] = now
        measured = measured[counted.steps[measured] > 0]
        turns = counted.turns[measured]
        for turn in range(1, int(turns.max(initial=0)) + 1):
            now_ones = measured[turns == turn]
            rows, ours = counted.rows[now_ones], meters[now_ones]
            loud = arrived.heads[counted.order[now_ones], at[now_ones]] & AUDIO_LEVEL_MASK
            durations_ms = counted.steps[now_ones] * 1000 // columns.clock_rates[rows]
            np.minimum(durations_ms, MAX_PACKET_MS, out=durations_ms)
            active = loud <= self._speech.active_level
            levels.active_ms[ours] += durations_ms * active
            loudest = levels.loudest[ours]
            levels.loudest[ours] = np.where(active & (durations_ms > 0), np.minimum(loudest, loud), loudest)
            observed_ms = levels.observed_ms[ours] + durations_ms
            levels.observed_ms[ours] = observed_ms
            for row in rows[observed_ms >= 1000 * self._speech.window_s].tolist():
                meter = self._table.streams[row].meter
                assert meter is not None
                meter.close_window()

    def _note(self, arrived: Arrived, plain: Bools, layouts: Int64s) -> None:
        """Note when packets came that have transport-wide numbers."""
        at = self._layouts.twccs[layouts]
        ours = np.flatnonzero(plain & (at > 0))
        at = at[ours]
        numbers = arrived.heads[ours, at].astype(np.int64) << 8 | arrived.heads[ours, at + 1]
        self._record(arrived.owners[ours] << 16 | numbers, arrived.arrivals_us[ours])

    # --- on ---

    def _deliver(
        self,
        arrived: Arrived,
        rows: Int64s,
        plain: Bools,
        sequences: Int64s,
        timestamps: Int64s,
        starts: Int64s,
        layouts: Int64s,
        now: float,
    ) -> None:
        """Hand all packets on, in the order of arrival."""
        memory, heads = arrived.memory, arrived.heads.tobytes()
        streams, known = self._table.streams, self._layouts.known
        sound, picture = self._delivery.sound, self._delivery.picture
        for (
            head_at,
            row,
            is_plain,
            sequence,
            timestamp,
            second,
            at,
            start,
            length,
            layout,
            arrival_us,
            owner,
        ) in zip(
            range(0, len(heads), HEAD_BYTES),
            rows.tolist(),
            plain.tolist(),
            sequences.tolist(),
            timestamps.tolist(),
            arrived.heads[:, 1].tolist(),
            arrived.at.tolist(),
            starts.tolist(),
            arrived.lengths.tolist(),
            layouts.tolist(),
            arrived.arrivals_us.tolist(),
            arrived.owners.tolist(),
            strict=True,
        ):
            if not is_plain:
                head = FIXED_HEAD.unpack_from(memory, at)
                self._ingress_of(owner).receive(memory, at, length, head, arrival_us, now)
                continue
            stream = streams[row]
            if stream.audio:
                layer = stream.layer
                if not layer.renditions and stream.started and sequence % AUDIO_CLOCK:
                    layer.last_packet_at = now
                    continue
                deliver = sound
            else:
                deliver = picture
            found = known[layout]
            assert found is not None
            deliver(
                stream,
                sequence,
                timestamp,
                second & 0x80,
                stream.slot,
                memory[at + start : at + length],
                found,
                int.from_bytes(heads[head_at + FIXED_LENGTH : head_at + start], "big"),
                now,
            )


def _leave_out(plain: Bools, owners: Int64s) -> None:
    """Nothing of a transport is plain if anything of it isn't."""
    if plain.all():
        return
    odd = np.zeros(int(owners.max()) + 1, np.bool_)
    odd[owners[~plain]] = True
    plain &= ~odd[owners]
