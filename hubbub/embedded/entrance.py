"""Where participants inside the server come in."""

from livekit.protocol import models

from auth.grants import Claims
from hubbub.room_clock import TimedRooms
from hubbub.version import VERSION
from rooms.join import JoinRequest
from sfu.pool import LocalPool

from .errors import NotJoined
from .local_participant import LocalParticipant
from .resident import Resident

PROTOCOL = 16
"""Of signalling; what is spoken here."""


class Entrance:
    """Joins rooms as the signalling door does it for others, hooks included."""

    def __init__(self, rooms: TimedRooms, pool: LocalPool) -> None:
        self._rooms = rooms
        self._pool = pool

    async def join(self, claims: Claims) -> LocalParticipant:
        """Join the room of these claims. Raises JoinRefused or NotJoined."""
        client = models.ClientInfo(sdk=models.ClientInfo.PYTHON, version=VERSION, protocol=PROTOCOL)
        request = JoinRequest(claims, client=client, auto_subscribe=False)
        await self._rooms.admit(request)
        resident = Resident()
        session = self._rooms.join(request, resident)
        tap = self._pool.tap(session.legs.publishing, resident)
        if tap is None:
            session.leave(models.JOIN_FAILURE)
            raise NotJoined("the server has as many connections as it may")
        await resident.begin(session, tap)
        return LocalParticipant(resident)
