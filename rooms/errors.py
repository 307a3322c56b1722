"""Why a join is refused. Everything that goes wrong later is a message to the client, not an exception.

::

    RoomsError
    └── JoinRefused
        ├── InvalidJoin      no identity, no room, or a grant that is missing altogether
        ├── NotAllowed       asks for something that the token does not grant
        ├── LimitExceeded    metadata or attributes too large
        ├── RoomNotFound     the room does not exist and may not be created
        ├── RoomFull         no place left: max_participants or max_rooms reached
        └── ShuttingDown     the server takes nobody in any more
"""


class RoomsError(Exception):
    """Base of every exception of this package."""


class JoinRefused(RoomsError):
    """The join is refused before anything was sent or created."""


class InvalidJoin(JoinRefused):
    """The request names no identity or no room."""


class NotAllowed(JoinRefused):
    """The token does not grant what the request asks for."""


class LimitExceeded(JoinRefused):
    """The request carries more metadata or attributes than allowed."""


class RoomNotFound(JoinRefused):
    """The room does not exist, rooms are not created on demand, and the token may not create one."""


class RoomFull(JoinRefused):
    """The room has as many participants as it may have, or the server as many rooms."""


class ShuttingDown(JoinRefused):
    """The server is stopping."""
