import asyncio

import pytest
from livekit import api
from livekit.api import LiveKitAPI

from tests.harness.browser import JoinInBrowser
from tests.harness.clients import joined
from tests.harness.eventually import eventually
from tests.harness.server import Server

BOTH = pytest.mark.parametrize("single_pc", [True, False], ids=["v1", "v0"])


def move(room: str, destination: str) -> api.MoveParticipantRequest:
    return api.MoveParticipantRequest(room=room, identity="alice", destination_room=destination)


@BOTH
async def test_a_participant_moves_with_sound_and_picture(
    admin: LiveKitAPI, server: Server, room: str, single_pc: bool
) -> None:
    other = room + "-other"
    async with (
        joined(server, room, "alice", single_pc=single_pc) as alice,
        joined(server, room, "bob", single_pc=single_pc) as bob,
        joined(server, other, "carol", single_pc=single_pc) as carol,
    ):
        await alice.publish_tone(440)
        await alice.publish_video(shade=90)
        await carol.publish_tone(880)
        heard = await bob.audio_of("alice")
        await heard.hears(440)
        await admin.room.move_participant(move(room, other))
        await alice.hears("moved")
        assert alice.room.name == other
        await bob.hears("participant_disconnected", lambda gone: gone.identity == "alice")
        await heard.falls_silent()
        await carol.sees("alice")
        await (await carol.audio_of("alice")).hears(440)
        await (await carol.video_of("alice")).shows(90)
        await (await alice.audio_of("carol")).hears(880)
        assert set(alice.room.remote_participants) == {"carol"}
        await alice.me.publish_data(b"here", topic="t")
        await carol.hears("data_received", lambda got: got.data == b"here")
        assert not bob.heard("data_received")
        here = await admin.room.list_participants(api.ListParticipantsRequest(room=other))
        assert {info.identity for info in here.participants} == {"alice", "carol"}


async def test_a_participant_comes_back(admin: LiveKitAPI, server: Server, room: str) -> None:
    other = room + "-other"
    async with joined(server, room, "alice") as alice, joined(server, room, "bob") as bob:
        await alice.publish_tone(440)
        await (await bob.audio_of("alice")).hears(440)
        await admin.room.move_participant(move(room, other))
        await bob.hears("participant_disconnected")
        await admin.room.move_participant(move(other, room))
        await eventually(lambda: len(alice.heard("moved")) == 2, "moved twice")
        await eventually(lambda: len(bob.heard("track_subscribed")) == 2, "the track again")
        await (await bob.audio_of("alice")).hears(440)


async def test_a_browser_moves(admin: LiveKitAPI, server: Server, room: str, browse: JoinInBrowser) -> None:
    other = room + "-other"
    async with browse("alice") as alice, joined(server, other, "carol") as carol:
        await alice.publish_video(shade=90)
        await carol.publish_video(shade=160)
        await admin.room.move_participant(move(room, other))
        await (await carol.video_of("alice")).shows(90)
        await alice.shows("carol", 160)


@BOTH
async def test_a_participant_is_forwarded(
    admin: LiveKitAPI, server: Server, room: str, single_pc: bool
) -> None:
    other = room + "-other"
    async with (
        joined(server, room, "alice", single_pc=single_pc) as alice,
        joined(server, room, "bob", single_pc=single_pc) as bob,
        joined(server, other, "carol", single_pc=single_pc) as carol,
    ):
        await alice.publish_tone(440)
        heard = await bob.audio_of("alice")
        await admin.room.forward_participant(
            api.ForwardParticipantRequest(room=room, identity="alice", destination_room=other)
        )
        there = await carol.sees("alice")
        assert there.sid != alice.me.sid
        sound = await carol.audio_of("alice")
        await asyncio.gather(sound.hears(440), heard.hears(440))
        await alice.publish_video(shade=90)
        await (await carol.video_of("alice")).shows(90)
        renamed = api.UpdateParticipantRequest(room=room, identity="alice", metadata="new")
        await admin.room.update_participant(renamed)
        await eventually(lambda: there.metadata == "new", "the metadata")
        assert not alice.other("carol")
        await admin.room.remove_participant(api.RoomParticipantIdentity(room=other, identity="alice"))
        await carol.hears("participant_disconnected", lambda gone: gone.identity == "alice")
        await sound.falls_silent()
        await heard.hears(440)
