import asyncio

from tests.harness.clients import joined
from tests.harness.server import Server


async def test_one_hears_anothers_tone(server: Server, room: str, single_pc: bool) -> None:
    async with (
        joined(server, room, "alice", single_pc=single_pc) as alice,
        joined(server, room, "bob", single_pc=single_pc) as bob,
    ):
        await alice.publish_tone(440)
        await bob.publish_tone(880)
        await (await bob.audio_of("alice")).hears(440)
        await (await alice.audio_of("bob")).hears(880)


async def test_the_publisher_learns_that_it_is_heard(server: Server, room: str) -> None:
    async with joined(server, room, "alice") as alice, joined(server, room, "bob") as bob:
        publication = await alice.publish_tone()
        await bob.audio_of("alice")
        await asyncio.wait_for(publication.wait_for_subscription(), 10)
