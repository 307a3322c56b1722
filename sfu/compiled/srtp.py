"""SRTP in place (RFC 3711): the keys of each transport, and for each SSRC which packets there were under them.

AES-GCM (RFC 7714) is framed here, and encrypted by OpenSSL in contexts that are ready but for the nonce: half the time
that libsrtp takes for it, a quarter where its many small structures are not in the cache. Other profiles are libsrtp's.
"""

from typing import NamedTuple

from numba import carray, int32, int64, uint8

from sfu.compiled import places
from sfu.compiled.arrays import Bytes, Words, Words2
from sfu.compiled.jit import call, compiled, part
from sfu.compiled.memory import address, borrowed, pointer
from sfu.compiled.octets import read16, read32, write16, write32
from sfu.compiled.table import COUNT, MISSING, VALUE, WORDS, slot_of

# What keys are for.
SEND, SEND_RTCP, RECEIVE, RECEIVE_RTCP = USES = range(4)

# A transport: for each use where in memory the context of OpenSSL is (0: none), and the salt, of which the parts stand
# where the nonce has nothing, the SSRC and the index; where libsrtp's sessions are (0: none); number of SRTCP packets
# sent.
CIPHER, SALT, SALT_SSRC, SALT_INDEX, USE_WORDS = range(5)
SESSION_OUT, SESSION_IN, REPORTS = range(4 * USE_WORDS, 4 * USE_WORDS + 3)
KEY_WORDS = 24

# An SSRC, found by transport, SSRC and use: behind the index of the newest packet (48 bits with the rollover counter,
# RFC 3711 section 3.3.1) the newest WINDOW_BITS ones, each in the bit of its number's low bits.
WINDOW = WORDS
WINDOW_WORDS = 16
WINDOW_BITS = 64 * WINDOW_WORDS
STATE_WORDS = WINDOW + WINDOW_WORDS

# Functions by their address: libsrtp's for each use, then OpenSSL's.
INIT, UPDATE, FINAL, CONTROL = range(4, 8)
FUNCTIONS = 8

# Room to work in: nonce, a length that functions set, the index of an SRTCP packet with its flag.
_NONCE, _LENGTH, _TRAILER = 0, 16, 24
ROOM_BYTES = 32

TAG_BYTES = 16
_TRAILER_BYTES = 4
_ENCRYPTED = 1 << 31
_MOST_REPORTS = 1 << 31
_RTP_HEADER, _RTCP_HEADER = 12, 8
_SHORTEST_RTP, _SHORTEST_RTCP = 12, 8
_KEEP = -1
"""Encrypt or decrypt as before (EVP_CipherInit_ex)."""
_GET_TAG, _SET_TAG = 0x10, 0x11
_FLAGS = 0x10
KEYLESS = -1


class Srtp(NamedTuple):
    """What all packets of a call need."""

    keys: Words2
    windows: Words2
    functions: Words
    room: Bytes


@part
def srtp_of(keys: Words2, windows: Words2, functions: Words, room: Bytes) -> Srtp:
    """All of it."""
    return Srtp(borrowed(keys), borrowed(windows), borrowed(functions), borrowed(room))


@part
def srtp_at(where: Words) -> Srtp:
    """All of it, by a list of places."""
    return Srtp(
        places.words2(where, places.KEYS, KEY_WORDS),
        places.words2(where, places.WINDOWS, STATE_WORDS),
        places.words(where, places.FUNCTIONS),
        places.octets(where, places.ROOM),
    )


@part
def _index(highest: int, number: int) -> int:
    """The index of a packet, from its 16-bit number and the newest index (RFC 3711 section 3.3.1)."""
    if highest == MISSING:
        return number
    near = highest + ((number - highest + 0x8000) & 0xFFFF) - 0x8000
    return near if near >= 0 else number


@part
def _is_new(windows: Words2, slot: int, index: int) -> bool:
    """Whether a packet has not been there, nor is too old to know."""
    highest = windows[slot, VALUE]
    if index > highest:
        return True
    word = windows[slot, WINDOW + (index >> 6) % WINDOW_WORDS]
    return highest - index < WINDOW_BITS and not (word >> (index & 63)) & 1


@part
def _note(windows: Words2, slot: int, index: int, owner: int, ssrc: int, use: int) -> None:
    """Note that a packet was there; the first one of an SSRC takes the slot."""
    highest = windows[slot, VALUE]
    if highest == MISSING:
        windows[slot, 0], windows[slot, 1], windows[slot, 2], windows[slot, 3] = owner, ssrc, use, 0
        windows[slot, WINDOW:] = 0
        windows[-1, COUNT] += 1
    for passed in range(max(highest, index - WINDOW_BITS) + 1, index):
        windows[slot, WINDOW + (passed >> 6) % WINDOW_WORDS] &= ~(int64(1) << (passed & 63))
    windows[slot, WINDOW + (index >> 6) % WINDOW_WORDS] |= int64(1) << (index & 63)
    windows[slot, VALUE] = max(highest, index)


