"""The plain way on: a counted packet of a layer whose subscribers don't change is kept, numbered for each rendition,
and becomes a template in a lane for each of their fan-outs.

Plain is sound, and VP8 but for the first packets of key frames. A packet that is not, or for which something is
missing, is left to :mod:`sfu.forwarding.forwarder`, and with it all further ones of its layer among those at hand,
for they must stay in order.
"""

from typing import NamedTuple

from numba import carray, int64, uint8

from sfu.compiled import frames, history, numbering, outgoing, places, vp8
from sfu.compiled.arrays import Bytes, Bytes2, Floats2, Words, Words2
from sfu.compiled.intake import (
    CALLS,
    END,
    FIXED_LENGTH,
    KIND,
    LAYOUT,
    LAYOUT_WORDS,
    LEFT_OUT,
    MEDIA,
    RECORD_WORDS,
    RECORDS,
    ROW,
    ROW_BYTES,
    SEQUENCE,
    START,
    STREAM,
    TIME,
)
from sfu.compiled.jit import part
from sfu.compiled.memory import address, copy, pointer
from sfu.compiled.numbering import COUNT, DOWNS, FAN, FAN_WORDS, FANS, LANE, MAX_GAP, OFFSET, PROFILE, WAITS
from sfu.compiled.outgoing import (
    ADDED,
    COPIES,
    LANE_WORDS,
    LARGEST,
    MOST,
    PACKETS,
    STRIDE,
    TEMPLATES,
)
from sfu.compiled.streams import FRAME, LAYER, SLOT, STREAM_WORDS
from sfu.compiled.streams import PICTURE as STREAM_PICTURE
from sfu.compiled.streams import TL0 as STREAM_TL0
from sfu.compiled.table import MISSING, find
from sfu.compiled.table import WORDS as TABLE_WORDS

# A layer: whether its packets may go this way, the call in which one could not, sound or picture, when its newest
# packet came (float), the highest temporal layer since the last key frame, for which level of overload it has been
# decided whether it is left out, and what, its row of frames, and the rows of its renditions.
READY, HELD, MEDIUM, LAST_PACKET_AT, TOP_TEMPORAL, LEVEL, CUT, FRAMES, RENDITIONS = range(9)
FIRST_RENDITION = 9
MOST_RENDITIONS = 7
LAYER_WORDS = FIRST_RENDITION + MOST_RENDITIONS
SOUND, PICTURES = range(2)

# How a profile's header is made for packets of a layout: its size, the places of transport-wide number and send time
# (0: none), values that are passed on (place in the block, place in the header and size, 16 bits each), the header
# itself.
PLAN_SIZE, PLAN_TWCC_AT, PLAN_SENT_AT, PLAN_MOVES = range(4)
FIRST_MOVE = 4
MOST_MOVES = 8
PLAN_HEADER = FIRST_MOVE + MOST_MOVES
HEADER_WORDS = 12
PLAN_WORDS = PLAN_HEADER + HEADER_WORDS
MOVE_BITS = 16

AUDIO_CLOCK = 8
"""One in so many packets of audio is enough to know how its timestamps relate to real time."""
_MOVE = (1 << MOVE_BITS) - 1
_ROOM = MOST_RENDITIONS * numbering.MOST_FANS


class _Tables(NamedTuple):
    """What all packets of a call need."""

    memory: Bytes2
    renditions: Words2
    plans: Words2
    headers: Words2
    layouts: Words2
    lanes: Words2
    ring: Bytes
    head: Words
    found: Words
    numbers: Words


@part
def _follows(rendition: Words, record: Words) -> bool:
    """Whether a packet is newer than all of a rendition, and near."""
    ahead = record[SEQUENCE] - rendition[numbering.HIGHEST]
    return rendition[numbering.HIGHEST] >= 0 and 0 < ahead <= MAX_GAP


@part
def _plan(rendition: Words, fan: int, layout: int, plans: Words2) -> int:
    return find(plans, rendition[FAN + fan * FAN_WORDS + PROFILE], layout, 0, 0)


@part
def _lane(rendition: Words, lanes: Words2) -> Words:
    return lanes[rendition[LANE] + rendition[WAITS]]


