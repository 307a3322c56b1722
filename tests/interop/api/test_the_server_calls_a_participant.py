import asyncio
import time

import pytest
from livekit import api, rtc
from livekit.api import LiveKitAPI
from livekit.protocol import room as messages

from tests.harness.clients import Join, both_modes, joined
from tests.harness.server import Server


async def perform(
    admin: LiveKitAPI, server: Server, room: str, method: str, payload: str = "ping", timeout_ms: int = 5000
) -> str:
    grants = api.VideoGrants(room_admin=True, room=room)
    token = api.AccessToken(server.api_key, server.api_secret).with_grants(grants).to_jwt()
    request = messages.PerformRpcRequest(
        room=room,
        destination_identity="bob",
        method=method,
        payload=payload,
        response_timeout_ms=timeout_ms,
    )
    headers = {"Authorization": f"Bearer {token}"}
    client = admin.room._client
    answer = await client.request("RoomService", "PerformRpc", request, headers, messages.PerformRpcResponse)
    return str(answer.payload)


@both_modes
async def test_a_method_answers(admin: LiveKitAPI, server: Server, join: Join, room: str) -> None:
    async with join("bob") as bob:
        bob.me.register_rpc_method("shout", lambda call: call.payload.upper())
        answers = await asyncio.gather(*(perform(admin, server, room, "shout", f"n{n}") for n in range(10)))
        assert answers == [f"N{n}" for n in range(10)]
        assert await perform(admin, server, room, "shout", "x" * 15_000) == "X" * 15_000


async def test_what_goes_wrong_has_a_code(admin: LiveKitAPI, server: Server, room: str) -> None:
    async def refuse(call: rtc.RpcInvocationData) -> str:
        raise rtc.RpcError(1234, "no", "data!")

    async def dawdle(call: rtc.RpcInvocationData) -> str:
        await asyncio.sleep(30)
        return ""

    admin.room._client._failover = False
    async with joined(server, room, "bob") as bob:
        bob.me.register_rpc_method("refuse", refuse)
        bob.me.register_rpc_method("dawdle", dawdle)
        for method, payload, code, text in (
            ("missing", "", "invalid_argument", "1400"),
            ("refuse", "", "internal", "RpcError 1234: no: data!"),
            ("refuse", "x" * 16_000, "invalid_argument", "1402"),
            ("dawdle", "", "canceled", "1502"),
        ):
            began = time.monotonic()
            with pytest.raises(api.ServerError) as refused:
                await perform(admin, server, room, method, payload, 500)
            assert (refused.value.code, text in refused.value.message) == (code, True)
            assert time.monotonic() - began < 3
        waiting = asyncio.create_task(perform(admin, server, room, "dawdle"))
        await asyncio.sleep(0.5)
    with pytest.raises(api.ServerError) as left:
        await waiting
    assert (left.value.code, left.value.message) == ("unavailable", "RpcError 1503: Recipient disconnected")
