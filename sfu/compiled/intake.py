"""The way in: what are the datagrams of a batch, whose are they, decrypt them, and count those that are plain.

Plain is the next packet of a stream that is known, with the payload type and one of the layouts of extensions that it
had lately, without padding and CSRCs. Anything else may change what the packets behind it mean, so the loop stops there
for its caller, and is called again for the rest.
"""

from sfu.compiled import places
from sfu.compiled.arrays import Bytes2, Floats, Floats2, Words, Words2, Words3
from sfu.compiled.jit import call, compiled, part
from sfu.compiled.memory import address
from sfu.compiled.messages import CONTROL_LENGTH, FLAGS, HEADER_NAME_LENGTH, HEADER_WORDS, SENT
from sfu.compiled.octets import read16, read32
from sfu.compiled.srtp import srtp_at, unprotect
from sfu.compiled.streams import (
    CLOCK_RATE,
    HIGHEST,
    LAYOUT_BITS,
    LAYOUTS,
    METER,
    METER_WORDS,
    PAYLOAD_TYPE,
    STREAM_WORDS,
    TIMESTAMP,
    advance,
    observe,
)
from sfu.compiled.table import MISSING, find
from sfu.compiled.table import WORDS as TABLE_WORDS

ROW_BYTES = 2048
"""Room for one datagram; what is larger is cut off by the kernel and dropped."""

# A receiver: how many rows it has filled last, and where in memory recvmmsg is (0: there is none).
FILLED, RECVMMSG, RECEIVER_WORDS = range(3)
_MSG_DONTWAIT = 0x40

# A row of the receiver's origins: an address, and control messages.
SECONDS, NANOSECONDS = 6, 7
DROP_KIND, DROPS = 9, 10
_SO_RXQ_OVFL = 40
DROP_CONTROL = 1 | _SO_RXQ_OVFL << 32
"""Level and type of the control message that says how many datagrams the socket has had no room for."""
ORIGIN_WORDS = 12
ADDRESS_BYTES = 32
CONTROL_BYTES = 64
TIMED_BYTES = 32
"""Length of the control messages when the kernel's time is among them ..."""
_DROPPED_BYTES = 52
"""... and when the number of datagrams dropped is, too."""
_MSG_TRUNC = 0x20
_AF_INET = 2
_LOW = 0xFFFFFFFF

# Kinds of records; MEDIA is counted, OTHER is media that is not plain. These and RTCP are decrypted.
MEDIA, OTHER, RTCP, DTLS, STUN = range(5)
# What a record says: its kind, the row of the datagram, the rows of transport and stream, extended sequence number and
# timestamp, where the payload begins and the packet ends, the number of its layout, and the Unix time in µs.
KIND, ROW, OWNER, STREAM, SEQUENCE, TIME, START, END, LAYOUT, ARRIVAL_US = range(10)
RECORD_WORDS = 10

# Totals: records made by this call, and those of MEDIA among them; datagrams of the batch; packets that failed
# authentication or came before the keys, and datagrams of addresses that nobody has validated, until somebody sets them
# to zero; when the newest datagram came; packets of video left out because of overload; datagrams that the socket has
# had no room for, as the newest says, 0 for none; calls; whether copies have been sent, as far as that was plain, and
# what is left to be done.
(RECORDS, PACKETS, DATAGRAMS, REJECTED, STRANGERS, NEWEST_US, LEFT_OUT, DROPPED, CALLS, DEPARTED,
 LEFT) = range(11)  # fmt: skip
TOTALS = 11
# Left: something that is to be looked for, nothing, or nothing but copies that wait.
SOMETHING, NOTHING, WAITING = range(3)

# Layouts of extensions: mask and pattern of the first words, size of the block, places of transport-wide number and
# audio level in the packet (0: none).
HEAD_WORDS = 8
PATTERN = HEAD_WORDS
SIZE, TWCC_AT, LEVEL_AT = range(2 * HEAD_WORDS, 2 * HEAD_WORDS + 3)
LAYOUT_WORDS = 20
FIXED_LENGTH = 12

PHASES = 5
"""Logs of arrivals; transports have theirs by their row."""
BLOCK = 64
"""Rows that share one: what is done for a phase costs more than what is done for a few transports."""
ARRIVALS = 1 << 16
"""Arrivals noted by a phase; there are so many only after a long stall."""
KEY, CAME_US = range(2)
"""Words of a log: row of the transport in the bits above the 16-bit number, and the Unix time."""

_MAX_STEP = 1 << 30
"""Timestamps further from the newest packet's are no plain case."""
_LEVEL_MASK = 0x7F
RTPFB = 205
FEEDBACK = 0x8F
"""Version 2 and the format of transport-wide feedback; with padding the bit below, too."""
PADDED = 0x20

# The third word of a key in the index: a stream of media, or who sends RTCP.
SOURCE, REPORTER = range(2)


