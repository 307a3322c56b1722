"""``/api/rooms``."""

import heapq

from livekit.protocol import room as messages

from hubbub.api.errors import Code
from hubbub.api.turns import in_turns
from rooms.administration import Administration, RoomChange

from . import models
from .credentials import key_of
from .endpoint import Call, Endpoint

_TAG = "Rooms"


class RoomEndpoints:
    """Create, list, get, update and delete rooms."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    def endpoints(self) -> list[Endpoint]:
        """In the order of the document."""
        one = "/api/rooms/{room}"
        return [
            Endpoint(
                "POST", "/api/rooms", "Create a room; one that exists stays as it is", _TAG, self.create,
                models.Room, models.CreateRoom, status=201, needs="roomCreate",
            ),
            Endpoint(
                "GET", "/api/rooms", "List rooms by name", _TAG, self.list, models.RoomList,
                query=models.RoomListQuery, needs="roomList",
            ),
            Endpoint(
                "GET", one, "Get a room", _TAG, self.get, models.Room, needs="roomAdmin",
                errors=(Code.NOT_FOUND,),
            ),
            Endpoint(
                "PATCH", one, "Change a room", _TAG, self.update, models.Room, models.UpdateRoom,
                needs="roomAdmin", errors=(Code.NOT_FOUND,),
            ),
            Endpoint(
                "DELETE", one, "End a room for everybody", _TAG, self.delete, needs="roomCreate",
                errors=(Code.NOT_FOUND,),
            ),
        ]  # fmt: skip

    def create(self, call: Call) -> models.Room:
        """Needs roomCreate."""
        call.by.require_room_create()
        body: models.CreateRoom = call.body
        wish = messages.RoomConfiguration(
            metadata=body.metadata,
            empty_timeout=body.empty_timeout_s or 0,
            departure_timeout=body.departure_timeout_s or 0,
            max_participants=body.max_participants or 0,
            tags=body.tags,
        )
        return models.Room.of(self._administration.create_room(body.name, wish, api_key=key_of(call.by)))

    async def list(self, call: Call) -> models.RoomList:
        """Needs roomList."""
        call.by.require_room_list()
        query: models.RoomListQuery = call.query
        names = heapq.nsmallest(
            query.limit + 1, (name for name in self._administration.room_names() if name > query.after)
        )
        shown = names[: query.limit]
        rooms: list[models.Room] = []
        if shown:
            found = in_turns(self._administration.each_room(shown))
            rooms = [models.Room.of(room) async for room in found]
        return models.RoomList(rooms=rooms, next_after=shown[-1] if len(names) > len(shown) else None)

    def get(self, call: Call) -> models.Room:
        """Needs roomAdmin of the room."""
        return models.Room.of(self._administration.room(call.administered_room()).info())

    def update(self, call: Call) -> models.Room:
        """Needs roomAdmin of the room."""
        body: models.UpdateRoom = call.body
        change = RoomChange(
            body.metadata, body.empty_timeout_s, body.departure_timeout_s, body.max_participants
        )
        return models.Room.of(self._administration.update_room(call.administered_room(), change))

    def delete(self, call: Call) -> None:
        """Needs roomCreate."""
        call.by.require_room_create()
        self._administration.delete_room(call.path["room"])
