"""What happens in rooms, as LiveKit's webhook events."""

import json
from collections.abc import Callable

from google.protobuf import json_format
from livekit.protocol import models, webhook

Emit = Callable[[webhook.WebhookEvent], None]
"""Takes an event that lacks its id and its time; it may keep the message."""


class RoomEvents:
    """Hears rooms (``rooms.ports.RoomObserver``) and emits events.

    Track events carry the ids of room and participant only, as LiveKit's do; ``full_room`` puts the whole room in.
    """

    def __init__(self, emit: Emit, *, full_room: bool = False) -> None:
        self._emit = emit
        self._full_room = full_room

    def room_started(self, room: models.Room) -> None:
        """See RoomObserver."""
        self._emit(webhook.WebhookEvent(event="room_started", room=room))

    def room_finished(self, room: models.Room) -> None:
        """See RoomObserver."""
        self._emit(webhook.WebhookEvent(event="room_finished", room=room))

    def participant_joined(self, room: models.Room, participant: models.ParticipantInfo) -> None:
        """See RoomObserver."""
        self._emit(webhook.WebhookEvent(event="participant_joined", room=room, participant=participant))

    def participant_left(self, room: models.Room, participant: models.ParticipantInfo) -> None:
        """See RoomObserver."""
        self._emit(webhook.WebhookEvent(event="participant_left", room=room, participant=participant))

    def participant_aborted(self, room: models.Room, participant: models.ParticipantInfo) -> None:
        """See RoomObserver."""
        event = webhook.WebhookEvent(
            event="participant_connection_aborted", room=room, participant=participant
        )
        self._emit(event)

    def track_published(
        self, room: models.Room, participant: models.ParticipantInfo, track: models.TrackInfo
    ) -> None:
        """See RoomObserver."""
        self._emit_track("track_published", room, participant, track)

    def track_unpublished(
        self, room: models.Room, participant: models.ParticipantInfo, track: models.TrackInfo
    ) -> None:
        """See RoomObserver."""
        self._emit_track("track_unpublished", room, participant, track)

    def _emit_track(
        self, name: str, room: models.Room, participant: models.ParticipantInfo, track: models.TrackInfo
    ) -> None:
        event = webhook.WebhookEvent(
            event=name,
            room=room if self._full_room else models.Room(sid=room.sid, name=room.name),
            participant=models.ParticipantInfo(sid=participant.sid, identity=participant.identity),
            track=track,
        )
        self._emit(event)


def lane_of(event: webhook.WebhookEvent) -> str:
    """What an event is in order with: the job it is about, else its room (LiveKit's choice)."""
    return (
        event.egress_info.egress_id
        or event.ingress_info.ingress_id
        or event.room.name
        or event.participant.identity
        or event.track.sid
    )


def render(event: webhook.WebhookEvent) -> str:
    """The body of the request: protobuf's JSON in camel case, without what has its default."""
    return json.dumps(json_format.MessageToDict(event), ensure_ascii=False, separators=(",", ":"))
