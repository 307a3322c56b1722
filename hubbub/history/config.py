"""How much is remembered."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HistoryConfig:
    """Rooms of the past."""

    enabled: bool = True
    """Remember rooms, their participants and tracks: who was there, when, and what was published."""
    keep_s: float = 30 * 24 * 3600.0
    """How long a room is remembered after its end."""
    max_rows: int = 1_000_000
    """Rooms, participants and tracks that are remembered together; the oldest rooms go first."""
