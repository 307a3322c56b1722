"""Identifiers of rooms, participants, tracks and so on: a prefix and twelve base-57 characters."""

from collections.abc import Callable

_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
"""Base 57: no character that reads like another."""
_LENGTH = 12
_ENTROPY_BYTES = 16

MAX_CHARS = 64
"""A longer one is none of ours, and nothing is remembered under it."""

ROOM = "RM_"
PARTICIPANT = "PA_"
TRACK = "TR_"
DATA_TRACK = "DTR_"
WORKER = "AW_"
JOB = "AJ_"
DISPATCH = "AD_"
BAN = "BN_"


class Ids:
    """Makes identifiers from the entropy it is given (``secrets.token_bytes`` in a server)."""

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self.entropy = entropy
        """Random bytes, as many as asked for."""

    def make(self, prefix: str) -> str:
        """A new identifier such as ``PA_crL2dJ4n3N7s``; the SDKs insist on the prefix."""
        number = int.from_bytes(self.entropy(_ENTROPY_BYTES), "big")
        characters = []
        for _ in range(_LENGTH):
            number, index = divmod(number, len(_ALPHABET))
            characters.append(_ALPHABET[index])
        return prefix + "".join(characters)

    def number(self, lowest: int, highest: int) -> int:
        """A number between two bounds, both included."""
        span = highest - lowest + 1
        return lowest + int.from_bytes(self.entropy(_ENTROPY_BYTES), "big") % span
