import asyncio
from contextlib import AsyncExitStack

from tests.harness.clients import Join, SdkClient
from tests.harness.eventually import eventually

PEOPLE = 10


async def test_everyone_sees_and_hears_everyone(join: Join) -> None:
    async with AsyncExitStack() as stack:
        names = [f"p{number}" for number in range(PEOPLE)]
        people = [await stack.enter_async_context(join(name)) for name in names]
        for number, person in enumerate(people):
            await person.publish_video((160, 90), fps=5, shade=_shade(number))
            await person.publish_tone(_frequency_hz(number))
            await asyncio.gather(*(_notices(other, person) for other in people if other is not person))
        await asyncio.gather(*(_meets(person, me) for me, person in enumerate(people)))


async def _notices(person: SdkClient, publisher: SdkClient) -> None:
    """Wait for both tracks: everybody negotiates for each, which takes a busy machine a while."""
    name = publisher.me.identity

    def subscribed() -> bool:
        return len(person.heard("track_subscribed", lambda track, its, whose: whose.identity == name)) == 2

    await eventually(subscribed, f"both tracks of {name} at {person.me.identity}")


async def _meets(person: SdkClient, me: int) -> None:
    """Watch and listen to the others, one after the other: ten decoded rooms at once need a big machine."""
    for other in range(PEOPLE):
        if other != me:
            video = await person.video_of(f"p{other}", within_s=30)
            await video.shows(_shade(other), frames=2, within_s=30)
            await video.close()
            audio = await person.audio_of(f"p{other}", within_s=30)
            await audio.hears(_frequency_hz(other), within_s=30)
            await audio.close()


def _shade(number: int) -> int:
    return 40 + 18 * number


def _frequency_hz(number: int) -> int:
    return 400 + 100 * number
