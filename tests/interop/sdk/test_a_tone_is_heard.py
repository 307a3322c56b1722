import asyncio

from tests.harness.clients import Join, both_modes
from tests.harness.eventually import PATIENCE_S


@both_modes
async def test_one_hears_anothers_tone(join: Join) -> None:
    async with join("alice") as alice, join("bob") as bob:
        await alice.publish_tone(440)
        await bob.publish_tone(880)
        await (await bob.audio_of("alice")).hears(440)
        await (await alice.audio_of("bob")).hears(880)


async def test_the_publisher_learns_that_it_is_heard(join: Join) -> None:
    async with join("alice") as alice, join("bob") as bob:
        publication = await alice.publish_tone()
        await bob.audio_of("alice")
        await asyncio.wait_for(publication.wait_for_subscription(), PATIENCE_S)
