"""How much the holders of an API key may have and send, and the books that are kept of it."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import KeyExhausted


@dataclass(frozen=True, slots=True)
class Limits:
    """What one API key's rooms and participants may have; 0 is no limit. limit.keys changes it for single keys."""

    key_rooms: int = 0
    """Most rooms at a time that were made with one API key. 0 for no limit."""
    key_participants: int = 0
    """Most participants at a time with tokens of one API key, agents and recorders not counted. 0 for no limit."""
    room_participants: int = 0
    """Most participants of a room, whatever a token or the server API says. 0 for no limit."""
    room_tracks: int = 0
    """Most tracks of a room, published or announced. 0 for no limit."""
    participant_tracks: int = 0
    """Most tracks of a participant; limit.max_tracks holds too. 0 for no limit."""
    participant_messages_per_s: float = 0.0
    """Most data messages of a participant in a second. 0 for no limit."""
    participant_bytes_per_s: float = 0.0
    """Most bytes of data messages of a participant in a second. 0 for no limit."""
    room_messages_per_s: float = 0.0
    """Most data messages of all participants of a room in a second. 0 for no limit."""
    room_bytes_per_s: float = 0.0
    """Most bytes of data messages of all participants of a room in a second. 0 for no limit."""


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What is different for one API key."""

    key: str
    changes: tuple[tuple[str, float], ...]
    """Names of Limits and their values."""

    def applied(self, limits: Limits) -> Limits:
        """The limits of this key."""
        changes: dict[str, Any] = dict(self.changes)
        return replace(limits, **changes)


@dataclass(slots=True)
class Usage:
    """How much of what is limited each API key has at present."""

    rooms: Counter[str] = field(default_factory=Counter)
    participants: Counter[str] = field(default_factory=Counter)

    def check_room(self, key: str, limits: Limits) -> None:
        """Raise KeyExhausted when another room is too many."""
        if key and 0 < limits.key_rooms <= self.rooms[key]:
            raise KeyExhausted(f"API key {key} has as many rooms as it may: {limits.key_rooms}")

    def check_participant(self, key: str, limits: Limits) -> None:
        """Raise KeyExhausted when another participant is too many."""
        if 0 < limits.key_participants <= self.participants[key]:
            raise KeyExhausted(f"API key {key} has as many participants as it may: {limits.key_participants}")

    def change(self, counts: Counter[str], key: str, by: int) -> None:
        """Count one more or one less; nothing is kept of keys that have none."""
        counts[key] += by
        if not counts[key]:
            del counts[key]


def smallest(*limits: int) -> int:
    """The one that holds where several do; 0 is none."""
    return min((limit for limit in limits if limit), default=0)
