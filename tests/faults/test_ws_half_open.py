"""Fault 80 with real rooms: connections that vanish, come back at once, and come twice."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from livekit.protocol import models, rtc

from rooms.config import RoomConfig
from tests.faults.conftest import token
from tests.harness.eventually import PATIENCE_S
from tests.harness.http_server import serving
from tests.harness.rooms import House


class Door:
    """Opens signal connections to real rooms."""

    def __init__(self, url: str, client: aiohttp.ClientSession, house: House) -> None:
        self._url = url
        self._client = client
        self.house = house

    async def open(self, identity: str, **params: str) -> aiohttp.ClientWebSocketResponse:
        params = {"access_token": token(identity), "protocol": "17"} | params
        return await self._client.ws_connect(self._url, params=params)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    house = House(RoomConfig())
    async with serving(house.service) as port, aiohttp.ClientSession() as client:
        yield Door(f"http://127.0.0.1:{port}/rtc", client, house)


async def receive(socket: aiohttp.ClientWebSocketResponse, kind: str) -> rtc.SignalResponse:
    """The next message of a kind."""
    while True:
        message = rtc.SignalResponse.FromString(await socket.receive_bytes(timeout=5))
        if message.WhichOneof("message") == kind:
            return message


async def test_the_second_of_two_at_once_stays(door: Door) -> None:
    first, second = await asyncio.gather(door.open("ann"), door.open("ann"))
    async with asyncio.timeout(PATIENCE_S):
        sockets = {first, second}
        joined = [(await receive(socket, "join")).join.participant.sid for socket in (first, second)]
        assert joined[0] != joined[1]
        (session,) = door.house.service.room("r").sessions.values()  # type: ignore[union-attr]
        loser = first if session.participant.sid == joined[1] else second
        assert (await receive(loser, "leave")).leave.reason == models.DisconnectReason.DUPLICATE_IDENTITY
        assert (await loser.receive()).type is aiohttp.WSMsgType.CLOSE
        (winner,) = sockets - {loser}
        await winner.send_bytes(rtc.SignalRequest(ping=1).SerializeToString())
        await receive(winner, "pong")


async def test_the_late_end_of_a_replaced_connection_touches_nobody(door: Door) -> None:
    half_open = await door.open("ann")
    sid = (await receive(half_open, "join")).join.participant.sid
    back = await door.open("ann", reconnect="1", sid=sid)
    first = rtc.SignalResponse.FromString(await back.receive_bytes(timeout=5))
    assert first.HasField("reconnect")
    await half_open.close()
    await back.send_bytes(rtc.SignalRequest(ping=1).SerializeToString())
    await receive(back, "pong")
    assert door.house.service.room("r").sessions["ann"].signal.connected  # type: ignore[union-attr]


async def test_twenty_resumes_in_a_row_leave_one_session(door: Door) -> None:
    socket = await door.open("ann")
    sid = (await receive(socket, "join")).join.participant.sid
    for _ in range(20):
        socket = await door.open("ann", reconnect="1", sid=sid)
        await receive(socket, "reconnect")
    (session,) = door.house.service.room("r").sessions.values()  # type: ignore[union-attr]
    assert session.participant.sid == sid


async def test_a_resume_of_somebody_else_gets_nothing_of_theirs(door: Door) -> None:
    ann = await door.open("ann")
    sid = (await receive(ann, "join")).join.participant.sid
    bob = await door.open("bob", reconnect="1", sid=sid)
    assert (await receive(bob, "leave")).leave.action == rtc.LeaveRequest.Action.RECONNECT
    await ann.send_bytes(rtc.SignalRequest(ping=1).SerializeToString())
    await receive(ann, "pong")
