"""Waiting for a participant's answer to a call."""

import asyncio

from rooms.administration import Administration
from rooms.errors import RpcError
from rooms.rpc import DEFAULT_TIMEOUT_S


async def perform_rpc(
    administration: Administration,
    room: str,
    identity: str,
    method: str,
    payload: str,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> str:
    """Call a method of a participant and return its answer.

    Raises RoomNotFound, ParticipantNotFound, NotNow, or an RpcError.
    """
    answer: asyncio.Future[str | RpcError] = asyncio.get_running_loop().create_future()

    def done(outcome: str | RpcError) -> None:
        if not answer.done():
            answer.set_result(outcome)

    call = administration.start_rpc(room, identity, method, payload, timeout_s, done)
    try:
        outcome = await answer
    finally:
        call.cancel()
    if isinstance(outcome, RpcError):
        raise outcome
    return outcome
