"""Waiting until bans and removals are on disk."""

import asyncio

from rooms.bans import Bans
from rooms.errors import NotKept


async def kept(bans: Bans) -> None:
    """Return when all bans and revocations so far outlive the process. Raises NotKept where they can't."""
    outcome: asyncio.Future[NotKept | None] = asyncio.get_running_loop().create_future()

    def tell(error: NotKept | None) -> None:
        if not outcome.done():
            outcome.set_result(error)

    bans.when_kept(tell)
    if (error := await outcome) is not None:
        raise error
