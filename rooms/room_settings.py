"""What is particular to one room: the server's defaults with what a token or an API call sets over them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from google.protobuf import json_format
from livekit.protocol import room as room_messages

from .config import RoomConfig


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

    @classmethod
    def from_config(cls, config: RoomConfig) -> Self:
        """The server's defaults."""
        return cls(config.empty_timeout_s, config.departure_timeout_s, config.max_participants)

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
        return replace(
            self,
            empty_timeout_s=float(wish.empty_timeout) or self.empty_timeout_s,
            departure_timeout_s=float(wish.departure_timeout) or self.departure_timeout_s,
            max_participants=wish.max_participants or self.max_participants,
            metadata=wish.metadata or self.metadata,
            sync_streams=wish.sync_streams or self.sync_streams,
        )
