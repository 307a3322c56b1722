"""A server's rooms and the people in them as Python objects, for programs that run Hubbub inside themselves.

::

    async with Server(config) as server:
        room = server.rooms.create("kitchen", max_participants=8)
        invitation = room.token("ann", name="Ann")
        async for event in server.events():
            print(event.kind, event.room.name, event.participant)
"""

from .events import Event, EventKind, Events
from .local_participant import LocalParticipant
from .local_tracks import LocalAudioTrack, LocalVideoTrack
from .resident import Data
from .rooms import Participant, Room, Rooms, Track

__all__ = [
    "Data",
    "Event",
    "EventKind",
    "Events",
    "LocalAudioTrack",
    "LocalParticipant",
    "LocalVideoTrack",
    "Participant",
    "Room",
    "Rooms",
    "Track",
]
