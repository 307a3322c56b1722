"""What is particular to one room: the server's defaults with what a token or an API call sets over them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from google.protobuf import json_format
from livekit.protocol import agent_dispatch
from livekit.protocol import room as room_messages

from .config import RoomConfig

MAX_PLAYOUT_DELAY_MS = 40_950
"""The header extension has twelve bits for steps of 10 ms."""


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """Durations in seconds."""

    empty_timeout_s: float
    departure_timeout_s: float
    max_participants: int
    """0 for no limit."""
    metadata: str = ""
    sync_streams: bool = False
    """Audio and video of one participant share a media stream, so that clients play them in step."""
    playout_delay_ms: tuple[int, int] | None = None
    """Least and most time that receivers are to hold video back before they show it; None leaves it to them."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Labels for whoever counts rooms; clients are not told."""
    agents: tuple[agent_dispatch.RoomAgentDispatch, ...] = ()
    """Agents to dispatch to the room when it is made."""
    egress: room_messages.RoomEgress | None = None
    """What is to be recorded of the room without being asked again."""

    @classmethod
    def from_config(cls, config: RoomConfig) -> Self:
        """The server's defaults."""
        delay = _playout_delay(config.playout_delay_min_ms, config.playout_delay_max_ms)
        return cls(
            config.empty_timeout_s,
            config.departure_timeout_s,
            config.max_participants,
            sync_streams=config.sync_streams,
            playout_delay_ms=(delay or (0, 0)) if config.playout_delay_enabled else None,
        )

    def overlaid(self, raw: Mapping[str, object] | None) -> Self:
        """With a token's ``roomConfig`` laid over; what it leaves at 0 stays, nonsense changes nothing."""
        if not raw:
            return self
        try:
            wish = json_format.ParseDict(
                dict(raw), room_messages.RoomConfiguration(), ignore_unknown_fields=True
            )
        except (json_format.ParseError, ValueError, RecursionError):
            return self
        return self.configured(wish)

    def configured(self, wish: room_messages.RoomConfiguration) -> Self:
        """With these wishes laid over; what is 0 or empty in them stays as it is."""
        return replace(
            self,
            empty_timeout_s=float(wish.empty_timeout) or self.empty_timeout_s,
            departure_timeout_s=float(wish.departure_timeout) or self.departure_timeout_s,
            max_participants=wish.max_participants or self.max_participants,
            metadata=wish.metadata or self.metadata,
            sync_streams=wish.sync_streams or self.sync_streams,
            playout_delay_ms=_playout_delay(wish.min_playout_delay, wish.max_playout_delay)
            or self.playout_delay_ms,
            tags={**self.tags, **wish.tags},
            agents=tuple(wish.agents) or self.agents,
            egress=wish.egress if wish.HasField("egress") else self.egress,
        )


def _playout_delay(least_ms: int, most_ms: int) -> tuple[int, int] | None:
    """A maximum of 0 is none; one below the minimum is the minimum."""
    if not least_ms and not most_ms:
        return None
    least = min(least_ms, MAX_PLAYOUT_DELAY_MS)
    most = min(most_ms or MAX_PLAYOUT_DELAY_MS, MAX_PLAYOUT_DELAY_MS)
    return least, max(least, most)