@compiled
def rearm(headers: Words2, count: int) -> None:
    """Put right what the kernel has written over in the first headers."""
    for row in range(count):
        headers[row, HEADER_NAME_LENGTH] = ADDRESS_BYTES
        headers[row, CONTROL_LENGTH] = CONTROL_BYTES


@compiled
def receive(headers: Words2, receiver: Words, fd: int, most: int) -> int:
    """Take at most so many datagrams that wait in a socket; returns how many, 0 for an error as well."""
    rearm(headers, receiver[FILLED])
    count = call(receiver[RECVMMSG], (fd, address(headers), most, _MSG_DONTWAIT, 0))
    receiver[FILLED] = max(count, 0)
    return receiver[FILLED]


@part
def _owner(origins: Words2, row: int, owners: Words2) -> int:
    """The transport of a datagram's address, of which what may change or means nothing is cleared."""
    if origins[row, 0] & 0xFFFF == _AF_INET:
        origins[row, 1] = origins[row, 2] = origins[row, 3] = 0
    else:
        origins[row, 0] &= _LOW  # without the flow label
        origins[row, 3] &= _LOW
    return find(owners, origins[row, 0], origins[row, 1], origins[row, 2], origins[row, 3])


@part
def _arrival_us(origins: Words2, headers: Words2, row: int, fallback_us: int) -> int:
    if headers[row, CONTROL_LENGTH] < TIMED_BYTES:
        return fallback_us
    return origins[row, SECONDS] * 1_000_000 + origins[row, NANOSECONDS] // 1_000


@part
def _note_drops(origins: Words2, headers: Words2, row: int, totals: Words) -> None:
    """The kernel tells once it has dropped something, behind the time."""
    if headers[row, CONTROL_LENGTH] >= _DROPPED_BYTES and origins[row, DROP_KIND] == DROP_CONTROL:
        totals[DROPPED] = origins[row, DROPS] & _LOW


@part
def _fits(words: Words2, row: int, layouts: Words2, number: int) -> bool:
    """Whether a packet has a layout."""
    for word in range((FIXED_LENGTH + layouts[number, SIZE] + 7) >> 3):
        if words[row, word] & layouts[number, word] != layouts[number, PATTERN + word]:
            return False
    return True


@part
def _layout(words: Words2, row: int, layouts: Words2, candidates: int) -> int:
    """The number of a packet's layout, among those packed into one word; 0 for none of them."""
    while candidates:
        number = candidates & ((1 << LAYOUT_BITS) - 1)
        if _fits(words, row, layouts, number):
            return number
        candidates >>= LAYOUT_BITS
    return 0


@part
def _plain(
    memory: Bytes2, words: Words2, row: int, length: int, stream: int, streams: Words2, layouts: Words2
) -> int:
    """The number of the layout of a packet that is plain; 0 if it is not."""
    if stream == MISSING or streams[stream, PAYLOAD_TYPE] != memory[row, 1] & 0x7F:
        return 0
    if streams[stream, HIGHEST] < 0 or (streams[stream, HIGHEST] + 1) & 0xFFFF != read16(memory[row], 2):
        return 0
    ahead = (read32(memory[row], 4) - streams[stream, TIMESTAMP]) & _LOW
    if _MAX_STEP <= ahead <= _LOW + 1 - _MAX_STEP:
        return 0
    layout = _layout(words, row, layouts, streams[stream, LAYOUTS])
    return layout if FIXED_LENGTH + layouts[layout, SIZE] < length else 0


@part
def _measure(
    memory: Bytes2,
    row: int,
    stream: int,
    layout: int,
    step: int,
    streams: Words2,
    meters: Words2,
    meter_reals: Floats2,
    layouts: Words2,
    speech: Floats,
    now: float,
) -> None:
    meter = streams[stream, METER]
    at = layouts[layout, LEVEL_AT]
    if meter and at:
        duration_ms = step * 1000 // streams[stream, CLOCK_RATE]
        observe(meters, meter_reals, meter, int(memory[row, at]) & _LEVEL_MASK, duration_ms, now, speech)


@compiled
def phase_of(row: int) -> int:
    """The phase of a transport."""
    return row // BLOCK % PHASES


@part
def _note(
    memory: Bytes2,
    row: int,
    owner: int,
    layout: int,
    layouts: Words2,
    arrival_us: int,
    arrivals: Words3,
    noted: Words,
) -> None:
    """Note a transport-wide number and when it came; of too many the newest are not."""
    at = layouts[layout, TWCC_AT]
    phase = phase_of(owner)
    if at and noted[phase] < arrivals.shape[1]:
        arrivals[phase, noted[phase], KEY] = owner << 16 | read16(memory[row], at)
        arrivals[phase, noted[phase], CAME_US] = arrival_us
        noted[phase] += 1


@part
def _told(memory: Bytes2, row: int, length: int, owner: int, index: Words2) -> bool:
    """Whether a packet is nothing but transport-wide feedback, of somebody who has sent RTCP before.

    Nobody reads it yet, and clients send twenty a second.
    """
    first = memory[row, 0]
    if length < 12 or memory[row, 1] != RTPFB or read16(memory[row], 2) * 4 + 4 != length:
        return False
    padding = int(memory[row, length - 1])
    if first != FEEDBACK and not (first == FEEDBACK | PADDED and 0 < padding <= length - 12):
        return False
    return find(index, owner, read32(memory[row], 4), REPORTER, 0) != MISSING


