import asyncio

import pytest
from livekit import rtc

from tests.harness.clients import Join, both_modes


@both_modes
async def test_a_call_reaches_its_method_and_comes_back(join: Join) -> None:
    async with join("alice") as alice, join("bob") as bob:
        bob.me.register_rpc_method("shout", lambda call: f"{call.caller_identity}: {call.payload.upper()}")
        await asyncio.gather(alice.sees("bob"), bob.sees("alice"))
        for payload in ("hello", "x" * 40_000):
            answer = await alice.me.perform_rpc(destination_identity="bob", method="shout", payload=payload)
            assert answer == f"alice: {payload.upper()}"


async def test_an_error_of_the_method_reaches_the_caller(join: Join) -> None:
    async def refuse(call: rtc.RpcInvocationData) -> str:
        raise rtc.RpcError(1234, "no", "details")

    async with join("alice") as alice, join("bob") as bob:
        bob.me.register_rpc_method("refuse", refuse)
        await asyncio.gather(alice.sees("bob"), bob.sees("alice"))
        with pytest.raises(rtc.RpcError) as refused:
            await alice.me.perform_rpc(destination_identity="bob", method="refuse", payload="")
        assert (refused.value.code, refused.value.message, refused.value.data) == (1234, "no", "details")
        with pytest.raises(rtc.RpcError) as unknown:
            await alice.me.perform_rpc(destination_identity="bob", method="missing", payload="")
        assert unknown.value.code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD
