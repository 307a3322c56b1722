"""AgentDispatchService, as recorded from LiveKit 1.13.5 and by the stock client."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from livekit import api

from auth.grants import Claims, VideoGrant
from auth.tokens import mint
from rooms.administration import Administration
from tests.harness.agents import AgentHouse
from tests.harness.http_server import SECRET, serving

ROWS: list[dict[str, Any]] = [
    row
    for line in Path("tests/data/wire/twirp_room.jsonl").read_text().splitlines()
    if (row := json.loads(line))["service"] == "AgentDispatchService"
]
# LiveKit waits three seconds for a room that isn't there.
DIFFERENT = {"list, absent room": (404, {"code": "not_found", "msg": "requested room does not exist"})}


@pytest_asyncio.fixture
async def house() -> AgentHouse:
    return AgentHouse()


@pytest_asyncio.fixture
async def url(house: AgentHouse) -> AsyncIterator[str]:
    administration = Administration(house.service)
    async with serving(house.service, administration=administration, agents=house.agents) as port:
        yield f"http://127.0.0.1:{port}"


def token(grants: dict[str, Any]) -> str:
    return mint(Claims(video=VideoGrant.from_json(grants)), "devkey", SECRET, now=time.time())


def shape(value: Any, name: str = "") -> Any:
    """A message without what differs from run to run."""
    if isinstance(value, dict):
        return {key: shape(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((shape(item) for item in value), key=json.dumps)
    if name == "deleted_at":
        return "0"
    return name if name in ("id", "created_at") else value


async def test_every_recorded_call_is_answered_alike(url: str) -> None:
    ids: dict[str, str] = {}
    async with aiohttp.ClientSession() as client:
        for row in ROWS:
            body = row["request_body"]
            for recorded, ours in ids.items():
                body = body.replace(recorded, ours)
            headers = {"Content-Type": row["request_content_type"]}
            headers["Authorization"] = "Bearer " + token(row["token_grants"]["video"])
            async with client.post(url + row["path"], data=body, headers=headers) as answer:
                found = await answer.json()
                status, expected = DIFFERENT.get(row["case"], (row["status"], json.loads(row["body"])))
                expected.update(
                    {"msg": expected["msg"].removeprefix("twirp error unknown: ")}
                    if "msg" in expected
                    else {}
                )
                assert (answer.status, shape(found)) == (status, shape(expected)), row["case"]
            if row["method"] == "CreateDispatch" and answer.status == 200:
                ids[expected["id"]] = found["id"]
    assert len(ids) == 1


async def test_the_stock_client_orders_lists_and_cancels(url: str, house: AgentHouse) -> None:
    worker = house.worker(agent_name="bot")
    async with api.LiveKitAPI(url, "devkey", SECRET) as client:
        dispatches = client.agent_dispatch
        wish = api.CreateAgentDispatchRequest(agent_name="bot", room="room", metadata="m")
        order = await dispatches.create_dispatch(wish)
        worker.answer()
        (listed,) = [one for one in await dispatches.list_dispatch("room") if one.agent_name == "bot"]
        assert [job.id for job in listed.state.jobs] == [worker.asked[0].id]
        found = await dispatches.get_dispatch(order.id, "room")
        assert found == listed
        await dispatches.delete_dispatch(order.id, "room")
        assert worker.terminated == [worker.asked[0].id]
        with pytest.raises(api.TwirpError, match="dispatch ID not found") as refusal:
            await dispatches.delete_dispatch(order.id, "room")
        assert refusal.value.code == "not_found"


@pytest.mark.parametrize("method", ["CreateDispatch", "DeleteDispatch", "ListDispatch"])
@pytest.mark.parametrize("grants", [{}, {"roomAdmin": True}, {"roomAdmin": True, "room": "other"}])
async def test_only_who_administers_the_room_may(url: str, method: str, grants: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/json", "Authorization": "Bearer " + token(grants)}
    path = f"{url}/twirp/livekit.AgentDispatchService/{method}"
    async with (
        aiohttp.ClientSession() as client,
        client.post(path, data='{"room":"room"}', headers=headers) as answer,
    ):
        assert answer.status == 401
        assert (await answer.json())["code"] == "unauthenticated"
