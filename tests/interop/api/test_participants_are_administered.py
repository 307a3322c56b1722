import asyncio

import pytest
from livekit import api, rtc
from livekit.api import LiveKitAPI

from tests.harness.clients import Join, both_modes
from tests.harness.eventually import eventually


def who(room: str, identity: str) -> api.RoomParticipantIdentity:
    return api.RoomParticipantIdentity(room=room, identity=identity)


async def test_they_are_listed_with_their_tracks(admin: LiveKitAPI, join: Join, room: str) -> None:
    async with join("alice", name="Al", metadata="m", attributes={"a": "b"}) as alice, join("bob") as bob:
        published = await alice.publish_tone()
        await bob.publication_of("alice", "audio")
        listed = (await admin.room.list_participants(api.ListParticipantsRequest(room=room))).participants
        infos = {info.identity: info for info in listed}
        assert set(infos) == {"alice", "bob"}
        info = infos["alice"]
        assert info == await admin.room.get_participant(who(room, "alice"))
        assert (info.sid, info.name, info.metadata, info.attributes) == (alice.me.sid, "Al", "m", {"a": "b"})
        assert info.state == api.ParticipantInfo.ACTIVE
        assert (info.is_publisher, infos["bob"].is_publisher) == (True, False)
        assert info.joined_at_ms // 1000 == info.joined_at > 1_700_000_000
        assert info.permission.can_publish
        (track,) = info.tracks
        assert (track.sid, track.name, track.muted) == (published.sid, "microphone", False)
        assert track.mime_type in ("audio/red", "audio/opus")


async def test_what_is_absent(admin: LiveKitAPI, join: Join, room: str) -> None:
    absent = await admin.room.list_participants(api.ListParticipantsRequest(room=room))
    assert not absent.participants
    async with join("alice"):
        for name in (room, room + "-absent"):
            with pytest.raises(api.ServerError) as refused:
                await admin.room.get_participant(who(name, "nobody"))
            assert (refused.value.code, refused.value.status) == ("not_found", 404)


async def test_somebody_is_put_out(admin: LiveKitAPI, join: Join, room: str) -> None:
    async with join("alice") as alice, join("bob") as bob:
        await bob.sees("alice")
        await admin.room.remove_participant(who(room, "alice"))
        (reason,) = await alice.hears("disconnected")
        assert reason == rtc.DisconnectReason.PARTICIPANT_REMOVED
        await bob.hears("participant_disconnected", lambda gone: gone.identity == "alice")
        with pytest.raises(api.ServerError) as refused:
            await admin.room.remove_participant(who(room, "alice"))
        assert refused.value.code == "not_found"


@both_modes
async def test_a_track_is_muted(admin: LiveKitAPI, join: Join, room: str) -> None:
    async with join("alice") as alice, join("bob") as bob:
        published = await alice.publish_tone(440)
        sound = await bob.audio_of("alice")
        await sound.hears(440)
        mute = api.MuteRoomTrackRequest(room=room, identity="alice", track_sid=published.sid, muted=True)
        answer = await admin.room.mute_published_track(mute)
        assert (answer.track.sid, answer.track.muted) == (published.sid, True)
        await bob.hears("track_muted", lambda who, _: who.identity == "alice")
        await sound.falls_silent()
        mute.muted = False
        with pytest.raises(api.ServerError) as refused:
            await admin.room.mute_published_track(mute)
        assert (refused.value.code, refused.value.status) == ("failed_precondition", 412)
        mute.track_sid, mute.muted = "TR_unknown", True
        assert not (await admin.room.mute_published_track(mute)).HasField("track")


async def test_a_profile_is_changed(admin: LiveKitAPI, join: Join, room: str) -> None:
    async with join("alice", attributes={"a": "b"}) as alice, join("bob") as bob:
        await bob.sees("alice")
        update = api.UpdateParticipantRequest(
            room=room, identity="alice", name="New", metadata="m", attributes={"a": "", "c": "d"}
        )
        info = await admin.room.update_participant(update)
        assert (info.name, info.metadata, info.attributes) == ("New", "m", {"c": "d"})
        seen = bob.other("alice")
        await eventually(
            lambda: (seen.name, seen.metadata, dict(seen.attributes)) == ("New", "m", {"c": "d"}),
            "the new profile",
        )
        await eventually(lambda: alice.me.name == "New", "one's own new name")
        assert (await admin.room.get_participant(who(room, "alice"))).name == "New"


async def test_a_permission_is_taken(admin: LiveKitAPI, join: Join, room: str) -> None:
    async with join("alice") as alice, join("bob") as bob:
        await alice.publish_tone()
        await bob.publication_of("alice", "audio")
        permission = api.ParticipantPermission(can_subscribe=True, can_publish_data=True)
        info = await admin.room.update_participant(
            api.UpdateParticipantRequest(room=room, identity="alice", permission=permission)
        )
        assert not info.permission.can_publish
        assert not info.tracks
        await bob.hears("track_unpublished")
        with pytest.raises(rtc.participant.PublishTrackError):
            await alice.publish_video()


@both_modes
async def test_subscriptions_are_ended_and_made(admin: LiveKitAPI, join: Join, room: str) -> None:
    async with join("alice") as alice, join("bob") as bob:
        published = await alice.publish_tone(440)
        sound = await bob.audio_of("alice")
        await sound.hears(440)
        update = api.UpdateSubscriptionsRequest(room=room, identity="bob", track_sids=[published.sid])
        await admin.room.update_subscriptions(update)
        await sound.falls_silent()
        update.subscribe = True
        await admin.room.update_subscriptions(update)
        # The SDK gives back the track that it had (v1), or another one (v0).
        await eventually(lambda: sound.is_loud() or len(bob.heard("track_subscribed")) > 1, "the sound again")


async def test_data_is_sent_to_all_or_some(admin: LiveKitAPI, join: Join, room: str) -> None:
    async with join("alice") as alice, join("bob") as bob:
        await asyncio.gather(alice.sees("bob"), bob.sees("alice"))
        send = api.SendDataRequest(room=room, data=b"all", topic="t", kind=api.DataPacket.Kind.RELIABLE)
        await admin.room.send_data(send)
        for client in (alice, bob):
            (packet,) = await client.hears("data_received", lambda got: got.data == b"all")
            assert (packet.topic, packet.participant) == ("t", None)
        send = api.SendDataRequest(
            room=room, data=b"one", kind=api.DataPacket.Kind.LOSSY, destination_identities=["bob"]
        )
        await admin.room.send_data(send)
        (packet,) = await bob.hears("data_received", lambda got: got.data == b"one")
        assert packet.kind == rtc.DataPacketKind.KIND_LOSSY
        send = api.SendDataRequest(room=room, data=b"sid", destination_sids=[bob.me.sid])
        await admin.room.send_data(send)
        await bob.hears("data_received", lambda got: got.data == b"sid")
        await admin.room.send_data(api.SendDataRequest(room=room, data=b"end"))
        await alice.hears("data_received", lambda got: got.data == b"end")
        assert [got.data for (got,) in alice.heard("data_received")] == [b"all", b"end"]
