import asyncio

import pytest
from livekit.protocol import models

from hubbub.api.rpc import perform_rpc
from rooms.administration import Administration
from rooms.errors import RpcFailed, RpcUnavailable
from sfu.control import SendData
from tests.harness.rooms import Guest, House


def answering(house: House, guest: Guest, **answer: object) -> None:
    (command,) = house.media.of(SendData)
    request = models.DataPacket.FromString(command.payload).rpc_request
    response = models.RpcResponse(request_id=request.id, **answer)
    guest.send_data(models.DataPacket(rpc_response=response).SerializeToString())


async def called(house: House) -> "asyncio.Task[str]":
    task = asyncio.create_task(perform_rpc(Administration(house.service), "room", "bob", "echo", "ping"))
    await asyncio.sleep(0)
    return task


async def test_the_answer_is_awaited() -> None:
    house = House()
    _, bob = house.pair()
    task = await called(house)
    answering(house, bob, payload="pong")
    assert await task == "pong"


async def test_an_error_is_raised() -> None:
    house = House()
    _, bob = house.pair()
    task = await called(house)
    answering(house, bob, error=models.RpcError(code=1234, message="no", data="why"))
    with pytest.raises(RpcFailed, match="RpcError 1234: no: why"):
        await task


async def test_somebody_who_leaves_is_unavailable() -> None:
    house = House()
    _, bob = house.pair()
    task = await called(house)
    bob.session.leave(models.CLIENT_INITIATED)
    with pytest.raises(RpcUnavailable):
        await task


async def test_who_waits_no_longer_leaves_nothing() -> None:
    house = House()
    house.pair()
    task = await called(house)
    room = house.service.room("room")
    assert room is not None
    assert room.rpc.pending
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not room.rpc.pending
