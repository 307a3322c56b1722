"""Every call of ``livekit-server-sdk`` (JSON bodies) and what it does to participants that are really there."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from livekit import api, rtc

from tests.harness.clients import Join, joined
from tests.harness.eventually import eventually
from tests.harness.node_sdk import NodeSdk, Refused, node_sdk
from tests.harness.server import Server


@pytest_asyncio.fixture(loop_scope="session")
async def node(server: Server) -> AsyncIterator[NodeSdk]:
    async with node_sdk(server) as sdk:
        yield sdk


async def test_rooms(node: NodeSdk, join: Join, room: str) -> None:
    options = {
        "name": room,
        "emptyTimeout": 60,
        "departureTimeout": 5,
        "maxParticipants": 3,
        "metadata": "m",
        "syncStreams": True,
    }
    made = await node.call("createRoom", options)
    assert made["name"] == room
    assert (made["emptyTimeout"], made["maxParticipants"], made["metadata"]) == (60, 3, "m")
    async with join("alice") as alice:
        (listed,) = await node.call("listRooms", [room, room + "-absent"])
        assert (listed["sid"], listed["numParticipants"]) == (made["sid"], 1)
        assert room in {one["name"] for one in await node.call("listRooms")}
        told = await node.call("updateRoomMetadata", room, "new")
        assert told["metadata"] == "new"
        await alice.hears("room_metadata_changed")
        await node.call("deleteRoom", room)
        (reason,) = await alice.hears("disconnected")
        assert reason == rtc.DisconnectReason.ROOM_DELETED
    assert await node.call("listRooms", [room]) == []


async def test_participants(node: NodeSdk, join: Join, room: str) -> None:
    async with join("alice") as alice, join("bob") as bob:
        published = await alice.publish_tone(440)
        sound = await bob.audio_of("alice")
        await sound.hears(440)
        listed = {info["identity"]: info for info in await node.call("listParticipants", room)}
        assert set(listed) == {"alice", "bob"}
        info = await node.call("getParticipant", room, "alice")
        assert info == listed["alice"]
        assert [track["sid"] for track in info["tracks"]] == [published.sid]

        track = await node.call("mutePublishedTrack", room, "alice", published.sid, True)
        assert (track["sid"], track["muted"]) == (published.sid, True)
        await sound.falls_silent()

        options = {"name": "New", "metadata": "m", "attributes": {"a": "b"}}
        info = await node.call("updateParticipant", room, "alice", options)
        assert (info["name"], info["attributes"]) == ("New", {"a": "b"})
        await eventually(lambda: bob.other("alice").name == "New", "the new name")

        permission = {"permission": {"canSubscribe": True, "canPublish": False, "canPublishData": True}}
        info = await node.call("updateParticipant", room, "alice", permission)
        assert "tracks" not in info
        await bob.hears("track_unpublished")

        await node.call("removeParticipant", room, "alice")
        (reason,) = await alice.hears("disconnected")
        assert reason == rtc.DisconnectReason.PARTICIPANT_REMOVED


async def test_subscriptions_and_data(node: NodeSdk, join: Join, room: str) -> None:
    async with join("alice") as alice, join("bob") as bob:
        published = await alice.publish_tone(440)
        sound = await bob.audio_of("alice")
        await sound.hears(440)
        await node.call("updateSubscriptions", room, "bob", [published.sid], False)
        await sound.falls_silent()
        await node.call("updateSubscriptions", room, "bob", [published.sid], True)
        await eventually(sound.is_loud, "the sound again")

        options = {"topic": "t", "destinationIdentities": ["bob"]}
        await node.call("sendData", room, {"bytes": "hi"}, 0, options)
        (packet,) = await bob.hears("data_received")
        assert (packet.data, packet.topic, packet.participant) == (b"hi", "t", None)
        assert not alice.heard("data_received")


async def test_moving_and_forwarding(node: NodeSdk, server: Server, room: str) -> None:
    other = room + "-other"
    async with joined(server, room, "alice") as alice, joined(server, other, "carol") as carol:
        await alice.publish_tone(440)
        await node.call("forwardParticipant", room, "alice", other)
        sound = await carol.audio_of("alice")
        await sound.hears(440)
        await node.call("removeParticipant", other, "alice")
        await sound.falls_silent()
        await node.call("moveParticipant", room, "alice", other)
        await alice.hears("moved")
        await asyncio.gather(carol.sees("alice"), alice.sees("carol"))
        await eventually(lambda: len(carol.heard("track_subscribed")) == 2, "the track again")


CALLS: dict[str, tuple[tuple[Any, ...], str]] = {
    "createRoom": (({"name": "ROOM"},), ""),
    "listRooms": ((["ROOM"],), ""),
    "deleteRoom": (("ROOM",), "not_found"),
    "updateRoomMetadata": (("ROOM", "m"), "not_found"),
    "listParticipants": (("ROOM",), ""),
    "getParticipant": (("ROOM", "x"), "not_found"),
    "removeParticipant": (("ROOM", "x"), "not_found"),
    "mutePublishedTrack": (("ROOM", "x", "TR_x", True), "not_found"),
    "updateParticipant": (("ROOM", "x", {"name": "n"}), "not_found"),
    "updateSubscriptions": (("ROOM", "x", ["TR_x"], True), "not_found"),
    "sendData": (("ROOM", {"bytes": "x"}, 0, {}), "not_found"),
    "forwardParticipant": (("ROOM", "x", "d"), "not_found"),
    "moveParticipant": (("ROOM", "x", "d"), "not_found"),
}
"""Arguments, and the error for a room that isn't there."""


def arguments(name: str, room: str) -> list[Any]:
    def named(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: named(item) for key, item in value.items()}
        if isinstance(value, list):
            return [named(item) for item in value]
        return room if value == "ROOM" else value

    return [named(value) for value in CALLS[name][0]]


async def test_a_room_that_is_not_there(node: NodeSdk, room: str) -> None:
    for name, (_, expected) in CALLS.items():
        try:
            await node.call(name, *arguments(name, f"{room}-{name}"))
            found = ""
        except Refused as refused:
            found = refused.code
        assert (name, found) == (name, expected)


async def test_who_may_not(node: NodeSdk, server: Server, room: str) -> None:
    token = api.AccessToken(server.api_key, server.api_secret).with_identity("x")
    wrong = token.with_grants(api.VideoGrants(room_join=True, room=room)).to_jwt()
    head, body, _ = wrong.split(".")
    forged = ".".join((head, body, base64.urlsafe_b64encode(b"x" * 32).decode().rstrip("=")))
    for name in CALLS:
        for bad in (wrong, "", "nonsense", forged):
            with pytest.raises(Refused) as refused:
                await node.call(name, *arguments(name, room), token=bad)
            assert refused.value.status == 401
            if bad in (wrong, ""):
                assert refused.value.code == "unauthenticated"
