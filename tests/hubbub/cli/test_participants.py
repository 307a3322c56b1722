"""``hubbub participants`` about people who are there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from livekit import rtc

from hubbub.cli.client import RequestRefused
from hubbub.testing.server import HubbubServer
from tests.harness.eventually import eventually

RATE_HZ = 48_000


@asynccontextmanager
async def joined(server: HubbubServer, identity: str) -> AsyncIterator[rtc.Room]:
    room = rtc.Room()
    await room.connect(server.url, server.token("kitchen", identity, name=identity.title()))
    try:
        yield room
    finally:
        await room.disconnect()


async def microphone(room: rtc.Room) -> str:
    """Publish one; returns its sid."""
    track = rtc.LocalAudioTrack.create_audio_track("voice", rtc.AudioSource(RATE_HZ, 1))
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    return (await room.local_participant.publish_track(track, options)).sid


async def test_people_are_listed_with_what_they_publish(terminal: Any, hubbub: HubbubServer) -> None:
    async with joined(hubbub, "ann") as ann, joined(hubbub, "bob"):
        sid = await microphone(ann)
        await eventually(lambda: any(who["tracks"] for who in hubbub.participants("kitchen")))
        found = {one["identity"]: one for one in await terminal.json("participants", "list", "kitchen")}
        assert found.keys() == {"ann", "bob"}
        assert [track["sid"] for track in found["ann"]["tracks"]] == [sid]
        text = await terminal.says("participants", "list", "kitchen")
        assert f"{sid} (microphone)" in text
        assert text.splitlines()[0].split() == ["IDENTITY", "NAME", "STATE", "PUBLISHES"]


async def test_removing_somebody(terminal: Any, hubbub: HubbubServer) -> None:
    async with joined(hubbub, "ann") as ann, joined(hubbub, "bob"):
        out = asyncio.Event()
        ann.on("disconnected", lambda _: out.set())
        said = await terminal.says("participants", "remove", "kitchen", "ann")
        assert said == "ann is out of kitchen.\n"
        await asyncio.wait_for(out.wait(), 5)
        assert [one["identity"] for one in hubbub.participants("kitchen")] == ["bob"]


@pytest.mark.hubbub(options={"room.enable_remote_unmute": True})
async def test_muting_one_track_and_all_and_back(terminal: Any, hubbub: HubbubServer) -> None:
    async with joined(hubbub, "ann") as ann:
        first, second = await microphone(ann), await microphone(ann)

        async def muted() -> set[str]:
            (who,) = hubbub.participants("kitchen")
            return {track["sid"] for track in who["tracks"] if track["muted"]}

        await eventually(lambda: len(hubbub.participants("kitchen")[0]["tracks"]) == 2)
        mute = ("participants", "mute", "kitchen", "ann")
        assert await terminal.says(*mute, "--track", first) == f"{first} (microphone) is muted.\n"
        assert await muted() == {first}
        assert {track["sid"] for track in await terminal.json(*mute)} == {first, second}
        assert await muted() == {first, second}
        assert "is heard again" in await terminal.says(*mute, "--track", second, "--unmute")

        async def only_the_first() -> bool:  # what the client says of having been muted may cross the unmute
            return await muted() == {first}

        await eventually(only_the_first, "the second track heard again")


async def test_what_is_not_there(terminal: Any, hubbub: HubbubServer) -> None:
    for arguments, told in (
        (("list", "nowhere"), "there is no room nowhere"),
        (("remove", "kitchen", "carl"), "not_found"),
        (("mute", "kitchen", "carl"), "not_found"),
        (("mute", "kitchen", "ann", "--track", "TR_none"), "ann publishes no track TR_none"),
    ):
        async with joined(hubbub, "ann"):
            error = await terminal.fails("participants", *arguments)
            assert isinstance(error, RequestRefused)
            assert told in str(error)


async def test_unmuting_must_be_allowed_by_the_server(terminal: Any, hubbub: HubbubServer) -> None:
    async with joined(hubbub, "ann") as ann:
        await microphone(ann)
        await eventually(lambda: hubbub.participants("kitchen")[0]["tracks"])
        await terminal.says("participants", "mute", "kitchen", "ann")
        error = await terminal.fails("participants", "mute", "kitchen", "ann", "--unmute")
        assert isinstance(error, RequestRefused)
        assert "failed_precondition" in str(error)