@part
def _passes(rendition: Words, record: Words, tables: _Tables) -> bool:
    """Whether nothing is missing for a packet to go on in a rendition, or to be left out of it."""
    if not _follows(rendition, record):
        return False
    if tables.found[vp8.TEMPORAL] > rendition[numbering.TEMPORAL]:
        return True
    payload, lane = record[END] - record[START], _lane(rendition, tables.lanes)
    if lane[ADDED] + _ROOM > lane[MOST]:
        return False
    for fan in range(rendition[FANS]):
        plan = _plan(rendition, fan, record[LAYOUT], tables.plans)
        if plan == MISSING or tables.headers[plan, PLAN_SIZE] + payload > lane[LARGEST]:
            return False
    return True


@part
def _head(target: int, memory: int, plan: Words, sent: int) -> None:
    """Write a header, its numbers still zero, for a packet in memory."""
    copy(target, address(plan) + 8 * PLAN_HEADER, plan[PLAN_SIZE])
    for move in range(plan[PLAN_MOVES]):
        word = plan[FIRST_MOVE + move]
        source = memory + FIXED_LENGTH + (word & _MOVE)
        copy(target + (word >> MOVE_BITS & _MOVE), source, word >> 2 * MOVE_BITS)
    at = plan[PLAN_SENT_AT]
    if at:
        header = carray(pointer(target), 8 * HEADER_WORDS, uint8)
        header[at], header[at + 1], header[at + 2] = sent >> 16 & 255, sent >> 8 & 255, sent & 255


@part
def _template(
    lane: Words,
    memory: int,
    record: Words,
    rendition: Words,
    fan: int,
    plan: Words,
    found: Words,
    numbers: Words,
    sent: int,
) -> None:
    """Add a packet to a lane for one fan-out."""
    index = lane[ADDED]
    target = lane[TEMPLATES] + index * lane[STRIDE]
    size, payload = plan[PLAN_SIZE], record[END] - record[START]
    _head(target, memory, plan, sent)
    copy(target + size, memory + record[START], payload)
    first = FAN + fan * FAN_WORDS
    packet = carray(
        pointer(lane[PACKETS] + 8 * index * outgoing.PACKET_COLUMNS), outgoing.PACKET_COLUMNS, int64
    )
    packet[outgoing.BYTES] = target
    packet[outgoing.LENGTH] = packet[outgoing.PADDED] = size + payload
    packet[outgoing.HEADER_LENGTH] = size
    packet[outgoing.TWCC_AT] = plan[PLAN_TWCC_AT]
    packet[outgoing.STREAM] = rendition[first + numbering.STREAM]
    packet[outgoing.DOWNS] = rendition[first + DOWNS]
    packet[outgoing.COUNT] = rendition[first + COUNT]
    packet[outgoing.SEQUENCE] = numbers[history.NUMBER]
    packet[outgoing.TIMESTAMP] = record[TIME]
    packet[outgoing.MARKER] = numbers[history.SIZES] >> history.MARKER_SHIFT << 7 & 0x80
    packet[outgoing.SLOT] = numbers[history.SIZES] >> history.SLOT_SHIFT & 1
    packet[outgoing.PICTURE] = numbers[history.PICTURE]
    packet[outgoing.PICTURE_AT] = found[vp8.PICTURE_AT]
    packet[outgoing.TL0] = found[vp8.TL0]
    packet[outgoing.TL0_AT] = found[vp8.TL0_AT]
    packet[outgoing.KEY_INDEX] = found[vp8.KEY_INDEX]
    packet[outgoing.KEY_INDEX_AT] = found[vp8.KEY_INDEX_AT]
    lane[ADDED] = index + 1
    lane[COPIES] += rendition[first + COUNT]


@part
def _describe(
    memory: Bytes2, record: Words, slot: int, found: Words, layouts: Words2, numbers: Words
) -> None:
    """What all renditions keep of a packet."""
    payload, block = record[END] - record[START], record[START] - FIXED_LENGTH
    marker = int(memory[record[ROW], 1]) >> 7
    numbers[history.TIMESTAMP] = record[TIME]
    numbers[history.SIZES] = (
        payload
        | block << history.BLOCK_SHIFT
        | marker << history.MARKER_SHIFT
        | slot << history.SLOT_SHIFT
        | found[vp8.KEYFRAME] << history.KEYFRAME_SHIFT
        | found[vp8.START] << history.START_SHIFT
        | found[vp8.SYNC] << history.SYNC_SHIFT
        | found[vp8.TEMPORAL] << history.TEMPORAL_SHIFT
    )
    numbers[history.TL0] = found[vp8.TL0]
    numbers[history.PLACES] = (
        found[vp8.PICTURE_AT]
        | found[vp8.TL0_AT] << history.TL0_AT_SHIFT
        | found[vp8.KEY_INDEX] << history.KEY_INDEX_SHIFT
        | found[vp8.KEY_INDEX_AT] << history.KEY_INDEX_AT_SHIFT
    )
    numbers[history.LAYOUT] = layouts[0, 0] | record[LAYOUT]


