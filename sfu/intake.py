"""Media of a large batch, taken by column. What is no media of a known peer is left to the tick."""

from typing import Any

import numpy as np

from sfu.decryption import Decryption, good
from sfu.forwarding.bulk import Arrived, Bulk
from sfu.forwarding.layout_table import HEAD_BYTES
from sfu.mux import Mux
from sfu.net.arrays import Bools, Int64s, UInt8s, UInt64s
from sfu.net.lookup import MISSING
from sfu.net.peers import PeerTable
from sfu.net.udp import ROW_BYTES, UdpPort

MANY = 64
"""From so many datagrams on columns are faster than one packet after the other."""
_SHORTEST_RTP = 12


class Intake:
    """Decrypts and passes on what a port has filled its rows with."""

    def __init__(self, mux: Mux, peers: PeerTable, bulk: Bulk, decryption: Decryption) -> None:
        self._mux = mux
        self._peers = peers
        self._bulk = bulk
        self._decryption = decryption
        self.rejected = 0
        """Packets that failed authentication."""

    def take(
        self, port: UdpPort, columns: tuple[UInt64s, Int64s, Int64s], pointers: list[Any], now: float
    ) -> Bools:
        """Take the media of a batch; returns which rows it was."""
        keys, lengths, arrivals_us = columns
        heads = np.ascontiguousarray(port.rows[: len(keys), :HEAD_BYTES])
        media = _is_rtp(heads) & (lengths >= _SHORTEST_RTP)
        owners = self._mux.rows[port.index].find(keys)
        media &= owners != MISSING
        taken = np.flatnonzero(media)
        sessions = [self._peers.srtp_in[owner] for owner in owners[taken].tolist()]
        if None in sessions:  # no keys yet
            taken = taken[[session is not None for session in sessions]]
            sessions = [session for session in sessions if session is not None]
        media[:] = False
        media[taken] = True
        packets = [pointers[row] for row in taken.tolist()]
        statuses, sizes = self._decryption.run(sessions, packets, lengths[taken])
        authentic = good(statuses)
        if authentic is not None:
            self.rejected += len(taken) - len(authentic)
            taken, sizes = taken[authentic], sizes[authentic]
        if len(taken):
            self._bulk.receive(
                Arrived(
                    port.memory,
                    taken * ROW_BYTES,
                    heads[taken],
                    sizes.astype(np.int64),
                    owners[taken],
                    arrivals_us[taken],
                ),
                now,
            )
        return media


def _is_rtp(heads: UInt8s) -> Bools:
    """Sorted as RFC 7983 and RFC 5761 say."""
    is_rtp: Bools = (heads[:, 0] >> 6 == 2) & ((heads[:, 1] < 192) | (heads[:, 1] > 223))
    return is_rtp
