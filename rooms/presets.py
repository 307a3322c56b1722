"""Named settings of rooms, which an API call or a token names instead of spelling them out."""

from dataclasses import dataclass

from livekit.protocol import room as room_messages


@dataclass(frozen=True, slots=True)
class Preset:
    """What a room is made with under this name; what the call or token says itself goes over it."""

    name: str
    configuration: room_messages.RoomConfiguration
