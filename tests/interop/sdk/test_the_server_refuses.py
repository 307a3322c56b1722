import pytest
from livekit import rtc

from tests.harness.clients import SdkClient
from tests.harness.server import Server


@pytest.mark.parametrize("token", ["nonsense", "expired", "no-join"])
async def test_a_bad_token_is_a_connect_error(server: Server, room: str, token: str) -> None:
    tokens = {
        "nonsense": "a.b.c",
        "expired": server.token(room, "alice", ttl_s=-3600),
        "no-join": server.token(room, "alice", room_join=False),
    }
    with pytest.raises(rtc.ConnectError, match="401"):
        await SdkClient().connect(server, tokens[token])
