"""Participants inside the server, with the PyPI SDK's as the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import av
import numpy as np
import pytest

from hubbub import Config, Hooks, Refuse, Server, configure
from hubbub.embedded import Data, LocalAudioTrack, LocalVideoTrack, Room
from hubbub.embedded.errors import NotPublished, TrackClosed, Unreceivable
from hubbub.hooks import JoinAttempt, PublishAttempt
from media.errors import BadFrame
from rooms.errors import NotAllowed, RoomNotFound
from tests.harness.clients import SdkClient
from tests.harness.eventually import PATIENCE_S, eventually
from tests.harness.media import SAMPLE_RATE_HZ, SHADE_TOLERANCE, Ear, Tone, picture, shade_of

KEY, SECRET = "key", "a-secret-that-is-long-enough-for-anybody"


def config() -> Config:
    options = {"development": True, "bind_addresses": ["127.0.0.1"], "port": 0, "keys": {KEY: SECRET}}
    return configure(options | {"rtc.udp_port": 0, "rtc.tcp_port": 0, "rtc.node_ip": "127.0.0.1"})


@asynccontextmanager
async def kitchen() -> AsyncIterator[tuple[Room, SdkClient]]:
    """A room of a server in this very loop, with Ann in it."""
    async with Server(config()) as server:
        room = server.rooms.create("kitchen")
        ann = SdkClient()
        await ann.room.connect(server.url.replace("http", "ws").rstrip("/"), room.token("ann"))
        try:
            yield room, ann
        finally:
            await ann.leave()


async def hum(track: LocalAudioTrack, frequency_hz: float) -> None:
    tone = Tone(frequency_hz)
    while True:
        await track.write(tone.next(SAMPLE_RATE_HZ // 10))


async def listen(frames: AsyncIterator[Any], ear: Ear) -> None:
    async for frame in frames:
        ear.take(frame.to_ndarray().reshape(-1))


async def test_tones_are_heard_both_ways() -> None:
    async with (
        kitchen() as (room, ann),
        await room.join("bot", name="Bot", attributes={"mood": "good"}) as bot,
    ):
        track = await bot.publish_audio(name="voice")
        humming = asyncio.create_task(hum(track, 440))
        await (await ann.audio_of("bot")).hears(440)
        assert ann.other("bot").name == "Bot"
        assert ann.other("bot").attributes == {"mood": "good"}

        ear = Ear()
        listening = asyncio.create_task(listen(bot.audio("ann"), ear))
        await ann.publish_tone(880)
        await eventually(lambda: ear.hears(880), lambda: f"880 Hz, not {ear.frequency_hz}")
        humming.cancel()
        await bot.leave()
        await listening
        await eventually(lambda: ann.other("bot") is None)


async def film(track: LocalVideoTrack, shade: int) -> None:
    for number in count():
        i420 = np.frombuffer(picture(320, 180, shade, number), np.uint8).reshape(270, 320)
        await track.write(av.VideoFrame.from_ndarray(i420, format="yuv420p"))


async def test_pictures_are_seen_both_ways() -> None:
    async with kitchen() as (room, ann), await room.join("bot") as bot:
        filming = asyncio.create_task(film(await bot.publish_video(320, 180, fps=15), 60))
        video = await ann.video_of("bot")
        await video.shows(60, frames=10)

        await ann.publish_video((640, 360), shade=180)
        seen: list[tuple[int, int, float]] = []

        async def watch() -> None:
            async for frame in bot.video("ann"):
                luma = frame.to_ndarray()[: frame.height]
                seen.append((frame.width, frame.height, shade_of(luma)))

        watching = asyncio.create_task(watch())
        await eventually(lambda: len(seen) > 10 and seen[-1][:2] == (640, 360), "frames of Ann")
        assert abs(seen[-1][2] - 180) < SHADE_TOLERANCE
        filming.cancel()
        room.close()
        await watching


async def test_who_comes_later_sees_a_bot_that_only_sends_key_frames_when_asked() -> None:
    async with kitchen() as (room, _), await room.join("bot") as bot:
        filming = asyncio.create_task(film(await bot.publish_video(320, 180, fps=15), 60))
        await asyncio.sleep(0.5)
        async with await room.join("late") as late:
            frames = late.video("bot")
            assert abs(shade_of((await anext(frames)).to_ndarray()[:180]) - 60) < SHADE_TOLERANCE
        filming.cancel()


async def test_data_passes_both_ways() -> None:
    async with kitchen() as (room, ann), await room.join("bot") as bot:
        heard: list[Data] = []

        async def listen_to_data() -> None:
            async for data in bot.data():
                heard.append(data)  # noqa: PERF401 - looked at while they come

        listening = asyncio.create_task(listen_to_data())
        await ann.sees("bot")
        bot.send_data("dinner", topic="food")
        bot.send_data(b"not for her", to=["bob"])

        def packets() -> set[tuple[bytes, str, str]]:
            every = [packet for (packet,) in ann.heard("data_received")]
            return {(packet.data, packet.topic, packet.participant.identity) for packet in every}

        def both_came() -> bool:
            bot.send_data(
                b"soon", to=["ann"], reliable=False
            )  # gets lost on the way to somebody just connecting
            return len(packets()) >= 2

        await eventually(both_came, lambda: f"two packets, not {packets()}")
        assert packets() == {(b"dinner", "food", "bot"), (b"soon", "", "bot")}
        await ann.me.publish_data("thanks", topic="food")
        room.send_data("from the house")
        await eventually(lambda: len(heard) >= 2, lambda: f"two packets, not {heard}")
        await bot.leave()
        await listening
        assert Data(b"thanks", "food", "ann", True) in heard
        assert Data(b"from the house", "", "", True) in heard


async def test_two_bots_hear_each_other_and_leave() -> None:
    async with Server(config()) as server:
        room = server.rooms.create("kitchen")
        async with await room.join("one", kind="standard") as one:
            two = await room.join("two")
            track = await two.publish_audio()
            humming = asyncio.create_task(hum(track, 600))
            ear = Ear()
            listening = asyncio.create_task(listen(one.audio("two"), ear))
            await eventually(lambda: ear.hears(600))
            assert set(room.participants) == {"one", "two"}
            await two.leave()
            await listening
            assert set(room.participants) == {"one"}
            assert not two.present
            with pytest.raises(TrackClosed):
                await humming


async def test_a_track_can_be_muted_closed_and_replaced() -> None:
    async with kitchen() as (room, ann), await room.join("bot") as bot, await room.join("ear") as listener:
        ear = Ear()
        listening = asyncio.create_task(listen(listener.audio("bot"), ear))
        first = await bot.publish_audio(name="first")
        humming = asyncio.create_task(hum(first, 440))
        await eventually(lambda: ear.hears(440))
        first.mute()
        await ann.hears("track_muted")
        first.unmute()
        await ann.hears("track_unmuted")
        room.participants["bot"].mute(first.sid)
        await eventually(lambda: first.muted)
        first.close()
        with pytest.raises(TrackClosed):
            await humming
        await ann.hears("track_unpublished")
        humming = asyncio.create_task(hum(await bot.publish_audio(name="second"), 880))
        await eventually(lambda: ear.hears(880))
        humming.cancel()
        await bot.leave()
        await listening


async def test_a_room_that_closes_ends_everything() -> None:
    async with kitchen() as (room, _):
        bot = await room.join("bot")
        track = await bot.publish_audio()

        async def nothing(things: AsyncIterator[Any]) -> list[Any]:
            return [thing async for thing in things]

        endless = [bot.audio("nobody"), bot.video("ann"), bot.data()]
        reading = [asyncio.create_task(nothing(each)) for each in endless]
        await asyncio.sleep(0.05)
        room.close()
        assert await asyncio.gather(*reading) == [[], [], []]
        with pytest.raises(TrackClosed):
            await track.write(bytes(1920))
        with pytest.raises(RoomNotFound):
            await room.join("bot")
        await bot.leave()


async def test_a_server_that_stops_ends_everything() -> None:
    async with Server(config()) as server:
        bot = await server.rooms.create("kitchen").join("bot")
        reading = asyncio.create_task(anext(bot.data(), None))
        await asyncio.sleep(0)
    assert await reading is None
    assert not bot.present


async def test_a_minute_of_sound_is_not_sent_at_once() -> None:
    async with Server(config()) as server, await server.rooms.create("kitchen").join("bot") as bot:
        track = await bot.publish_audio(sample_rate=16_000)
        before = asyncio.get_running_loop().time()
        await track.write(bytes(2 * 16_000 // 2))
        assert 0.4 < asyncio.get_running_loop().time() - before < 1.5


async def test_what_a_bot_may_not_do_is_refused() -> None:
    async with Server(config()) as server:
        room = server.rooms.create("kitchen")
        async with await room.join("mute", can_publish=False) as mute:
            with pytest.raises(NotPublished):
                await mute.publish_audio()
        with pytest.raises(BadFrame):
            async with await room.join("odd") as odd:
                await odd.publish_video(3, 3)


async def test_another_codec_is_said_to_be_unreceivable() -> None:
    async with kitchen() as (room, ann), await room.join("bot") as bot:
        reading = asyncio.create_task(anext(bot.video("ann")))
        await ann.publish_video((320, 180), codec="vp9")
        with pytest.raises(Unreceivable):
            async with asyncio.timeout(PATIENCE_S):
                await reading


async def test_a_reader_that_pauses_catches_up() -> None:
    async with kitchen() as (room, _), await room.join("bot") as bot, await room.join("slow") as slow:
        filming = asyncio.create_task(film(await bot.publish_video(320, 180, fps=30), 60))
        frames = slow.video("bot")
        first = await anext(frames)
        await asyncio.sleep(1.0)
        for _ in range(20):
            last = await anext(frames)
        assert last.pts > first.pts
        filming.cancel()


async def test_a_bot_that_is_moved_goes_on_in_the_other_room() -> None:
    async with Server(config()) as server:
        kitchen, hall = server.rooms.create("kitchen"), server.rooms.create("hall")
        async with await kitchen.join("bot") as bot, await hall.join("guest", kind="standard") as guest:
            humming = asyncio.create_task(hum(await bot.publish_audio(), 440))
            ear = Ear()
            listening = asyncio.create_task(listen(guest.audio("bot"), ear))
            server.administration.move_participant("kitchen", "bot", "hall")
            await eventually(lambda: ear.hears(440))
            assert (bot.room_name, bot.sid) == ("hall", hall.participants["bot"].info.sid)
            await bot.leave()
            await listening
            humming.cancel()


class Butler(Hooks):
    async def on_join(self, join: JoinAttempt) -> None:
        if join.identity == "mallory":
            raise Refuse("the house knows you")

    async def on_publish(self, publish: PublishAttempt) -> None:
        await asyncio.sleep(0.05)
        if publish.kind == "video":
            raise Refuse("no cameras here")


async def test_hooks_are_asked_about_bots_too() -> None:
    async with Server(config(), hooks=Butler()) as server:
        room = server.rooms.create("kitchen")
        with pytest.raises(NotAllowed, match="the house knows you"):
            await room.join("mallory")
        async with await room.join("bot") as bot:
            assert (await bot.publish_audio()).sid
            with pytest.raises(NotPublished, match="no cameras here"):
                await bot.publish_video(320, 180)
            assert (await bot.publish_audio(name="another")).sid
