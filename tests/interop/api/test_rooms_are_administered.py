import asyncio

import pytest
from livekit import api, rtc
from livekit.api import LiveKitAPI

from tests.harness.clients import Join
from tests.harness.eventually import PATIENCE_S


async def test_a_room_is_made_listed_and_deleted(admin: LiveKitAPI, room: str) -> None:
    made = await admin.room.create_room(
        api.CreateRoomRequest(
            name=room,
            empty_timeout=60,
            departure_timeout=5,
            max_participants=10,
            metadata="m",
            min_playout_delay=100,
            max_playout_delay=500,
            sync_streams=True,
            tags={"team": "a"},
        )
    )
    assert made.sid.startswith("RM_")
    assert (made.name, made.empty_timeout, made.departure_timeout) == (room, 60, 5)
    assert (made.max_participants, made.metadata, made.num_participants) == (10, "m", 0)
    again = await admin.room.create_room(api.CreateRoomRequest(name=room, metadata="other"))
    assert (again.sid, again.metadata) == (made.sid, "m")
    listed = await admin.room.list_rooms(api.ListRoomsRequest(names=[room, room + "-absent"]))
    assert [one.sid for one in listed.rooms] == [made.sid]
    everything = await admin.room.list_rooms(api.ListRoomsRequest())
    assert made.sid in {one.sid for one in everything.rooms}
    await admin.room.delete_room(api.DeleteRoomRequest(room=room))
    assert not (await admin.room.list_rooms(api.ListRoomsRequest(names=[room]))).rooms


async def test_who_is_inside_is_counted_and_put_out_with_the_room(
    admin: LiveKitAPI, join: Join, room: str
) -> None:
    async with join("alice") as alice, join("bob"):
        await alice.sees("bob")
        await alice.publish_tone()

        async with asyncio.timeout(PATIENCE_S):
            while True:
                (info,) = (await admin.room.list_rooms(api.ListRoomsRequest(names=[room]))).rooms
                if (info.num_participants, info.num_publishers) == (2, 1):
                    break
                await asyncio.sleep(0.1)
        await admin.room.delete_room(api.DeleteRoomRequest(room=room))
        (reason,) = await alice.hears("disconnected")
        assert reason == rtc.DisconnectReason.ROOM_DELETED


async def test_max_participants_holds(admin: LiveKitAPI, join: Join, room: str) -> None:
    await admin.room.create_room(api.CreateRoomRequest(name=room, max_participants=1))
    async with join("alice"):
        with pytest.raises(rtc.ConnectError):
            async with join("bob"):
                pass


async def test_an_empty_room_ends_in_its_time(admin: LiveKitAPI, room: str) -> None:
    await admin.room.create_room(api.CreateRoomRequest(name=room, empty_timeout=1))
    named = api.ListRoomsRequest(names=[room])
    assert (await admin.room.list_rooms(named)).rooms
    async with asyncio.timeout(PATIENCE_S):
        while (await admin.room.list_rooms(named)).rooms:
            await asyncio.sleep(0.1)


async def test_metadata_reaches_everybody(admin: LiveKitAPI, join: Join, room: str) -> None:
    async with join("alice") as alice:
        told = await admin.room.update_room_metadata(api.UpdateRoomMetadataRequest(room=room, metadata="new"))
        assert told.metadata == "new"
        await alice.hears("room_metadata_changed", lambda _old, new: new == "new")
        assert alice.room.metadata == "new"
