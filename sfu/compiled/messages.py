"""Messages for ``sendmmsg``: struct mmsghdr, iovec and cmsghdr on 64-bit Linux, all whole words."""

from sfu.compiled.arrays import Bytes, Halves2, Words, Words2
from sfu.compiled.jit import call, compiled, part
from sfu.compiled.memory import address
from sfu.compiled.outgoing import (
    NAME,
    NAME_LENGTH,
    PORT,
    PROTECTED,
    ROW_LENGTH,
    ROW_PEER,
    ROW_STATE,
)

MAX_SEGMENTS = 60
"""Segments in one GSO message; the kernel's UDP_MAX_SEGMENTS is 64 before Linux 6.9."""
MAX_GSO_BYTES = 65_000
"""Payload of one GSO message; a UDP datagram carries at most 65,507."""

TARGET_NAME, TARGET_LENGTH, TARGET_ROW, TARGET_COLUMNS = range(4)
"""Of each datagram: where its destination's address is, how long that is, and the row it came from."""
HEADER_NAME, HEADER_NAME_LENGTH, IOV, IOV_LENGTH, CONTROL, CONTROL_LENGTH, FLAGS, SENT, HEADER_WORDS = range(
    9
)
"""struct mmsghdr; SENT is the length of what was received, too."""
VECTOR_WORDS = 2
"""struct iovec"""
CONTROL_WORDS = 3
"""struct cmsghdr {size_t len; int level; int type;} and the segment size"""
DATAGRAMS, OCTETS, MESSAGES, TAKEN, SENDMMSG = range(5)
"""First among all words: how many datagrams, octets and messages there are, how many messages the kernel has taken
(-1: it has refused the first one), and where in memory sendmmsg is."""
HEADERS_AT = 8
"""Where the messages begin among all words."""
_MSG_DONTWAIT = 0x40
_CONTROL_USED = 18
_SOL_UDP = 17
_UDP_SEGMENT = 103


@part
def _extend(headers: Words2, controls: Words2, message: int, size: int) -> None:
    """One more datagram for a message, which the kernel then has to cut."""
    headers[message, IOV_LENGTH] += 1
    headers[message, CONTROL] = address(controls) + message * (8 * CONTROL_WORDS)
    headers[message, CONTROL_LENGTH] = 8 * CONTROL_WORDS
    controls[message, 0] = _CONTROL_USED
    controls[message, 1] = _SOL_UDP | _UDP_SEGMENT << 32
    controls[message, 2] = size


@part
def _headers(words: Words, size: int) -> Words2:
    return words[HEADERS_AT : HEADERS_AT + size * HEADER_WORDS].reshape(size, HEADER_WORDS)


@part
def _vectors(words: Words, size: int) -> Words2:
    at = HEADERS_AT + size * HEADER_WORDS
    return words[at : at + size * VECTOR_WORDS].reshape(size, VECTOR_WORDS)


@part
def _targets(words: Words, size: int) -> Words2:
    at = HEADERS_AT + size * (HEADER_WORDS + VECTOR_WORDS)
    return words[at : at + size * TARGET_COLUMNS].reshape(size, TARGET_COLUMNS)


@part
def _controls(words: Words, size: int) -> Words2:
    at = HEADERS_AT + size * (HEADER_WORDS + VECTOR_WORDS + TARGET_COLUMNS)
    return words[at : at + size * CONTROL_WORDS].reshape(size, CONTROL_WORDS)


@compiled
def group(words: Words, size: int, count: int, gso: bool) -> int:
    """Make messages of datagrams; returns how many.

    With ``gso`` consecutive datagrams of equal size to one destination, and one shorter one after them, share one.
    """
    headers, vectors = _headers(words, size), _vectors(words, size)
    targets, controls = _targets(words, size), _controls(words, size)
    messages = length = name = room = 0
    for index in range(count):
        octets, target = vectors[index, 1], targets[index, TARGET_NAME]
        if room and target == name and octets <= length:
            _extend(headers, controls, messages - 1, length)
            room = room - 1 if octets == length else 0
            continue
        headers[messages, HEADER_NAME] = target
        headers[messages, HEADER_NAME_LENGTH] = targets[index, TARGET_LENGTH]
        headers[messages, IOV] = address(vectors) + index * (8 * VECTOR_WORDS)
        headers[messages, IOV_LENGTH] = 1
        for word in range(CONTROL, HEADER_WORDS):
            headers[messages, word] = 0
        messages += 1
        length, name = octets, target
        room = min(MAX_SEGMENTS, MAX_GSO_BYTES // max(length, 1)) - 1 if gso else 0
    return messages


@compiled
def collect(
    rows: Halves2, first: int, count: int, memory: Bytes, peers: Words2, port: int, gso: bool, words: Words
) -> int:
    """Make messages of those of ``count`` rows that are encrypted and go out by a port, beginning with row ``first``.

    Returns how many messages. ``words``, :func:`words_size` of them, take what these come to, then messages, vectors,
    targets and control messages, each table with ``count`` rows.
    """
    stride = len(memory) // len(rows)
    vectors, targets = _vectors(words, count), _targets(words, count)
    datagrams = octets = 0
    row = first
    for _ in range(count):
        peer = rows[row, ROW_PEER]
        if rows[row, ROW_STATE] == PROTECTED and peers[peer, PORT] == port:
            vectors[datagrams, 0] = address(memory) + row * stride
            vectors[datagrams, 1] = rows[row, ROW_LENGTH]
            targets[datagrams, TARGET_NAME] = peers[peer, NAME]
            targets[datagrams, TARGET_LENGTH] = peers[peer, NAME_LENGTH]
            targets[datagrams, TARGET_ROW] = row
            octets += rows[row, ROW_LENGTH]
            datagrams += 1
        row += 1
        if row == count:
            row = 0
    words[DATAGRAMS], words[OCTETS] = datagrams, octets
    words[MESSAGES] = group(words, count, datagrams, gso)
    return words[MESSAGES]


@compiled
def transmit(
    rows: Halves2,
    first: int,
    count: int,
    memory: Bytes,
    peers: Words2,
    port: int,
    fd: int,
    gso: bool,
    words: Words,
) -> None:
    """Collect messages, and send them by a socket as far as the kernel takes them at once."""
    words[TAKEN] = messages = collect(rows, first, count, memory, peers, port, gso, words)
    if messages:
        headers = address(words) + 8 * HEADERS_AT
        words[TAKEN] = call(words[SENDMMSG], (fd, headers, messages, _MSG_DONTWAIT))


def words_size(count: int) -> int:
    """Words needed for messages of so many rows."""
    return HEADERS_AT + count * (HEADER_WORDS + VECTOR_WORDS + TARGET_COLUMNS + CONTROL_WORDS)
