"""Hubbub as a library: a server inside somebody's event loop, with hooks of theirs."""

import asyncio
import subprocess
import sys

import pytest
from livekit import rtc
from livekit.protocol import models

import hubbub
from hubbub import Config, Hooks, Refuse, Server, configure
from hubbub.embedded import Event
from hubbub.hooks import DataAttempt, JoinAttempt, PublishAttempt
from tests.harness.eventually import eventually

KEY, SECRET = "key", "a-secret-that-is-long-enough-for-anybody"


def config() -> Config:
    options = {"development": True, "bind_addresses": ["127.0.0.1"], "port": 0, "keys": {KEY: SECRET}}
    return configure(options | {"rtc.udp_port": 0, "rtc.tcp_port": 0, "rtc.node_ip": "127.0.0.1"})


class Butler(Hooks):
    async def on_join(self, join: JoinAttempt) -> None:
        if join.identity == "mallory":
            raise Refuse("the house knows you")

    async def on_publish(self, publish: PublishAttempt) -> None:
        if publish.kind == "video":
            raise Refuse("no cameras here")

    async def on_data(self, data: DataAttempt) -> None:
        if b"rude" in data.payload:
            raise Refuse


async def test_rooms_and_people_are_objects() -> None:
    async with Server(config()) as server:
        told: list[Event] = []

        async def listen() -> None:
            told.extend([event async for event in server.events()])

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0)
        room = server.rooms.create("kitchen", metadata="menu", max_participants=2)
        assert [one.name for one in server.rooms] == ["kitchen"]
        assert room.metadata == "menu"
        url = server.url.replace("http", "ws").rstrip("/")
        ann = rtc.Room()
        heard: list[bytes] = []
        ann.on("data_received", lambda packet: heard.append(packet.data))
        await ann.connect(url, room.token("ann", name="Ann", attributes={"mood": "good"}))
        here = room.participants["ann"]
        assert (here.name, here.attributes) == ("Ann", {"mood": "good"})

        source = rtc.AudioSource(48_000, 1)
        await ann.local_participant.publish_track(rtc.LocalAudioTrack.create_audio_track("mic", source))
        await eventually(lambda: here.tracks)
        (track,) = here.tracks
        assert (track.name, track.kind, track.muted) == ("mic", "audio", False)
        here.mute(track.sid)
        assert here.tracks[0].muted

        here.update(name="Anna", attributes={"mood": ""})
        await eventually(lambda: ann.local_participant.name == "Anna")
        assert here.attributes == {}
        here.allow(can_publish=False)
        assert here.tracks == []
        await eventually(lambda: here.info.state == models.ParticipantInfo.ACTIVE)
        room.send_data("dinner", to=["ann"])
        await eventually(lambda: heard == [b"dinner"])
        here.remove()
        assert not here.present
        room.close()
        assert "kitchen" not in server.rooms
        await ann.disconnect()
    await listening
    kinds = [event.kind for event in told]
    assert kinds[0] == "room_started"
    assert {"participant_joined", "track_published", "track_unpublished", "participant_left"} < set(kinds)
    assert kinds[-1] == "room_finished"


async def test_hooks_decide_over_real_clients() -> None:
    async with Server(config(), hooks=Butler()) as server:
        url = server.url.replace("http", "ws").rstrip("/")
        ann, bob, mallory = rtc.Room(), rtc.Room(), rtc.Room()
        heard: list[bytes] = []
        bob.on("data_received", lambda packet: heard.append(packet.data))
        try:
            await bob.connect(url, server.rooms.create("kitchen").token("bob"))
            await ann.connect(url, server.rooms.create("kitchen").token("ann"))
            with pytest.raises(rtc.ConnectError, match="the house knows you"):
                await mallory.connect(url, server.rooms.create("kitchen").token("mallory"))

            source = rtc.AudioSource(48_000, 1)
            await ann.local_participant.publish_track(rtc.LocalAudioTrack.create_audio_track("mic", source))
            await eventually(lambda: "ann" in bob.remote_participants)
            await eventually(lambda: bob.remote_participants["ann"].track_publications)

            for text in ("something rude", "good evening"):
                await ann.local_participant.publish_data(text)
            await eventually(lambda: heard)
            assert heard == [b"good evening"]
        finally:
            for room in (ann, bob):
                await room.disconnect()


def test_importing_it_is_cheap() -> None:
    code = "import sys, hubbub; print([m for m in ('aiohttp', 'numpy', 'sfu', 'auth') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Sever'"):
        hubbub.Sever  # noqa: B018
