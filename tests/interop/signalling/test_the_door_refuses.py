import jwt
import pytest
from livekit.protocol.models import ClientInfo
from livekit.protocol.rtc import JoinRequest

from tests.harness.raw_signal import V0, V1, get, join_parameters, signalling
from tests.harness.server import Server

PATHS = [V0, V1]
ORIGIN = {"Origin": "https://example.org"}


def _tokens(server: Server, room: str) -> dict[str, str]:
    return {
        "none": "",
        "nonsense": "nonsense",
        "other-secret": jwt.encode({"iss": server.api_key, "sub": "a", "exp": 2**31}, "x" * 32, "HS256"),
        "unknown-key": jwt.encode({"iss": "nobody", "sub": "a", "exp": 2**31}, server.api_secret, "HS256"),
        "unsigned": jwt.encode({"iss": server.api_key, "sub": "a", "exp": 2**31}, "", "none"),
        "expired": server.token(room, "alice", ttl_s=-3600),
        "no-join": server.token(room, "alice", room_join=False),
    }


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "token", ["none", "nonsense", "other-secret", "unknown-key", "unsigned", "expired", "no-join"]
)
async def test_a_bad_token_is_401_readable_by_a_page(
    server: Server, room: str, path: str, token: str
) -> None:
    query = join_parameters() | {"access_token": _tokens(server, room)[token]}
    for validate in ("", "/validate"):
        status, _, headers = await get(server, path + validate, query, headers=ORIGIN, upgrade=not validate)
        assert status == 401
        assert headers["Access-Control-Allow-Origin"] in ("*", ORIGIN["Origin"])


@pytest.mark.parametrize("path", PATHS)
async def test_a_good_token_validates_by_query_and_by_header(server: Server, room: str, path: str) -> None:
    token = server.token(room, "alice")
    for sent in ({"access_token": token}, {}):
        headers = ORIGIN if sent else ORIGIN | {"Authorization": f"Bearer {token}"}
        status, body, answered = await get(
            server, f"{path}/validate", join_parameters() | sent, headers=headers
        )
        assert (status, body.strip()) == (200, "success")
        assert answered["Access-Control-Allow-Origin"] in ("*", ORIGIN["Origin"])


@pytest.mark.parametrize("request_text", ["", "%%%", "AAAA", "Cgw="], ids=["missing", "text", "zeros", "cut"])
async def test_a_bad_join_request_is_400(server: Server, room: str, request_text: str) -> None:
    query = {"access_token": server.token(room, "alice")}
    query |= {"join_request": request_text} if request_text else {}
    status, _, _ = await get(server, V1, query, upgrade=True)
    assert status == 400


@pytest.mark.parametrize(("identity", "room_name"), [("", "r"), ("a" * 257, "r"), ("alice", "r" * 257)])
async def test_an_impossible_name_is_400(server: Server, identity: str, room_name: str) -> None:
    claims = {"iss": server.api_key, "sub": identity, "exp": 2**31}
    claims["video"] = {"roomJoin": True, "room": room_name}
    query = {"access_token": jwt.encode(claims, server.api_secret, "HS256")}
    status, *_ = await get(server, "/rtc/validate", query)
    assert status == 400


async def test_what_is_no_websocket_is_404(server: Server, room: str) -> None:
    query = {"access_token": server.token(room, "alice")}
    status, body, _ = await get(server, V0, query)
    assert (status, body) == (404, "")


async def test_health_and_a_doubled_slash(server: Server, room: str) -> None:
    status, *_ = await get(server, "/")
    assert status == 200
    async with signalling(server, server.token(room, "alice"), "//rtc") as alice:
        await alice.hears("join")


async def test_a_long_join_request_gets_in(server: Server, room: str) -> None:

    request = JoinRequest(client_info=ClientInfo(device_model="x" * 30_000))
    long = join_parameters(request, compressed=False)
    async with signalling(server, server.token(room, "alice"), V1, long) as alice:
        await alice.hears("join")
