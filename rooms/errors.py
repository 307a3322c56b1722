"""Why a join or an operation on rooms is refused. What goes wrong in a session is a message to the client instead.

::

    RoomsError
    ├── JoinRefused
    │   ├── InvalidJoin       no identity, no room, or a grant that is missing altogether
    │   ├── NotAllowed        asks for something that the token does not grant
    │   ├── LimitExceeded     metadata, attributes or a name too large
    │   ├── Revoked           the token's holder was removed from the room since it was issued
    │   ├── Banned            the identity or the address is banned
    │   ├── RoomLocked        a host lets nobody new in
    │   ├── RoomNotFound      the room does not exist (and may not be created by a join)
    │   ├── RoomFull          no place left: max_participants or max_rooms reached
    │   │   └── KeyExhausted  the API key has as many rooms or participants as it may
    │   └── ShuttingDown      the server takes nobody in any more
    ├── NotKept               done, but only until the server ends: it can't be written down
    └── OperationRefused
        ├── ParticipantNotFound
        ├── DispatchNotFound
        ├── BanNotFound
        ├── NotHost           only who may administer the room may ask for this
        ├── InvalidRequest    the request makes no sense, whatever the state of the room
        ├── NotNow            the configuration or the state of the room forbids it
        └── RpcError          a remote procedure call failed; with the SDKs' error code
            ├── InvalidRpc        no such method there, or a payload that is too long
            ├── RpcTimedOut       no acknowledgement or no response in time
            ├── RpcUnavailable    the recipient left
            ├── RpcUnsupported    the recipient's client knows no calls
            └── RpcFailed         the recipient's application answered with an error

Operations raise LimitExceeded, RoomNotFound, RoomFull and ShuttingDown as well.
"""


class RoomsError(Exception):
    """Base of every exception of this package."""


class JoinRefused(RoomsError):
    """The join is refused before anything was sent or created."""


class InvalidJoin(JoinRefused):
    """The request names no identity or no room."""


class NotAllowed(JoinRefused):
    """The token does not grant what the request asks for."""


class Revoked(JoinRefused):
    """The token is from before its holder was removed from the room."""


class Banned(JoinRefused):
    """Whoever comes is not wanted, whatever their token says."""


class RoomLocked(JoinRefused):
    """Only who was in the room when it was locked comes in."""


class LimitExceeded(JoinRefused):
    """The request carries more metadata or attributes than allowed."""


class RoomNotFound(JoinRefused):
    """The room does not exist; as for joins, rooms are not created on demand and the token may not create one."""

    def __init__(self, text: str = "requested room does not exist") -> None:
        super().__init__(text)


class RoomFull(JoinRefused):
    """The room has as many participants as it may have, or the server as many rooms."""


class KeyExhausted(RoomFull):
    """The API key has as many rooms or participants as it may have."""


class ShuttingDown(JoinRefused):
    """The server is stopping."""


class NotKept(RoomsError):
    """It was done and holds, but not beyond the server's end."""

    def __init__(self) -> None:
        super().__init__("done, but only until the server ends: it can't be written down")


class OperationRefused(RoomsError):
    """Nothing was changed."""


class ParticipantNotFound(OperationRefused):
    """Nobody of this identity is in the room."""

    def __init__(self) -> None:
        super().__init__("participant does not exist")


class DispatchNotFound(OperationRefused):
    """The room has no agent dispatch of this id."""

    def __init__(self) -> None:
        super().__init__("dispatch ID not found")


class BanNotFound(OperationRefused):
    """There is no ban of this id."""

    def __init__(self) -> None:
        super().__init__("there is no such ban")


class NotHost(OperationRefused):
    """Whoever asks may not administer the room."""

    def __init__(self) -> None:
        super().__init__("only a host may do this")


class InvalidRequest(OperationRefused):
    """The request makes no sense."""


class NotNow(OperationRefused):
    """Something about the server or the room has to be otherwise first."""


class RpcError(OperationRefused):
    """A remote procedure call failed. Codes and texts are the SDKs' own."""

    def __init__(self, code: int, message: str, data: str = "") -> None:
        super().__init__(f"RpcError {code}: {message}" + (f": {data}" if data else ""))
        self.code = code
        self.message = message
        self.data = data


class InvalidRpc(RpcError):
    """The caller asked for what can't be."""


class RpcTimedOut(RpcError):
    """Nothing came in time."""


class RpcUnavailable(RpcError):
    """The recipient is gone, or can't be reached."""


class RpcUnsupported(RpcError):
    """The recipient's client knows no remote procedure calls."""


class RpcFailed(RpcError):
    """The recipient's own error."""
