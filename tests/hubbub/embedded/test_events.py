"""Streams of what happens in rooms."""

import asyncio

from livekit.protocol import models

from hubbub.embedded import EventKind, Events
from hubbub.embedded.events import MAX_WAITING

ROOM = models.Room(name="kitchen")


async def test_everybody_who_listens_hears_everything_in_order() -> None:
    events = Events()
    streams = [events.listen(), events.listen()]
    firsts = [asyncio.ensure_future(anext(stream)) for stream in streams]
    await asyncio.sleep(0)
    events.room_started(ROOM)
    events.participant_joined(ROOM, models.ParticipantInfo(identity="ann"))
    for first, stream in zip(firsts, streams, strict=True):
        assert (await first).kind is EventKind.ROOM_STARTED
        second = await anext(stream)
        assert second.kind is EventKind.PARTICIPANT_JOINED
        assert second.participant is not None
        assert second.participant.identity == "ann"


async def test_streams_end_with_the_server() -> None:
    events = Events()
    listening = asyncio.ensure_future(anext(events.listen(), None))
    await asyncio.sleep(0)
    events.close()
    assert await listening is None
    assert not events._listeners


async def test_a_slow_listener_misses_the_oldest() -> None:
    events = Events()
    stream = events.listen()
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    for number in range(MAX_WAITING + 2):
        events.room_started(models.Room(name=str(number)))
    assert (await first).room.name == "2"
