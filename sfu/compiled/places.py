"""Arrays by where they are: what a compiled function needs of many of them, in one array.

Handing an array over costs 0.05 to 0.1 µs, and 0.2 where it is cold. So a list says for each of them where its *place*
is, two words: the array's address and how many rows it has. Whoever moves an array writes its place. What kind of array
it is, and how wide, must be known where it is used.
"""

from numba import carray, float64, int32, int64, uint8

from sfu.compiled.arrays import Bytes, Bytes2, Floats, Floats2, Halves, Halves2, Words, Words2, Words3
from sfu.compiled.jit import part
from sfu.compiled.memory import pointer

AT, LENGTH, PLACE_WORDS = range(3)

# Each list begins with what SRTP needs: keys, windows, functions, and room to work in.
KEYS, WINDOWS, FUNCTIONS, ROOM = range(4)

# The list that a lane needs: records of packets, room for their copies and for putting them in order, down tracks,
# peers, bytes and rows of the arena, and the lane.
PACKETS, COPIES, SCRATCH, DOWNS, PEERS, ARENA, ARENA_ROWS, LANE = range(4, 12)

# The list that the ways in and on need. Of the port: datagrams received, where they came from, what the kernel says of
# them, how many they were last and where recvmmsg is, and the table of transports by address. Of the engine: the table
# of streams by transport and SSRC; streams, microphones and layouts of extensions; what counts as speech; arrivals, and
# how many; records and totals of this batch.
DATAGRAMS, ORIGINS, HEADERS, RECEIVER, OWNERS = range(4, 9)
INDEX, STREAMS, METERS, LAYOUTS, SPEECH, LOGS, NOTED, RECORDS, TOTALS = range(9, 18)
# Layers, their frames and their renditions, the table of plans by profile and layout and what they are, lanes, kept
# packets and where the newest of them ends, and room to work in.
LAYERS, FRAMES, RENDITIONS, PLAN_INDEX, PLANS, LANES, RING, HEAD, FOUND, NUMBERS = range(18, 28)
# Of the way out: where the lanes' lists are, ports, room for messages, and what became of them.
LISTS, WAYS, SENDER, OUTCOME = range(28, 32)


@part
def _place(places: Words, number: int) -> Words:
    return carray(pointer(places[number]), PLACE_WORDS, int64)


@part
def octets(places: Words, number: int) -> Bytes:
    """An array of bytes."""
    place = _place(places, number)
    return carray(pointer(place[AT]), place[LENGTH], uint8)


@part
def octets2(places: Words, number: int, width: int) -> Bytes2:
    """A table of bytes."""
    place = _place(places, number)
    return carray(pointer(place[AT]), (place[LENGTH], width), uint8)


@part
def halves(places: Words, number: int) -> Halves:
    """An array of half words."""
    place = _place(places, number)
    return carray(pointer(place[AT]), place[LENGTH], int32)


@part
def halves2(places: Words, number: int, width: int) -> Halves2:
    """A table of half words."""
    place = _place(places, number)
    return carray(pointer(place[AT]), (place[LENGTH], width), int32)


@part
def words(places: Words, number: int) -> Words:
    """An array of words."""
    place = _place(places, number)
    return carray(pointer(place[AT]), place[LENGTH], int64)


@part
def words2(places: Words, number: int, width: int) -> Words2:
    """A table of words."""
    place = _place(places, number)
    return carray(pointer(place[AT]), (place[LENGTH], width), int64)


@part
def words3(places: Words, number: int, height: int, width: int) -> Words3:
    """Several tables of words."""
    place = _place(places, number)
    return carray(pointer(place[AT]), (place[LENGTH], height, width), int64)


@part
def floats(places: Words, number: int) -> Floats:
    """An array of floats."""
    place = _place(places, number)
    return carray(pointer(place[AT]), place[LENGTH], float64)


@part
def floats2(places: Words, number: int, width: int) -> Floats2:
    """A table of floats."""
    place = _place(places, number)
    return carray(pointer(place[AT]), (place[LENGTH], width), float64)
