"""Decrypting a batch of packets in place."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from sfu.net import srtp
from sfu.net.arrays import Int32s, Int64s


class Decryption:
    """Keeps the lengths that libsrtp reads and writes."""

    def __init__(self) -> None:
        self._lengths: Int32s = np.zeros(0, np.int32)
        self._pointers: list[Any] = []

    def run(
        self, sessions: list[Any], packets: Iterable[Any], lengths: list[int] | Int64s
    ) -> tuple[list[int], Int32s]:
        """Decrypt packets, given by their sessions, pointers to them and lengths; returns statuses (0 is good) and
        lengths, which are valid until the next call."""
        count = len(sessions)
        if count > len(self._pointers):
            self._lengths = np.zeros(count, np.int32)
            base = srtp.ffi.cast("int *", self._lengths.ctypes.data)
            self._pointers = [base + index for index in range(count)]
        self._lengths[:count] = lengths
        return list(map(srtp.unprotect, sessions, packets, self._pointers)), self._lengths[:count]


def good(statuses: list[int]) -> Int64s | None:
    """Which packets were authentic; None if all were."""
    if not any(statuses):
        return None
    return np.flatnonzero(np.array(statuses) == 0)
