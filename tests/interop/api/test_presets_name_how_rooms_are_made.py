from datetime import timedelta
from pathlib import Path

from livekit import api, rtc

from tests.harness.server import running_server

STAGE = {"max_participants": 12, "departure_timeout": 60, "metadata": "from the preset"}


async def test_the_sdks_call_and_token_may_name_one(tmp_path: Path) -> None:
    with running_server(tmp_path, {"room.room_configurations": {"stage": STAGE}}) as server:
        async with api.LiveKitAPI(server.http_url, server.api_key, server.api_secret) as admin:
            made = await admin.room.create_room(
                api.CreateRoomRequest(name="called", room_preset="stage", max_participants=7)
            )
            assert (made.max_participants, made.departure_timeout, made.metadata) == (
                7,
                60,
                STAGE["metadata"],
            )

            token = api.AccessToken(server.api_key, server.api_secret).with_identity("ann")
            token = token.with_grants(api.VideoGrants(room_join=True, room="joined"))
            token = token.with_room_preset("stage").with_ttl(timedelta(minutes=5))
            ann = rtc.Room()
            await ann.connect(server.url, token.to_jwt())
            assert ann.metadata == STAGE["metadata"]
            (joined,) = (await admin.room.list_rooms(api.ListRoomsRequest(names=["joined"]))).rooms
            assert (joined.max_participants, joined.departure_timeout) == (12, 60)
            await ann.disconnect()