@part
def _number(rendition: Words, record: Words, found: Words, numbers: Words) -> None:
    """Give a packet its numbers in a rendition."""
    rendition[numbering.HIGHEST] = record[SEQUENCE]
    rendition[numbering.TIMESTAMP] = record[TIME]
    rendition[numbering.PACKETS] += 1
    rendition[numbering.OCTETS] += record[END] - record[START]
    numbers[history.NUMBER] = record[SEQUENCE] - rendition[OFFSET]
    numbers[history.PICTURE] = found[vp8.PICTURE]
    if found[vp8.PICTURE] >= 0:
        numbers[history.PICTURE] -= rendition[numbering.PICTURE_OFFSET]
        rendition[numbering.PICTURE] = numbers[history.PICTURE]
        rendition[numbering.TL0] = found[vp8.TL0]
        rendition[numbering.KEY_INDEX] = found[vp8.KEY_INDEX]


@part
def _read(memory: Bytes2, record: Words, medium: int, stream: Words, found: Words) -> bool:
    """Read what forwarding needs to know of a payload; False if that is not plain."""
    if medium == SOUND:
        for word in range(vp8.DESCRIPTOR_WORDS):
            found[word] = 0
        found[vp8.KEYFRAME] = 1
        found[vp8.PICTURE] = -1
        return True
    if not vp8.read(memory, record[ROW], record[START], record[END], found) or found[vp8.KEYFRAME]:
        return False
    if found[vp8.PICTURE] >= 0:
        found[vp8.PICTURE] = vp8.extend(stream[STREAM_PICTURE], found[vp8.PICTURE], 15)
    if found[vp8.TL0_AT]:
        found[vp8.TL0] = vp8.extend(stream[STREAM_TL0], found[vp8.TL0], 8)
    return True


@part
def _keep(where: int, record: Words, layer: Words, tables: _Tables) -> int:
    """Keep the bytes of a packet if any rendition has a history."""
    for number in range(layer[RENDITIONS]):
        if tables.renditions[layer[FIRST_RENDITION + number], numbering.HISTORY_AT]:
            start, block = where + record[START], where + FIXED_LENGTH
            return history.keep(
                tables.ring,
                tables.head,
                start,
                record[END] - record[START],
                block,
                record[START] - FIXED_LENGTH,
            )
    return 0


@part
def _may(record: Words, layer: Words, stream: Words, tables: _Tables) -> bool:
    """Whether a packet is plain, and all that it needs is there."""
    if not _read(tables.memory, record, layer[MEDIUM], stream, tables.found):
        return False
    for number in range(layer[RENDITIONS]):
        if not _passes(tables.renditions[layer[FIRST_RENDITION + number]], record, tables):
            return False
    return True


@part
def _remember(layer: Words, stream: Words, found: Words) -> None:
    """What the next packets are read with."""
    if found[vp8.PICTURE] >= 0:
        stream[STREAM_PICTURE] = found[vp8.PICTURE]
    if found[vp8.TL0_AT]:
        stream[STREAM_TL0] = found[vp8.TL0]
    layer[TOP_TEMPORAL] = max(layer[TOP_TEMPORAL], found[vp8.TEMPORAL])


@part
def _leave_out(record: Words, layer: Words, stream: Words, tables: _Tables) -> bool:
    """Take a packet of video out of all renditions, or of none: then False."""
    found = tables.found
    if not _read(tables.memory, record, layer[MEDIUM], stream, found):
        return False
    for number in range(layer[RENDITIONS]):
        if not _follows(tables.renditions[layer[FIRST_RENDITION + number]], record):
            return False
    _remember(layer, stream, found)
    for number in range(layer[RENDITIONS]):
        row = layer[FIRST_RENDITION + number]
        numbering.drop(tables.renditions, row, record[SEQUENCE], found[vp8.START] != 0)
    return True


