"""Traps of LiveKit's clients that are about HTTP."""

import pytest
from livekit.protocol import rtc

from tests.harness.raw_signal import V0, V1, get, join_parameters, signalling
from tests.harness.server import Server

ORIGIN = {"Origin": "https://example.org"}


@pytest.mark.parametrize("path", [V0, V1])
async def test_trap_10_a_page_can_read_why_it_was_refused(server: Server, path: str) -> None:
    for query in ({}, {"access_token": "nonsense"}):
        status, text, headers = await get(server, f"{path}/validate", query, headers=ORIGIN, upgrade=False)
        assert status >= 400
        assert text
        assert headers["Access-Control-Allow-Origin"] in ("*", ORIGIN["Origin"])


async def test_trap_11_only_an_absent_room_is_called_absent(server: Server, room: str) -> None:
    refused = [
        ({}, 401),
        (join_parameters() | {"access_token": "nonsense"}, 401),
        ({"access_token": server.token(room, "alice")}, 400),
        ({"access_token": server.token(room, "alice"), "join_request": "!"}, 400),
    ]
    for query, expected in refused:
        status, text, _ = await get(server, f"{V1}/validate", query, upgrade=False)
        assert status == expected
        assert "requested room does not exist" not in text


async def test_trap_25_a_large_offer_fits_into_the_url(server: Server, room: str) -> None:
    candidates = "".join(f"a=x-filler:{number} {'0123456789' * 4}\r\n" for number in range(400))
    offer = rtc.SessionDescription(type="offer", sdp=f"v=0\r\n{candidates}")
    request = rtc.JoinRequest(publisher_offer=offer)
    parameters = join_parameters(request, compressed=False)
    assert len(parameters["join_request"]) > 16_000
    async with signalling(server, server.token(room, "alice"), V1, parameters) as signal:
        assert (await signal.hears("join")).participant.identity == "alice"
