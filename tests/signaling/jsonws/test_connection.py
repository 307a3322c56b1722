"""What can't be timed from outside; the rest of the connection is tested through its door."""

import asyncio

from livekit.protocol import models

from auth.grants import Claims, VideoGrant
from rooms.errors import RoomLocked
from rooms.join import JoinRequest
from rooms.ports import SignalSink
from rooms.session import Session
from signaling.config import SignalingConfig
from signaling.jsonws.connection import JsonConnection


class SlowRooms:
    """Takes its time, and then nobody in."""

    def __init__(self) -> None:
        self.decision = asyncio.Event()

    async def admit(self, request: JoinRequest) -> None:
        await self.decision.wait()
        raise RoomLocked("the room is locked")

    def join(self, request: JoinRequest, sink: SignalSink) -> Session:
        raise AssertionError

    def resume(self, request: JoinRequest, sink: SignalSink) -> Session | None:
        raise AssertionError


async def test_who_is_gone_before_the_join_is_refused_leaves_no_error() -> None:
    rooms = SlowRooms()
    claims = Claims(identity="ann", video=VideoGrant(room_join=True, room="kitchen"))
    connection = JsonConnection(SignalingConfig(), rooms, claims, lambda _: claims, models.ClientInfo())
    connection._handle('{"type": "join_room"}')
    (join,) = connection._joining
    await asyncio.sleep(0)
    connection.connection_lost(None)
    rooms.decision.set()
    assert await join is None
