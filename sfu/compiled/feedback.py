"""Transport-wide feedback: sort what came by transport, and write what each is to be told.

Wire form: draft-holmer-rmcat-transport-wide-cc-extensions-01. :mod:`sfu.rtp.twcc` writes it in general; here it is
written where arrivals go on from what was told before, none late, and are not far apart.
"""

from sfu.compiled.arrays import Bytes2, Halves2, Words, Words2
from sfu.compiled.intake import BLOCK, CAME_US, FEEDBACK, KEY, PADDED, RTPFB, phase_of
from sfu.compiled.jit import compiled, part
from sfu.compiled.octets import write16, write32
from sfu.compiled.outgoing import PLAIN, ROW_LENGTH, ROW_PEER, ROW_STATE

# A transport: the extended number that it was told up to (-1: nothing yet), number of its next feedback, the two SSRCs
# of it, whether there is video, the turn to be told in, and room to work in.
HIGHEST, FEEDBACKS, SENDER_SSRC, MEDIA_SSRC, VIDEO, DUE, CAME, PLACE = range(8)
STATE_WORDS = 8

# Somebody to be told: the row, where in the arrivals his begin and end, and whether that is for :func:`write`.
ROW, START, STOP, KIND = range(4)
TOLD_WORDS = 4
GENERAL, VECTORS, RUN = range(3)

# An arrival: its number, extended by :func:`gather` but where it is GENERAL, and Unix time in µs.
NUMBER, AT_US = range(2)

FIRST_CYCLE = 1 << 16
"""Extended numbers begin here, so that those from before the first one are positive."""
MAX_GAP = 2048
"""A longer step of the numbers, either way, means that they begin afresh: no network loses that much in a row."""
MAX_SPAN = 512
MAX_ARRIVALS = 256
"""In one report here: 20 bytes of header, 74 chunks, two bytes for each arrival, and padding stay below 1200."""
BUSY_PACKETS = 20
"""After one about so many the next feedback comes earlier."""

_SEQUENCE = 0xFFFF
_TICK_US = 250
_REFERENCE_TICKS = 256
_HEADER_BYTES = 20
_SMALL, _LARGE = 1, 2
_RUN_SHIFT = 13
_VECTOR = 0xC000
"""A chunk of seven statuses of two bits."""
_STATUSES = 7


@part
def _first(states: Words2, phase: int, after: int) -> int:
    """The earliest later turn in which somebody is due for whom something came; ``after`` if there is none."""
    found = after
    for row in range(phase * BLOCK, len(states)):
        if phase_of(row) != phase:
            continue
        due = states[row, DUE]
        if states[row, CAME] and due > after and (found == after or due < found):
            found = due
    return found


@part
def _waiting(states: Words2, phase: int, turn: int) -> int:
    """For how many something came, of those due in a turn, or of all (-1)."""
    count = 0
    for row in range(phase * BLOCK, len(states)):
        if phase_of(row) == phase and (turn < 0 or states[row, DUE] == turn):
            count += states[row, CAME] > 0
    return count


@part
def _choose(states: Words2, phase: int, told: Words2) -> int:
    """List those for whom something came, if there are too many those who have waited longest; returns how many."""
    most = len(told)
    count = _waiting(states, phase, -1)
    last, spare = -1, most
    turn = -1
    while count > most:  # find the last turn of which all may be told, then who of the next is not told
        turn = _first(states, phase, last)
        here = _waiting(states, phase, turn)
        if here > spare:
            break
        last = turn
        spare -= here
    places = total = 0
    for row in range(phase * BLOCK, len(states)):
        if phase_of(row) != phase:
            continue
        came = states[row, CAME]
        states[row, CAME] = 0
        states[row, PLACE] = -1
        if not came:
            continue
        if count > most and states[row, DUE] > last:
            if not spare or states[row, DUE] != turn:
                continue
            spare -= 1
        states[row, PLACE] = total
        told[places, ROW] = row
        told[places, START] = total
        total += came
        told[places, STOP] = total
        places += 1
    return places