@part
def _record(
    records: Words2, totals: Words, kind: int, row: int, owner: int, length: int, arrival_us: int
) -> int:
    """Begin a record; returns its place."""
    at = totals[RECORDS]
    totals[RECORDS] = at + 1
    records[at, KIND] = kind
    records[at, ROW] = row
    records[at, OWNER] = owner
    records[at, END] = length
    records[at, ARRIVAL_US] = arrival_us
    return at


@part
def _reports(
    memory: Bytes2,
    row: int,
    length: int,
    owner: int,
    index: Words2,
    records: Words2,
    totals: Words,
    arrival_us: int,
) -> None:
    if not _told(memory, row, length, owner, index):
        _record(records, totals, RTCP, row, owner, length, arrival_us)


@part
def _recognise(
    memory: Bytes2,
    words: Words2,
    row: int,
    record: Words,
    index: Words2,
    streams: Words2,
    layouts: Words2,
) -> int:
    """Find out whose a packet is, and whether it is plain; returns the number of its layout, 0 if it is not."""
    stream = find(index, record[OWNER], read32(memory[row], 8), SOURCE, 0)
    layout = _plain(memory, words, row, record[END], stream, streams, layouts)
    record[STREAM] = stream
    record[LAYOUT] = layout
    record[START] = FIXED_LENGTH + layouts[layout, SIZE]
    return layout


@part
def take(where: Words, first: int, count: int, fallback_us: int, now: float) -> int:
    """Take the datagrams in the rows from ``first`` to ``count``; returns the row to go on with.

    ``where`` is the list of places, ``fallback_us`` the time of datagrams of which the kernel doesn't tell.
    """
    memory = places.octets2(where, places.DATAGRAMS, ROW_BYTES)
    words = places.words2(where, places.DATAGRAMS, ROW_BYTES // 8)
    origins = places.words2(where, places.ORIGINS, ORIGIN_WORDS)
    headers = places.words2(where, places.HEADERS, HEADER_WORDS)
    owners = places.words2(where, places.OWNERS, TABLE_WORDS)
    srtp = srtp_at(where)
    index = places.words2(where, places.INDEX, TABLE_WORDS)
    streams = places.words2(where, places.STREAMS, STREAM_WORDS)
    stream_reals = places.floats2(where, places.STREAMS, STREAM_WORDS)
    meters = places.words2(where, places.METERS, METER_WORDS)
    meter_reals = places.floats2(where, places.METERS, METER_WORDS)
    layouts = places.words2(where, places.LAYOUTS, LAYOUT_WORDS)
    speech = places.floats(where, places.SPEECH)
    arrivals, noted = places.words3(where, places.LOGS, ARRIVALS, 2), places.words(where, places.NOTED)
    records = places.words2(where, places.RECORDS, RECORD_WORDS)
    totals = places.words(where, places.TOTALS)
    totals[RECORDS] = totals[PACKETS] = 0
    for row in range(first, count):
        length = headers[row, SENT] & _LOW
        if length < 2 or headers[row, FLAGS] & _MSG_TRUNC:
            continue
        owner = _owner(origins, row, owners)
        arrival_us = _arrival_us(origins, headers, row, fallback_us)
        totals[NEWEST_US] = arrival_us
        _note_drops(origins, headers, row, totals)
        kind, second = memory[row, 0], memory[row, 1]
        if kind <= 3:
            _record(records, totals, STUN, row, owner, length, arrival_us)
            return row + 1
        if owner == MISSING:
            totals[STRANGERS] += 1
        elif 128 <= kind <= 191:
            rtcp = 192 <= second <= 223
            length = unprotect(srtp, owner, rtcp, address(memory) + row * memory.shape[1], length)
            if not length:
                totals[REJECTED] += 1
                continue
            if rtcp:
                _reports(memory, row, length, owner, index, records, totals, arrival_us)
                continue
            at = _record(records, totals, MEDIA, row, owner, length, arrival_us)
            layout = _recognise(memory, words, row, records[at], index, streams, layouts)
            if not layout:
                records[at, KIND] = OTHER
                return row + 1
            totals[PACKETS] += 1
            _note(memory, row, owner, layout, layouts, arrival_us, arrivals, noted)
            stream = records[at, STREAM]
            step = advance(
                streams, stream_reals, stream, streams[stream, HIGHEST] + 1, read32(memory[row], 4), now
            )
            records[at, SEQUENCE] = streams[stream, HIGHEST]
            records[at, TIME] = streams[stream, TIMESTAMP]
            _measure(memory, row, stream, layout, step, streams, meters, meter_reals, layouts, speech, now)
        elif 20 <= kind <= 63:
            _record(records, totals, DTLS, row, owner, length, arrival_us)
    return count
