"""Every Twirp answer of RoomService recorded from LiveKit 1.13.5, asked of Hubbub.

``DIFFERENT`` lists, with the reason, where Hubbub answers otherwise on purpose. Compared are statuses, content types,
error codes, and of messages in JSON every name, its place and the kind of its value.
"""

import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from livekit.protocol import models, room

from auth import tokens
from auth.grants import Claims, VideoGrant
from rooms.administration import Administration
from tests.harness.agents import AgentHouse
from tests.harness.http_server import SECRET, serving

ROWS: list[dict[str, Any]] = [
    json.loads(line) for line in Path("tests/data/wire/twirp_room.jsonl").read_text().splitlines()
]
NOT_REPLAYED = (
    # LiveKit's open server has neither.
    "forward",
    "move",
    # These take somebody who answers; see tests/interop/api.
    "rpc",
    "rpc unknown method",
    "rpc application error 1234",
    "rpc response timeout 1500 ms",
)
ROWS = [
    row
    for row in ROWS
    if row["service"] == "RoomService" and row["case"].rpartition(" (")[0] not in NOT_REPLAYED
]
PREFIX = "twirp error unknown: "
"""LiveKit's text for errors that crossed its internal bus."""
DIFFERENT = {
    # LiveKit waits three seconds for somebody who isn't there.
    "mute, absent participant": (404, "not_found"),
    "mute, absent room": (404, "not_found"),
    "subscriptions, absent participant": (404, "not_found"),
    "subscriptions, absent room": (404, "not_found"),
    "send, absent room": (404, "not_found"),
    "rpc absent participant": (404, "not_found"),
    "rpc absent room": (404, "not_found"),
    # A room without a name could neither be joined nor administered.
    "room name empty": (400, "invalid_argument"),
    # The same code, with another text or without meta.
    "forward to the same room": (400, "invalid_argument"),
    "name over 256": (400, "invalid_argument"),
}
RECORDED_TRACK = "TR_AMRnsEYzQQ5TTK"
RESPONSES = {
    "CreateRoom": models.Room,
    "ListRooms": room.ListRoomsResponse,
    "DeleteRoom": room.DeleteRoomResponse,
    "ListParticipants": room.ListParticipantsResponse,
    "GetParticipant": models.ParticipantInfo,
    "RemoveParticipant": room.RemoveParticipantResponse,
    "MutePublishedTrack": room.MuteRoomTrackResponse,
    "UpdateParticipant": models.ParticipantInfo,
    "UpdateSubscriptions": room.UpdateSubscriptionsResponse,
    "SendData": room.SendDataResponse,
    "UpdateRoomMetadata": models.Room,
}


class Replay:
    """The recorded room's stand-in, and the way to ask about it."""

    def __init__(self, house: AgentHouse, port: int) -> None:
        self.house = house
        self.url = f"http://127.0.0.1:{port}"
        self.track = ""

    def people_join(self) -> None:
        """After the first rooms were made, as when it was recorded."""
        client = {"capabilities": [1]}
        self.house.join("b", "twirp-room", client=client).connect()
        a = self.house.join("a", "twirp-room", client=client).connect()
        self.track = a.publish("c1", name="mic")

    async def ask(self, row: dict[str, Any]) -> tuple[int, str, bytes]:
        if row["method"] == "ListParticipants" and not self.track:
            self.people_join()
        content_type = row.get("request_content_type")
        headers = {"Content-Type": content_type} if content_type else {}
        if token := token_of(row):
            headers["Authorization"] = "Bearer " + token
        skip = () if content_type else ("Content-Type",)
        async with (
            aiohttp.ClientSession(skip_auto_headers=skip) as session,
            session.request(
                row["http_method"], self.url + row["path"], data=self.body_of(row), headers=headers
            ) as answer,
        ):
            return answer.status, answer.headers["Content-Type"], await answer.read()

    def body_of(self, row: dict[str, Any]) -> bytes:
        raw = row["request_body"]
        body = bytes.fromhex(raw["hex"]) if isinstance(raw, dict) else raw.encode()
        return body.replace(RECORDED_TRACK.encode(), self.track.encode())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replay() -> AsyncIterator[Replay]:
    house = AgentHouse()
    administration = Administration(house.service)
    async with serving(house.service, administration=administration, agents=house.agents) as port:
        yield Replay(house, port)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['case']} {row['method']}"[:90])
async def test_answers_as_recorded(row: dict[str, Any], replay: Replay) -> None:
    status, content_type, body = await replay.ask(row)
    case = row["case"].removesuffix(" (json)").removesuffix(" (protobuf)")
    if case in DIFFERENT:
        answer = json.loads(body)
        assert (status, answer["code"]) == DIFFERENT[case]
        return
    assert (status, content_type) == (row["status"], row["headers"]["Content-Type"])
    if content_type.startswith("text/plain"):
        assert body.decode() == row["body"]
    elif content_type == "application/protobuf":
        assert RESPONSES[row["method"]].FromString(body) is not None
    elif status == 200:
        assert list(shape(json.loads(body))) == list(shape(json.loads(row["body"])))
    else:
        expected = json.loads(row["body"])
        expected["msg"] = expected["msg"].removeprefix(PREFIX)
        if "absent room" in case:  # LiveKit says that the participant does not exist.
            expected["msg"] = "requested room does not exist"
        assert json.loads(body) == expected


def shape(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every name with the kind of its value, in order; of lists the first item."""
    if isinstance(value, dict) and not path.endswith(".attributes"):
        for name, item in value.items():
            yield from shape(item, f"{path}.{name}")
    elif isinstance(value, list) and value:
        yield from shape(value[0], f"{path}[]")
    else:
        yield path, "list" if isinstance(value, list) else type(value).__name__


def token_of(row: dict[str, Any]) -> str:
    if "token" in row:
        return str(row["token"])
    if "access_token=x" in row["path"] or not row.get("token_grants"):
        return ""
    claims = Claims(video=VideoGrant.from_json(row["token_grants"]["video"]))
    key = "unknown" if row["case"].startswith("unknown api key") else "devkey"
    ttl_s = -3600.0 if row["case"].startswith("expired") else 60.0
    return tokens.mint(claims, key, SECRET, ttl_s=ttl_s, now=time.time())
