"""Faults 84 to 87: tokens that must not open the door, over HTTP as a client would try them."""

import base64
import json
import time
from collections.abc import Mapping
from urllib.parse import quote

import aiohttp
import jwt
import pytest
from livekit.protocol import rtc

from auth.keys import KeyRing
from tests.faults.conftest import Target, token
from tests.harness.http_server import SECRET, serving
from tests.harness.raw_http import Answer, ask
from tests.harness.scripted_rooms import ScriptedRooms

VIDEO = {"roomJoin": True, "room": "r"}
HEADER = {"alg": "HS256", "typ": "JWT"}


def encode(part: object) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**changes: object) -> dict[str, object]:
    return {"iss": "devkey", "sub": "u", "exp": int(time.time()) + 600, "video": VIDEO} | changes


def signed(payload: Mapping[str, object], secret: str = SECRET, **header: str) -> str:
    return jwt.encode(dict(payload), secret, algorithm="HS256", headers=header)


async def validate(port: int, jwt_text: str) -> Answer:
    return await ask(port, f"/rtc/validate?access_token={quote(jwt_text)}")


def forgeries() -> dict[str, str]:
    good = signed(claims())
    head, body, signature = good.split(".")
    return {
        "alg none": f"{encode(HEADER | {'alg': 'none'})}.{body}.",
        "alg None in odd case": f"{encode(HEADER | {'alg': 'nOnE'})}.{body}.{signature}",
        "alg RS256 with our secret as public key": f"{encode(HEADER | {'alg': 'RS256'})}.{body}.{signature}",
        "alg a list": f"{encode(HEADER | {'alg': ['HS256']})}.{body}.{signature}",
        "no alg": f"{encode({'typ': 'JWT'})}.{body}.{signature}",
        "empty signature": f"{head}.{body}.",
        "signature of something else": f"{head}.{encode(claims(sub='admin'))}.{signature}",
        "data after the signature": good + "AAAA",
        "a fourth part": good + ".AAAA",
        "detached payload": f"{head}..{signature}",
        "crit header": signed(claims(), crit="x"),  # type: ignore[arg-type]
        "a megabyte": f"{head}.{'A' * 60_000}.{signature}",
        "payload a list": f"{head}.{encode([1])}.{signature}",
        "payload nested deeply": f"{head}.{encode(b'[' * 30_000)}.{signature}",
        "header nested deeply": f"{encode(b'[' * 30_000)}.{body}.{signature}",
        "no base64": f"{head}.!!!.{signature}",
        "issuer of another key": signed(claims(iss="nobody")),
        "issuer a number": signed(claims()).replace(body, encode(claims(iss=7))),
        "expired": signed(claims(exp=int(time.time()) - 61)),
        "not yet valid": signed(claims(nbf=int(time.time()) + 70)),
        "without exp": signed({"iss": "devkey", "sub": "u", "video": VIDEO}),
        "without video": signed({"iss": "devkey", "sub": "u", "exp": int(time.time()) + 600}),
        "video null": signed(claims(video=None)),
        "video a string": signed(claims(video="all")),
        "roomJoin a string": signed(claims(video={"roomJoin": "true", "room": "r"})),
        "roomJoin 1": signed(claims(video={"roomJoin": 1, "room": "r"})),
        "only roomAdmin": signed(claims(video={"roomAdmin": True, "room": "r"})),
    }


@pytest.mark.parametrize("name", forgeries())
async def test_refused(target: Target, name: str) -> None:
    answer = await validate(target.port, forgeries()[name])
    assert answer.status == 401, answer.body
    assert answer.headers["access-control-allow-origin"] == "*"
    assert SECRET not in answer.body


@pytest.mark.parametrize("skew_s", [-50, 50])
async def test_clocks_may_differ_by_less_than_a_minute(target: Target, skew_s: int) -> None:
    now = int(time.time())
    dated = claims(nbf=now + skew_s) if skew_s > 0 else claims(exp=now + skew_s)
    assert (await validate(target.port, signed(dated))).status == 200


@pytest.mark.parametrize("kid", ["unknown", "../../etc/passwd", "' OR 1=1"])
async def test_a_key_id_is_not_looked_at(target: Target, kid: str) -> None:
    assert (await validate(target.port, signed(claims(), kid=kid))).status == 200


async def test_expiry_does_not_cut_a_call(target: Target) -> None:
    async with aiohttp.ClientSession() as client:
        # Valid within the leeway alone: expired already, in the strict sense, while connected.
        url = f"http://127.0.0.1:{target.port}/rtc?access_token={token('late', ttl_s=-30)}"
        async with client.ws_connect(url) as socket:
            await socket.receive_bytes()
            await socket.send_bytes(rtc.SignalRequest(ping=1).SerializeToString())
            assert rtc.SignalResponse.FromString(await socket.receive_bytes()).HasField("pong")


@pytest.mark.parametrize(
    "identity", ["\u0000", "a\r\nb", "../..", "😀" * 64, "<script>alert(1)</script>", "‮", "a#b", " "]
)
async def test_any_text_is_an_identity(target: Target, identity: str) -> None:
    assert (await validate(target.port, signed(claims(sub=identity)))).status == 200


@pytest.mark.parametrize("room", ["*", "%", ".*", "r\u0000"])
async def test_room_names_are_no_patterns(target: Target, room: str) -> None:
    async with aiohttp.ClientSession() as client:
        jwt_text = signed(claims(video={"roomJoin": True, "room": room}))
        async with client.ws_connect(f"http://127.0.0.1:{target.port}/rtc?access_token={jwt_text}") as socket:
            await socket.receive_bytes()
    wanted = target.rooms.sessions[-1].request.claims.video
    assert wanted is not None
    assert wanted.room == room


async def test_a_withdrawn_key_opens_no_more_doors() -> None:
    rooms = ScriptedRooms()
    async with serving(rooms, keys=KeyRing({"newkey": SECRET})) as port:
        answer = await validate(port, token())
        assert (answer.status, answer.body) == (401, "invalid API key")
        assert (await validate(port, signed(claims(iss="newkey")))).status == 200