@part
def _ticks(at_us: int) -> int:
    return (at_us + _TICK_US // 2) // _TICK_US


@part
def _follow(arrivals: Words2, start: int, stop: int, highest: int, longest: int) -> int:
    """How to write what came: GENERAL if a number is late, or came twice, or much is missing, or it took long.

    Else the numbers become extended ones.
    """
    if highest < 0:
        highest = FIRST_CYCLE + arrivals[start, NUMBER] - 1
    first = (arrivals[start, NUMBER] - highest) & _SEQUENCE
    ahead = 0
    before = _ticks(arrivals[start, AT_US]) // _REFERENCE_TICKS * _REFERENCE_TICKS
    kind = RUN
    for at in range(start, stop):
        step = ((arrivals[at, NUMBER] - highest) & _SEQUENCE) - ahead
        ahead += step
        ticks = _ticks(arrivals[at, AT_US])
        delta = ticks - before
        before = ticks
        if step <= 0 or not -0x8000 <= delta <= 0x7FFF:
            return GENERAL
        if (at > start and step > 1) or not 0 <= delta <= 0xFF:
            kind = VECTORS
    if ahead > MAX_GAP or ahead - first >= MAX_SPAN or stop - start > longest:
        return GENERAL
    for at in range(start, stop):
        arrivals[at, NUMBER] = highest + ((arrivals[at, NUMBER] - highest) & _SEQUENCE)
    return kind


@compiled
def gather(
    log: Words2,
    noted: Words,
    phase: int,
    states: Words2,
    turn: int,
    longest: int,
    told: Words2,
    arrivals: Words2,
) -> int:
    """Take what came for those of a phase who are due out of its log; returns how many are listed in ``told``.

    What came for others stays. ``longest``: arrivals in one report, MAX_ARRIVALS at most, that are not GENERAL.
    """
    count = noted[phase]
    for at in range(count):
        row = log[at, KEY] >> 16
        if states[row, DUE] <= turn:
            states[row, CAME] += 1
    places = _choose(states, phase, told)
    left = 0
    for at in range(count):
        row = log[at, KEY] >> 16
        place = states[row, PLACE]
        if place < 0:
            log[left, KEY] = log[at, KEY]
            log[left, CAME_US] = log[at, CAME_US]
            left += 1
        else:
            arrivals[place, NUMBER] = log[at, KEY] & _SEQUENCE
            arrivals[place, AT_US] = log[at, CAME_US]
            states[row, PLACE] = place + 1
    noted[phase] = left
    for place in range(places):
        highest = states[told[place, ROW], HIGHEST]
        told[place, KIND] = _follow(arrivals, told[place, START], told[place, STOP], highest, longest)
    return places


@part
def _vectors(memory: Bytes2, row: int, arrivals: Words2, start: int, stop: int) -> int:
    """Write the statuses of arrivals, places without one are lost; returns where they end."""
    base = arrivals[start, NUMBER]
    before = _ticks(arrivals[start, AT_US]) // _REFERENCE_TICKS * _REFERENCE_TICKS
    chunk, value = 0, _VECTOR
    for at in range(start, stop):
        place = arrivals[at, NUMBER] - base
        while place // _STATUSES > chunk:
            write16(memory[row], _HEADER_BYTES + 2 * chunk, value)
            chunk, value = chunk + 1, _VECTOR
        ticks = _ticks(arrivals[at, AT_US])
        status = _SMALL if 0 <= ticks - before <= 0xFF else _LARGE
        before = ticks
        value |= status << 2 * (_STATUSES - 1 - place % _STATUSES)
    write16(memory[row], _HEADER_BYTES + 2 * chunk, value)
    return _HEADER_BYTES + 2 * chunk + 2


@part
def _deltas(memory: Bytes2, row: int, end: int, arrivals: Words2, start: int, stop: int) -> int:
    """Write how long after the one before each came; returns where that ends."""
    before = _ticks(arrivals[start, AT_US]) // _REFERENCE_TICKS * _REFERENCE_TICKS
    for at in range(start, stop):
        ticks = _ticks(arrivals[at, AT_US])
        delta = ticks - before
        before = ticks
        if 0 <= delta <= 0xFF:
            memory[row, end] = delta
            end += 1
        else:
            write16(memory[row], end, delta)
            end += 2
    return end


@part
def _report(
    memory: Bytes2, row: int, state: Words, arrivals: Words2, start: int, stop: int, kind: int
) -> int:
    """Write one feedback; returns its length."""
    base, last = arrivals[start, NUMBER], arrivals[stop - 1, NUMBER]
    if kind == RUN:
        write16(memory[row], _HEADER_BYTES, _SMALL << _RUN_SHIFT | (last - base + 1))
        end = _HEADER_BYTES + 2
    else:
        end = _vectors(memory, row, arrivals, start, stop)
    end = _deltas(memory, row, end, arrivals, start, stop)
    padding = -end & 3
    for at in range(end, end + padding):
        memory[row, at] = padding if at == end + padding - 1 else 0
    end += padding
    memory[row, 0] = FEEDBACK | PADDED if padding else FEEDBACK
    memory[row, 1] = RTPFB
    write16(memory[row], 2, end // 4 - 1)
    write32(memory[row], 4, state[SENDER_SSRC])
    write32(memory[row], 8, state[MEDIA_SSRC])
    write16(memory[row], 12, base)
    write16(memory[row], 14, last - base + 1)
    reference = _ticks(arrivals[start, AT_US]) // _REFERENCE_TICKS
    write32(memory[row], 16, (reference & 0xFFFFFF) << 8 | state[FEEDBACKS])
    return end


@compiled
def write(
    told: Words2,
    count: int,
    arrivals: Words2,
    states: Words2,
    turn: int,
    waits: Words2,
    memory: Bytes2,
    rows: Halves2,
) -> int:
    """Write feedback for those of the first ``count`` that are not GENERAL, one behind the other; returns how many.

    ``waits``: turns until the next one, without and with video, after few packets and after many. Rows of memory have
    1200 bytes at least; ``rows`` say of each what :mod:`sfu.compiled.outgoing` says of a copy.
    """
    out = 0
    for place in range(count):
        kind = told[place, KIND]
        if kind == GENERAL:
            continue
        start, stop = told[place, START], told[place, STOP]
        state = states[told[place, ROW]]
        rows[out, ROW_LENGTH] = _report(memory, out, state, arrivals, start, stop, kind)
        rows[out, ROW_PEER] = told[place, ROW]
        rows[out, ROW_STATE] = PLAIN
        out += 1
        state[HIGHEST] = arrivals[stop - 1, NUMBER]
        state[FEEDBACKS] = (state[FEEDBACKS] + 1) & 0xFF
        state[DUE] = turn + waits[state[VIDEO], 1 if stop - start >= BUSY_PACKETS else 0]
    return out
