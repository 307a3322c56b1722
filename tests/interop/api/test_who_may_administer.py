"""Every call of RoomService by the stock SDK: with the right grant, a wrong one, no token, a bad one, no such room."""

import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from google.protobuf.message import Message
from livekit import api
from livekit.protocol import room as messages

from tests.harness.server import Server

Make = Callable[[str], Message]

CALLS: dict[str, tuple[str, Make, dict[str, Any], str]] = {
    "create_room": ("CreateRoom", lambda r: api.CreateRoomRequest(name=r), {"room_create": True}, ""),
    "list_rooms": ("ListRooms", lambda r: api.ListRoomsRequest(names=[r]), {"room_list": True}, ""),
    "delete_room": (
        "DeleteRoom",
        lambda r: api.DeleteRoomRequest(room=r),
        {"room_create": True},
        "not_found",
    ),
    "list_participants": (
        "ListParticipants",
        lambda r: api.ListParticipantsRequest(room=r),
        {"room_admin": True},
        "",
    ),
    "get_participant": (
        "GetParticipant",
        lambda r: api.RoomParticipantIdentity(room=r, identity="x"),
        {"room_admin": True},
        "not_found",
    ),
    "remove_participant": (
        "RemoveParticipant",
        lambda r: api.RoomParticipantIdentity(room=r, identity="x"),
        {"room_admin": True},
        "not_found",
    ),
    "mute_published_track": (
        "MutePublishedTrack",
        lambda r: api.MuteRoomTrackRequest(room=r, identity="x", track_sid="TR_x", muted=True),
        {"room_admin": True},
        "not_found",
    ),
    "update_participant": (
        "UpdateParticipant",
        lambda r: api.UpdateParticipantRequest(room=r, identity="x", name="n"),
        {"room_admin": True},
        "not_found",
    ),
    "update_subscriptions": (
        "UpdateSubscriptions",
        lambda r: api.UpdateSubscriptionsRequest(room=r, identity="x", track_sids=["TR_x"]),
        {"room_admin": True},
        "not_found",
    ),
    "send_data": (
        "SendData",
        lambda r: api.SendDataRequest(room=r, data=b"x"),
        {"room_admin": True},
        "not_found",
    ),
    "update_room_metadata": (
        "UpdateRoomMetadata",
        lambda r: api.UpdateRoomMetadataRequest(room=r, metadata="m"),
        {"room_admin": True},
        "not_found",
    ),
    "forward_participant": (
        "ForwardParticipant",
        lambda r: api.ForwardParticipantRequest(room=r, identity="x", destination_room="d"),
        {"room_admin": True, "destination_room": "d"},
        "not_found",
    ),
    "move_participant": (
        "MoveParticipant",
        lambda r: api.MoveParticipantRequest(room=r, identity="x", destination_room="d"),
        {"room_admin": True, "destination_room": "d"},
        "not_found",
    ),
    "perform_rpc": (
        "PerformRpc",
        lambda r: messages.PerformRpcRequest(room=r, destination_identity="x", method="m"),
        {"room_admin": True},
        "not_found",
    ),
}
"""By the SDK's name: the RPC, a request, the grant that it needs, and the error for a room that isn't there."""
FAST_S = 0.5


def grants(server: Server, room_name: str, **grant: Any) -> str:
    video = api.VideoGrants(**({"room": room_name} | grant))
    token = api.AccessToken(server.api_key, server.api_secret).with_identity("somebody")
    return str(token.with_grants(video).to_jwt())


async def call(server: Server, name: str, room: str, token: str) -> Message:
    method, make, _, _ = CALLS[name]
    async with api.LiveKitAPI.with_token(token, server.http_url, failover=False) as client:
        if name == "perform_rpc":  # this SDK has no method for it
            headers = {"Authorization": f"Bearer {token}"}
            twirp = client.room._client
            return await twirp.request(
                "RoomService", method, make(room), headers, messages.PerformRpcResponse
            )
        return await getattr(client.room, name)(make(room))


@pytest.mark.parametrize("name", CALLS)
async def test_a_room_that_is_not_there(server: Server, room: str, name: str) -> None:
    _, _, grant, expected = CALLS[name]
    began = time.monotonic()
    try:
        await call(server, name, room, grants(server, room, **grant))
        found = ""
    except api.ServerError as error:
        found = error.code
    assert found == expected
    assert time.monotonic() - began < FAST_S


@pytest.mark.parametrize("name", CALLS)
async def test_another_grant_is_refused(server: Server, room: str, name: str) -> None:
    _, _, grant, _ = CALLS[name]
    wrong = [
        {"room_join": True},
        {"room_record": True, "ingress_admin": True, "agent": True},
        {other: True for other in ("room_create", "room_list", "room_admin") if other not in grant},
    ]
    if "room_admin" in grant:
        wrong += [{**grant, "room": room + "-other"}, {**grant, "room": ""}]
    if "destination_room" in grant:
        wrong += [{"room_admin": True}, {"room_admin": True, "destination_room": "elsewhere"}]
    for refused in wrong:
        with pytest.raises(api.ServerError) as error:
            await call(server, name, room, grants(server, room, **refused))
        assert (error.value.code, error.value.status) == ("unauthenticated", 401)


@pytest.mark.parametrize("name", CALLS)
async def test_no_token_and_bad_tokens_are_refused(server: Server, room: str, name: str) -> None:
    method, make, _, _ = CALLS[name]
    url = f"{server.http_url}/twirp/livekit.RoomService/{method}"
    stranger = api.AccessToken("nokey", "s" * 32).with_grants(api.VideoGrants(room_create=True)).to_jwt()
    forged = api.AccessToken(server.api_key, "s" * 32).with_grants(api.VideoGrants(room_create=True)).to_jwt()
    async with aiohttp.ClientSession() as session:
        for authorization, expected in (
            ("", '{"code": "unauthenticated", "msg": "permissions denied"}'),
            ("Bearer nonsense", "invalid authorization token"),
            (f"Bearer {stranger}", "invalid API key"),
            (f"Bearer {forged}", "invalid authorization token: token signature is invalid"),
            ("Basic x", "invalid authorization header"),
        ):
            headers = {"Content-Type": "application/protobuf"}
            if authorization:
                headers["Authorization"] = authorization
            async with session.post(url, data=make(room).SerializeToString(), headers=headers) as answer:
                assert answer.status == 401
                assert (await answer.text()).startswith(expected)


async def test_services_that_are_not_built_say_so(server: Server) -> None:
    token = grants(server, "", room_record=True, ingress_admin=True)
    async with api.LiveKitAPI.with_token(token, server.http_url, failover=False) as client:
        for asked in (
            client.egress.list_egress(api.ListEgressRequest()),
            client.ingress.list_ingress(api.ListIngressRequest()),
        ):
            with pytest.raises(api.ServerError) as refused:
                await asked
            assert (refused.value.code, refused.value.status) == ("unimplemented", 501)
    async with api.LiveKitAPI(server.http_url, server.api_key, server.api_secret, failover=False) as client:
        with pytest.raises(api.ServerError) as refused:
            await client.sip.list_inbound_trunk(api.ListSIPInboundTrunkRequest())
        assert refused.value.code == "unimplemented"
