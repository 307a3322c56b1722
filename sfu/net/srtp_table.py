"""Keys by transport and windows by SSRC, for compiled loops: see :mod:`sfu.compiled.srtp`."""

import numpy as np

from sfu.compiled import places
from sfu.compiled.srtp import (
    CIPHER,
    FUNCTIONS,
    INIT,
    KEY_WORDS,
    RECEIVE,
    RECEIVE_RTCP,
    ROOM_BYTES,
    SALT,
    SALT_INDEX,
    SALT_SSRC,
    SEND,
    SESSION_IN,
    SESSION_OUT,
    STATE_WORDS,
    USE_WORDS,
    USES,
    protect_one,
    unprotect_one,
)
from sfu.net import gcm, srtp
from sfu.net.arrays import AnyArray, Int64s, UInt8s, grown
from sfu.net.gcm import GcmKeys
from sfu.net.lookup import Lookup
from sfu.net.places import Place
from sfu.net.srtp import SrtpKeys, SrtpPair

Tables = tuple[Int64s, Int64s, Int64s, UInt8s]
"""What compiled loops take; tables move when they grow, so for one call only."""


class SrtpTable:
    """Rows are transports, as in :class:`sfu.net.peers.PeerTable`; a row may have keys."""

    def __init__(self, capacity: int) -> None:
        self._keys: Int64s = np.zeros((capacity, KEY_WORDS), np.int64)
        self._keys_place = Place(self._keys)
        self._windows = Lookup(STATE_WORDS)
        self._functions: Int64s = np.zeros(FUNCTIONS, np.int64)
        self._functions[: len(USES)] = (
            srtp.PROTECT, srtp.PROTECT_RTCP, srtp.UNPROTECT, srtp.UNPROTECT_RTCP,
        )  # fmt: skip
        self._functions[INIT:] = gcm.FUNCTIONS
        self._room: UInt8s = np.zeros(ROOM_BYTES, np.uint8)
        self.places: dict[int, Place | AnyArray] = {
            places.KEYS: self._keys_place,
            places.WINDOWS: self._windows.place,
            places.FUNCTIONS: self._functions,
            places.ROOM: self._room,
        }
        """What a list for compiled loops begins with."""
        self.reserve = self._windows.reserve
        """To be called before compiled loops protect or unprotect so many packets by a list of places."""
        self._held: dict[int, GcmKeys | SrtpPair] = {}
        """By row: what the numbers in ``_keys`` point to."""

    def tables(self, packets: int) -> Tables:
        """For protecting or unprotecting so many packets."""
        self.reserve(packets)
        return self._keys, self._windows.table, self._functions, self._room

    def grow(self) -> None:
        """Have twice as many rows."""
        self._keys = grown(self._keys)
        self._keys_place.move(self._keys)

    def keyed(self, row: int) -> bool:
        """Whether a row has keys."""
        return row in self._held

    def use(self, row: int, keys: SrtpKeys) -> None:
        """Encrypt and decrypt with these keys until the row is released. Raises SrtpError if they are none."""
        self.release(row)
        if gcm.takes(keys.profile):
            self._use_gcm(row, GcmKeys(keys))
        else:
            pair = self._held[row] = SrtpPair(keys.profile, keys.rx_key, keys.tx_key)
            self._keys[row, SESSION_OUT] = srtp.location(pair.tx_ptr)
            self._keys[row, SESSION_IN] = srtp.location(pair.rx_ptr)

    def _use_gcm(self, row: int, held: GcmKeys) -> None:
        self._held[row] = held
        for use in USES:
            words = self._keys[row, use * USE_WORDS : (use + 1) * USE_WORDS]
            salt = held.salts[use]
            words[CIPHER] = held.context(use)
            words[SALT], words[SALT_SSRC], words[SALT_INDEX] = (
                int.from_bytes(part, "big") for part in (salt[:2], salt[2:6], salt[6:])
            )

    def release(self, row: int) -> None:
        """Forget a row's keys, and all that was sent and received under them."""
        if self._held.pop(row, None) is None:
            return
        self._keys[row] = 0
        table = self._windows.table[:-1]
        for key in table[(table[:, 0] == row) & (table[:, 4] >= 0), :4].tolist():
            self._windows.drop(tuple(key))

    def forget_sent(self, row: int, ssrc: int) -> None:
        """Forget an SSRC that we sent; no packet may be sent under it any more."""
        held = self._held.get(row)
        if isinstance(held, SrtpPair):
            held.remove_stream(ssrc)
        self._windows.drop((row, ssrc, SEND, 0))

    def forget_received(self, row: int, ssrc: int) -> None:
        """Forget an SSRC that the peer sent; it would have to begin afresh."""
        held = self._held.get(row)
        if isinstance(held, SrtpPair):
            held.forget_received(ssrc)
        self._windows.drop((row, ssrc, RECEIVE, 0))
        self._windows.drop((row, ssrc, RECEIVE_RTCP, 0))

    def protect(self, row: int, packet: bytes, *, rtcp: bool = False) -> bytes | None:
        """Encrypt one packet; None if it is refused, or the row has no keys."""
        memory = np.frombuffer(packet.ljust(len(packet) + srtp.RTCP_OVERHEAD, b"\0"), np.uint8).copy()
        length = protect_one(memory, len(packet), row, rtcp, *self.tables(1))
        return memory[:length].tobytes() if length > 0 else None

    def unprotect(self, row: int, packet: bytes, *, rtcp: bool = False) -> bytes | None:
        """Decrypt one packet; None if it is forged, replayed or too short, or the row has no keys."""
        memory = np.frombuffer(packet, np.uint8).copy()
        length = unprotect_one(memory, len(packet), row, rtcp, *self.tables(1))
        return memory[:length].tobytes() if length > 0 else None
