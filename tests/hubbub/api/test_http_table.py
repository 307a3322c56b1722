"""Every HTTP answer recorded from LiveKit 1.13.5, asked of Hubbub.

``DIFFERENT`` lists, with the reason, where Hubbub answers otherwise on purpose. Statuses and bodies are
compared everywhere else; of the headers those that decide what a browser's script may read.
"""

import base64
import gzip
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jwt
import pytest
import pytest_asyncio
from livekit.protocol import rtc

from rooms.config import RoomConfig
from tests.harness.http_server import SECRET, serving
from tests.harness.raw_http import UPGRADE, ask
from tests.harness.rooms import House

RECORDED: list[dict[str, Any]] = [
    json.loads(line) for line in Path("tests/data/wire/http_validate.jsonl").read_text().splitlines()
]
FULL = (503, "room full is full: participants are limited to 1")
DIFFERENT = {
    # Not the server's fault, and validate says so too: a browser learns the reason from there alone.
    ("room full (max_participants 1, one inside)", 500): FULL,
    ("room full (max_participants 1, one inside)", 200): FULL,
    ("upgrade with wrong Sec-WebSocket-Version", 400): (400, "not a WebSocket version 13 handshake"),
    # Neither the server API nor the door for agents is there yet: nothing is said of their paths.
    ("other paths", 404): (404, "404 page not found\n"),
}
ALGORITHMS = {"algorithm HS512": "HS512", "alg none": "none"}
# The recording cuts these short; they are rebuilt from their description.
LONG_JOIN_REQUESTS = {
    "join_request.reconnect with unknown sid": rtc.JoinRequest(reconnect=True, participant_sid="PA_unknown"),
    "join_request inflates to more than 1 MiB": rtc.JoinRequest(metadata="x" * 2**21),
    "join_request sets attributes with canUpdateOwnMetadata": rtc.JoinRequest(
        participant_attributes={"a": "b"}
    ),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def port() -> AsyncIterator[int]:
    """A server whose room ``full`` has one place, which is taken."""
    house = House()
    house.join("somebody", "full", claims={"room_config": {"maxParticipants": 1}})
    async with serving(house.service) as port:
        yield port


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def port_without_auto_create() -> AsyncIterator[int]:
    """A server where rooms are not made on demand."""
    async with serving(House(RoomConfig(auto_create=False)).service) as port:
        yield port


def test_the_recording_is_complete() -> None:
    assert len(RECORDED) == 177


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("row", RECORDED, ids=lambda row: f"{row['case']} {row['method']} {row['path']}"[:90])
async def test_answers_as_recorded(row: dict[str, Any], port: int, port_without_auto_create: int) -> None:
    port = port_without_auto_create if row.get("server") == "auto_create off" else port
    answer = await ask(port, target_of(row), method=row["method"], headers=headers_of(row))
    status, body = DIFFERENT.get((row["case"], row["status"]), (row["status"], row["body"]))
    assert (answer.status, answer.body) == (status, body)
    if row["status"] == 101:
        return
    allowed = row["headers"].get("Access-Control-Allow-Origin")
    assert answer.headers["access-control-allow-origin"] in ("*", allowed)
    for name in ("Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Access-Control-Max-Age"):
        assert answer.headers.get(name.lower()) == row["headers"].get(name)
    assert "Origin" in answer.headers["vary"]


def target_of(row: dict[str, Any]) -> str:
    query = dict(row.get("query", {}))
    if "access_token" in query:
        query["access_token"] = token_of(row)
    if re.fullmatch(r"<\d+ chars>", query.get("join_request", "")):
        query["join_request"] = wrap(LONG_JOIN_REQUESTS[row["case"]])
    return row["path"] + ("?" + urlencode(query, quote_via=quote) if query else "")


def headers_of(row: dict[str, Any]) -> dict[str, str]:
    headers = dict(UPGRADE) if row.get("websocket_upgrade") else {}
    if row.get("token_in") == "header":
        headers["Authorization"] = "Bearer " + token_of(row)
    if row["case"].startswith("announced request body"):
        headers["Content-Length"] = str(11 * 2**20)
    return headers | row.get("request_headers", {})


def token_of(row: dict[str, Any]) -> str:
    if "token" in row:
        return str(row["token"])
    claims = {name: number_of(value) for name, value in row["token_claims"].items()}
    for name in ("sub", "room"):
        holder = claims if name == "sub" else claims.get("video", {})
        if "×" in holder.get(name, ""):  # "r×257" stands for 257 times an r
            letter, _, times = holder[name].partition("×")
            holder[name] = letter * int(times)
    secret = "another secret that is long enough" if row["case"] == "wrong secret" else SECRET
    algorithm = ALGORITHMS.get(row["case"], "HS256")
    return jwt.encode(claims, None if algorithm == "none" else secret, algorithm=algorithm)


def number_of(value: Any) -> Any:
    if isinstance(value, str) and (match := re.fullmatch(r"now([+-]\d+)s", value)):
        return int(time.time()) + int(match[1])
    return json.loads(json.dumps(value))


def wrap(request: rtc.JoinRequest) -> str:
    wrapped = rtc.WrappedJoinRequest(
        compression=rtc.WrappedJoinRequest.Compression.GZIP,
        join_request=gzip.compress(request.SerializeToString()),
    )
    return base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()