@part
def _has_room(windows: Words2, slot: int) -> bool:
    return windows[slot, VALUE] != MISSING or 2 * windows[-1, COUNT] < len(windows) - 1


@part
def _begin(srtp: Srtp, owner: int, use: int, ssrc: int, index: int) -> bool:
    """Set the nonce (RFC 7714 sections 8.1 and 9.1)."""
    key, room, at = srtp.keys[owner], srtp.room, use * USE_WORDS
    number = key[at + SALT_INDEX] ^ index
    write16(room, _NONCE, key[at + SALT])
    write32(room, _NONCE + 2, key[at + SALT_SSRC] ^ ssrc)
    write16(room, _NONCE + 6, number >> 32)
    write32(room, _NONCE + 8, number)
    nonce = address(room) + _NONCE
    return call(srtp.functions[INIT], (key[at + CIPHER], 0, 0, 0, nonce, _KEEP)) == 1


@part
def _update(srtp: Srtp, cipher: int, target: int, source: int, size: int) -> bool:
    length = address(srtp.room) + _LENGTH
    return size == 0 or call(srtp.functions[UPDATE], (cipher, target, length, source, size)) == 1


@part
def _crypt(srtp: Srtp, cipher: int, packet: int, start: int, end: int, rtcp: bool, encrypt: bool) -> bool:
    """Encrypt or decrypt a packet from ``start`` to ``end``; what is before that is authenticated, and behind it is
    the tag. For SRTCP the trailer is authenticated, too."""
    functions, length = srtp.functions, address(srtp.room) + _LENGTH
    if not _update(srtp, cipher, 0, packet, start):
        return False
    if rtcp and not _update(srtp, cipher, 0, address(srtp.room) + _TRAILER, _TRAILER_BYTES):
        return False
    if not _update(srtp, cipher, packet + start, packet + start, end - start):
        return False
    tag = (cipher, _GET_TAG if encrypt else _SET_TAG, TAG_BYTES, packet + end)
    if not encrypt and call(functions[CONTROL], tag) != 1:
        return False
    if call(functions[FINAL], (cipher, packet + end, length)) != 1:
        return False
    return not encrypt or call(functions[CONTROL], tag) == 1


@part
def _payload(packet: Bytes, end: int) -> int:
    """Where the payload of an RTP packet begins (RFC 3550 section 5.1, 5.3.1); 0 if that is beyond its end."""
    if end < _RTP_HEADER:
        return 0
    start = _RTP_HEADER + 4 * (int(packet[0]) & 0x0F)
    if packet[0] & _FLAGS:
        if start + 4 > end:
            return 0
        start += 4 + 4 * read16(packet, start + 2)
    return start if start <= end else 0


@part
def _protect_rtp(srtp: Srtp, owner: int, place: int, length: int) -> int:
    packet = carray(pointer(place), length, uint8)
    start = _payload(packet, length)
    if not start:
        return 0
    ssrc = read32(packet, 8)
    slot = slot_of(srtp.windows, owner, ssrc, SEND, 0)
    index = _index(srtp.windows[slot, VALUE], read16(packet, 2))
    if not _has_room(srtp.windows, slot) or not _is_new(srtp.windows, slot, index):
        return 0
    # A nonce must never be used again, so it counts as used whatever comes of it.
    _note(srtp.windows, slot, index, owner, ssrc, SEND)
    if not _begin(srtp, owner, SEND, ssrc, index):
        return 0
    cipher = srtp.keys[owner, SEND * USE_WORDS + CIPHER]
    good = _crypt(srtp, cipher, place, start, length, False, True)
    return length + TAG_BYTES if good else 0


@part
def _protect_rtcp(srtp: Srtp, owner: int, place: int, length: int) -> int:
    index = srtp.keys[owner, REPORTS] + 1
    if length < _SHORTEST_RTCP or index >= _MOST_REPORTS:
        return 0
    srtp.keys[owner, REPORTS] = index
    packet = carray(pointer(place), length + TAG_BYTES + _TRAILER_BYTES, uint8)
    if not _begin(srtp, owner, SEND_RTCP, read32(packet, 4), index):
        return 0
    write32(srtp.room, _TRAILER, _ENCRYPTED | index)
    cipher = srtp.keys[owner, SEND_RTCP * USE_WORDS + CIPHER]
    if not _crypt(srtp, cipher, place, _RTCP_HEADER, length, True, True):
        return 0
    write32(packet, length + TAG_BYTES, _ENCRYPTED | index)
    return length + TAG_BYTES + _TRAILER_BYTES


