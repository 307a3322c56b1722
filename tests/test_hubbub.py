"""Hubbub as a library: a server inside somebody's event loop, with hooks of theirs."""

import subprocess
import sys
import time

import pytest
from livekit import rtc

import hubbub
from auth import tokens
from auth.grants import Claims, VideoGrant
from auth.keys import KeyRing
from hubbub import Config, Hooks, Refuse, Server
from hubbub.hooks import DataAttempt, JoinAttempt, PublishAttempt
from sfu.config import MediaConfig
from tests.harness.eventually import eventually

KEY, SECRET = "key", "a-secret-that-is-long-enough-for-anybody"
LOOPBACK = ("127.0.0.1",)


def config() -> Config:
    media = MediaConfig(udp_port=0, tcp_port=0, bind_addresses=LOOPBACK, node_ip="127.0.0.1")
    return Config(port=0, bind_addresses=LOOPBACK, keys=KeyRing({KEY: SECRET}), media=media, development=True)


def token(identity: str) -> str:
    claims = Claims(issuer=KEY, identity=identity, video=VideoGrant(room_join=True, room="kitchen"))
    return tokens.mint(claims, KEY, SECRET, now=time.time())


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


async def test_hooks_decide_over_real_clients() -> None:
    async with Server(config(), hooks=Butler()) as server:
        url = server.url.replace("http", "ws").rstrip("/")
        ann, bob, mallory = rtc.Room(), rtc.Room(), rtc.Room()
        heard: list[bytes] = []
        bob.on("data_received", lambda packet: heard.append(packet.data))
        try:
            await bob.connect(url, token("bob"))
            await ann.connect(url, token("ann"))
            with pytest.raises(rtc.ConnectError, match="the house knows you"):
                await mallory.connect(url, token("mallory"))

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