@part
def _go_on(record: Words, layer: Words, stream: Words, tables: _Tables, sent: int) -> bool:
    """Let a packet of a layer go on in all its renditions, or in none: then False."""
    if not _may(record, layer, stream, tables):
        return False
    memory, found, numbers = tables.memory, tables.found, tables.numbers
    _remember(layer, stream, found)
    where = address(memory) + record[ROW] * memory.shape[1]
    _describe(memory, record, stream[SLOT], found, tables.layouts, numbers)
    numbers[history.POSITION] = _keep(where, record, layer, tables)
    for number in range(layer[RENDITIONS]):
        row = layer[FIRST_RENDITION + number]
        rendition = tables.renditions[row]
        if found[vp8.TEMPORAL] > rendition[numbering.TEMPORAL]:
            numbering.drop(tables.renditions, row, record[SEQUENCE], found[vp8.START] != 0)
            continue
        _number(rendition, record, found, numbers)
        if rendition[numbering.HISTORY_AT]:
            history.store(rendition[numbering.HISTORY_AT], rendition[numbering.HISTORY_SIZE], numbers)
        for fan in range(rendition[FANS]):
            plan = tables.headers[_plan(rendition, fan, record[LAYOUT], tables.plans)]
            lane = _lane(rendition, tables.lanes)
            _template(lane, where, record, rendition, fan, plan, found, numbers, sent)
    return True


@part
def _observe(record: Words, layer: Words, stream: Words, reals: Floats2, now: float) -> None:
    """Note the time of some packets: one of sound now and then, and the first of a frame."""
    if layer[MEDIUM] == SOUND:
        if record[SEQUENCE] % AUDIO_CLOCK == 0:
            frames.observe(reals, layer[FRAMES], record[TIME], now)
    elif stream[FRAME] != record[TIME]:
        stream[FRAME] = record[TIME]
        frames.follow(reals, layer[FRAMES], now)
        frames.observe(reals, layer[FRAMES], record[TIME], now)


@part
def relay(where: Words, sent: int, level: int, now: float) -> None:
    """Let those of the records that are plain go on; the others are moved together.

    ``where`` is the list of places, ``sent`` the time for headers, ``level`` that of overload.
    """
    records = places.words2(where, places.RECORDS, RECORD_WORDS)
    totals = places.words(where, places.TOTALS)
    streams = places.words2(where, places.STREAMS, STREAM_WORDS)
    layers = places.words2(where, places.LAYERS, LAYER_WORDS)
    layer_reals = places.floats2(where, places.LAYERS, LAYER_WORDS)
    frame_reals = places.floats2(where, places.FRAMES, frames.FRAME_WORDS)
    tables = _Tables(
        places.octets2(where, places.DATAGRAMS, ROW_BYTES),
        places.words2(where, places.RENDITIONS, numbering.RENDITION_WORDS),
        places.words2(where, places.PLAN_INDEX, TABLE_WORDS),
        places.words2(where, places.PLANS, PLAN_WORDS),
        places.words2(where, places.LAYOUTS, LAYOUT_WORDS),
        places.words2(where, places.LANES, LANE_WORDS),
        places.octets(where, places.RING),
        places.words(where, places.HEAD),
        places.words(where, places.FOUND),
        places.words(where, places.NUMBERS),
    )
    call = totals[CALLS]
    left = 0
    for index in range(totals[RECORDS]):
        record = records[index]
        if record[KIND] == MEDIA:
            layer = streams[record[STREAM], LAYER]
            row = layers[layer]
            if not row[READY] or row[HELD] == call or (row[MEDIUM] == PICTURES and row[LEVEL] != level):
                gone = False
            elif row[CUT]:
                gone = _leave_out(record, row, streams[record[STREAM]], tables)
                totals[LEFT_OUT] += gone
            else:
                gone = _go_on(record, row, streams[record[STREAM]], tables, sent)
            if gone:
                layer_reals[layer, LAST_PACKET_AT] = now
                _observe(record, row, streams[record[STREAM]], frame_reals, now)
                continue
            row[HELD] = call
        if left < index:
            records[left] = record
        left += 1
    totals[RECORDS] = left