@part
def _unprotect_rtp(srtp: Srtp, owner: int, place: int, length: int) -> int:
    packet = carray(pointer(place), length, uint8)
    end = length - TAG_BYTES
    start = _payload(packet, end)
    if not start:
        return 0
    ssrc = read32(packet, 8)
    slot = slot_of(srtp.windows, owner, ssrc, RECEIVE, 0)
    index = _index(srtp.windows[slot, VALUE], read16(packet, 2))
    if not _has_room(srtp.windows, slot) or not _is_new(srtp.windows, slot, index):
        return 0
    cipher = srtp.keys[owner, RECEIVE * USE_WORDS + CIPHER]
    if not _begin(srtp, owner, RECEIVE, ssrc, index):
        return 0
    if not _crypt(srtp, cipher, place, start, end, False, False):
        return 0
    _note(srtp.windows, slot, index, owner, ssrc, RECEIVE)
    return end


@part
def _unprotect_rtcp(srtp: Srtp, owner: int, place: int, length: int) -> int:
    packet = carray(pointer(place), length, uint8)
    end = length - TAG_BYTES - _TRAILER_BYTES
    if end < _SHORTEST_RTCP:
        return 0
    trailer = read32(packet, length - _TRAILER_BYTES)
    if not trailer & _ENCRYPTED:
        return 0
    ssrc, index = read32(packet, 4), trailer & ~_ENCRYPTED
    slot = slot_of(srtp.windows, owner, ssrc, RECEIVE_RTCP, 0)
    if not _has_room(srtp.windows, slot) or not _is_new(srtp.windows, slot, index):
        return 0
    write32(srtp.room, _TRAILER, trailer)
    cipher = srtp.keys[owner, RECEIVE_RTCP * USE_WORDS + CIPHER]
    if not _begin(srtp, owner, RECEIVE_RTCP, ssrc, index):
        return 0
    if not _crypt(srtp, cipher, place, _RTCP_HEADER, end, True, False):
        return 0
    _note(srtp.windows, slot, index, owner, ssrc, RECEIVE_RTCP)
    return end


@part
def _by_libsrtp(srtp: Srtp, session: int, use: int, place: int, length: int) -> int:
    shortest = _SHORTEST_RTCP if use in (SEND_RTCP, RECEIVE_RTCP) else _SHORTEST_RTP
    if length < shortest:
        return 0
    at = address(srtp.room) + _LENGTH
    size = carray(pointer(at), 1, int32)
    size[0] = length
    if call(srtp.functions[use], (session, place, at)):
        return 0
    return int64(size[0])


@part
def protect(srtp: Srtp, owner: int, rtcp: bool, place: int, length: int) -> int:
    """Encrypt a packet for a transport, in place; there must be room for tag and trailer behind it.

    Returns the new length, 0 if it is refused, KEYLESS without keys.
    """
    if srtp.keys[owner, SEND * USE_WORDS + CIPHER]:
        if rtcp:
            return _protect_rtcp(srtp, owner, place, length)
        return _protect_rtp(srtp, owner, place, length)
    session = srtp.keys[owner, SESSION_OUT]
    if not session:
        return KEYLESS
    return _by_libsrtp(srtp, session, SEND_RTCP if rtcp else SEND, place, length)


@part
def unprotect(srtp: Srtp, owner: int, rtcp: bool, place: int, length: int) -> int:
    """Decrypt a packet of a transport, in place.

    Returns the new length, 0 for what is not authentic, was there before, or comes before the keys.
    """
    if srtp.keys[owner, RECEIVE * USE_WORDS + CIPHER]:
        if rtcp:
            return _unprotect_rtcp(srtp, owner, place, length)
        return _unprotect_rtp(srtp, owner, place, length)
    session = srtp.keys[owner, SESSION_IN]
    if not session:
        return 0
    return _by_libsrtp(srtp, session, RECEIVE_RTCP if rtcp else RECEIVE, place, length)


@compiled
def protect_one(
    packet: Bytes,
    length: int,
    owner: int,
    rtcp: bool,
    keys: Words2,
    windows: Words2,
    functions: Words,
    room: Bytes,
) -> int:
    """:func:`protect` for one packet."""
    return protect(srtp_of(keys, windows, functions, room), owner, rtcp, address(packet), length)


@compiled
def unprotect_one(
    packet: Bytes,
    length: int,
    owner: int,
    rtcp: bool,
    keys: Words2,
    windows: Words2,
    functions: Words,
    room: Bytes,
) -> int:
    """:func:`unprotect` for one packet."""
    return unprotect(srtp_of(keys, windows, functions, room), owner, rtcp, address(packet), length)
