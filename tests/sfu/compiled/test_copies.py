"""Copies are encrypted where they are written. What is in them: tests/sfu/forwarding/test_matrix.py."""

import numpy as np
import pytest

from sfu.compiled.copies import protect
from sfu.compiled.outgoing import (
    KEYLESS,
    PLAIN,
    PROTECTED,
    REFUSED,
    ROW_LENGTH,
    ROW_PEER,
    ROW_STATE,
)
from sfu.forwarding.arena import SendArena
from sfu.forwarding.downtracks import DownTrackTable
from sfu.forwarding.fan import fan_of
from sfu.forwarding.matrix import Lane
from sfu.net.peers import PeerTable
from sfu.net.srtp import AEAD_AES_128_GCM, AES128_CM_SHA1_80, SrtpKeys, SrtpPair, SrtpProfile
from tests.harness.forwarding import media

HEADER = b"\x80" + bytes(11)
TAG_BYTES = {AEAD_AES_128_GCM: 16, AES128_CM_SHA1_80: 10}


class Desk:
    """Peers with keys, one without, and a lane."""

    def __init__(self) -> None:
        self.peers = PeerTable(2)
        self.downs = DownTrackTable()
        self.arena = SendArena(16, 1536)
        self.lane = Lane(self.arena, self.downs, self.peers, lambda arena: None)
        self.profiles = list(TAG_BYTES)
        self.theirs = [SrtpPair(profile, *_keys(profile)) for profile in self.profiles]
        for profile in self.profiles:
            self.peers.srtp.use(self.peers.allocate(), SrtpKeys(profile, *_keys(profile)))
        self.keyless = self.peers.allocate()
        self.fan = fan_of(np.array([self._down(peer) for peer in range(3)], np.int32))

    def _down(self, peer: int) -> int:
        row = self.downs.allocate(peer, 70 + peer)
        self.downs.set_payload_types(row, (96, 97))
        return row

    def send(self, number: int, payload: bytes) -> None:
        self.lane.add(HEADER, 0, number, media(payload=payload), self.fan, 1)
        self.lane.expand()

    @property
    def states(self) -> list[int]:
        return self.arena.rows[: self.arena.count, ROW_STATE].tolist()


def _keys(profile: SrtpProfile) -> tuple[bytes, bytes]:
    key = bytes(profile.key_size + profile.salt_size)
    return key, key


@pytest.mark.parametrize("size", [0, 1, 100, 1536 - 16 - 12])
def test_each_copy_is_encrypted_for_its_peer(size: int) -> None:
    desk = Desk()
    payload = bytes(range(256)) * 6
    desk.send(1, payload[:size])
    assert desk.states == [PROTECTED, PROTECTED, KEYLESS]
    assert desk.arena.unusual == 1
    for peer, profile in enumerate(desk.profiles):
        data = bytes(desk.arena.packet(peer))
        assert len(data) == 12 + size + TAG_BYTES[profile]
        plain = desk.theirs[peer].unprotect(data)
        assert plain is not None
        assert (plain[8:12], plain[12:]) == ((70 + peer).to_bytes(4, "big"), payload[:size])
    assert bytes(desk.arena.packet(2))[12:] == payload[:size], "in the clear"


def test_what_libsrtp_refuses_is_told() -> None:
    desk = Desk()
    desk.send(1, b"one")
    desk.send(1, b"the same number")
    assert desk.states == [PROTECTED, PROTECTED, KEYLESS, REFUSED, REFUSED, KEYLESS]
    assert desk.arena.unusual == 4


def test_finished_packets_are_encrypted_and_no_others() -> None:
    desk = Desk()
    desk.send(1, b"copy")
    before = [bytes(desk.arena.packet(row)) for row in range(3)]
    desk.arena.append(1, b"\x80\x60\0\7" + bytes(8) + b"again")
    desk.arena.append(desk.keyless, b"\x80\x60\0\7" + bytes(8) + b"again")
    assert desk.states[3:] == [PLAIN, PLAIN]
    assert desk.arena.plain == 2
    arena = desk.arena
    assert protect(arena.rows, arena.count, arena.memory, False, *desk.peers.srtp.tables(2)) == 1
    assert desk.states[3:] == [PROTECTED, KEYLESS]
    assert [bytes(arena.packet(row)) for row in range(3)] == before
    plain = desk.theirs[1].unprotect(bytes(arena.packet(3)))
    assert plain is not None
    assert plain.endswith(b"again")
    assert arena.rows[3:5, [ROW_LENGTH, ROW_PEER]].tolist() == [[12 + 5 + 10, 1], [12 + 5, desk.keyless]]
