"""Faults 84 to 86 and 108 against the whole server: tokens that open no door, and grants that hold inside."""

import asyncio
import base64
import time
from urllib.parse import quote

import aiohttp
import jwt
import pytest
from aiohttp import WSServerHandshakeError
from livekit.protocol import models, rtc

from tests.faults.bystander import Media
from tests.faults.test_jwt_access import claims, forgeries
from tests.harness.attacker import Attacker
from tests.harness.raw_http import ask
from tests.harness.raw_signal import LIKE_JS, V0, V1, get, join_parameters, signalling
from tests.harness.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


def resigned(server: Server, forgery: str) -> str:
    """A forgery of the component's tests under this server's secret, where it was signed at all."""
    parts = forgery.split(".")
    try:
        payload = jwt.decode(forgery, options={"verify_signature": False})
        header = jwt.get_unverified_header(forgery)
    except jwt.InvalidTokenError:
        return forgery
    if len(parts) != 3 or header.get("alg") != "HS256" or parts[2] == "":
        return forgery
    return jwt.encode(payload, server.api_secret, algorithm="HS256", headers=header)


async def test_84_and_85_tokens_that_open_no_door(media: Media, server: Server) -> None:
    port = server.port
    good = resigned(server, forgeries()["expired"]).split(".")[0]
    wrong_secret = jwt.encode(claims(), "another secret", algorithm="HS256")
    signed_by_guess = {f"guess {n}": jwt.encode(claims(), f"s{n}", algorithm="HS256") for n in range(20)}
    before = server.log_size()
    for name, forgery in (forgeries() | signed_by_guess | {"wrong secret": wrong_secret}).items():
        token = resigned(server, forgery) if name in ("expired", "not yet valid", "without exp") else forgery
        for path in ("/rtc/validate", "/rtc", "/rtc/v1"):
            answer = await ask(port, f"{path}?access_token={quote(token)}")
            assert 400 <= answer.status < 500, name
            assert server.api_secret not in answer.body
    huge = await ask(
        port, "/rtc/validate", headers={"Authorization": "Bearer " + good + "." + "A" * 1_000_000}
    )
    assert 400 <= huge.status < 500
    log = server.log(before)
    assert good not in log  # no token is ever logged
    assert len(log) < 200_000


async def test_85_a_token_that_expires_during_the_call(media: Media, server: Server, room: str) -> None:
    """It stays good for the minute of leeway, so this one has been over for most of it."""
    token = server.token(room, "late", ttl_s=-59)
    async with signalling(server, token) as signal:
        sid = (await signal.hears("join")).participant.sid
        await asyncio.sleep(1.5)  # now it is
        await signal.send(ping=1)
        await signal.hears("pong")
        with pytest.raises(WSServerHandshakeError) as refusal:
            async with signalling(server, token, V0, LIKE_JS | {"reconnect": "1", "sid": sid}):
                pass
        assert refusal.value.status == 401
        fresh = await signal.hears("refresh_token")
        assert jwt.decode(fresh, server.api_secret, algorithms=["HS256"])["exp"] > time.time() + 60
        async with signalling(server, fresh, V0, LIKE_JS | {"reconnect": "1", "sid": sid}) as back:
            assert back.frames or await back.hears("reconnect") is not None


async def test_86_grants_hold(media: Media, server: Server, room: str, mallory: Attacker) -> None:
    listener = server.token(room, "listener", can_publish=False, can_publish_data=False)
    async with signalling(server, listener, V1, join_parameters()) as signal:
        await signal.hears("join")
        for source in (0, 1, 2, 3, 4, 77):
            await signal.send(add_track=rtc.AddTrackRequest(cid=f"c{source}", source=source))  # type: ignore[arg-type]
        await signal.send(update_metadata=rtc.UpdateParticipantMetadata(metadata="admin", request_id=5))
        await signal.send(mute=rtc.MuteTrackRequest(sid=mallory.audio.sid, muted=True))  # somebody else's
        everybody = rtc.SubscriptionPermission(all_participants=False)
        await signal.send(subscription_permission=everybody)
        await signal.send(ping=1)
        await signal.hears("pong")
        assert not signal.heard("track_published")
        refused = [response.reason for response in signal.heard("request_response")]
        assert refused.count(rtc.RequestResponse.NOT_ALLOWED) >= 7
    await mallory.is_heard()  # neither muted nor taken from the witness
    microphone = server.token(room, "singer", can_publish_sources=["microphone"])
    async with signalling(server, microphone, V1, join_parameters()) as signal:
        await signal.send(add_track=rtc.AddTrackRequest(cid="cam", type=models.VIDEO, source=models.CAMERA))
        reply = await signal.hears("request_response")
        assert reply.reason == rtc.RequestResponse.NOT_ALLOWED
    async with (
        signalling(server, server.token(room, "ghost", hidden=True)) as ghost,
        signalling(server, server.token(room, "seer")) as seer,
    ):
        await ghost.hears("join")
        seen = {info.identity for info in (await seer.hears("join")).other_participants}
        assert "ghost" not in seen
        assert {"mallory", "witness"} <= seen


async def test_86_metadata_cannot_be_forged_through_the_query(server: Server, room: str) -> None:
    forged = base64.b64encode(b'{"role": "admin"}').decode()
    speaker = {"hubbub.role": "speaker"}
    query = {"access_token": server.token(room, "forger"), "attributes": forged}
    role = {"access_token": server.token(room, "forger", attributes=speaker, can_update_own_metadata=True)}
    async with aiohttp.ClientSession(server.http_url) as http:
        for wanted in (query, query | role):
            async with http.get("/rtc/validate", params=wanted) as answer:
                assert (answer.status, await answer.text()) == (401, "no permissions to access the room")


ODD = [
    "a\r\nlevel=error forged",
    "\x1b[2J\x1b]0;owned\x07",
    "\0",
    "../../etc",
    "‮drawkcab",
    "😀" * 60,
    "\u2028x",
]


async def test_86_odd_names_and_108_log_injection(media: Media, server: Server, room: str) -> None:
    before = server.log_size()
    for number, text in enumerate(ODD):
        for token in (
            server.token(room, text, name=text, metadata=text, attributes={text: text}),
            server.token(text, f"guest{number}"),
        ):
            async with signalling(server, token) as signal:
                await signal.hears("join")
                await signal.send(leave=rtc.LeaveRequest(reason=models.CLIENT_INITIATED))
            odd = {"access_token": token, "sdk": text, "version": text, "device_model": text, "os": text}
            status, _, _ = await get(server, "/rtc/validate", odd)
            assert status in (200, 400)
    log = server.log(before)
    assert "\x1b" not in log
    assert "\nlevel=error forged" not in log
    assert "\u2028" not in log
    assert "\0" not in log


async def test_108_a_flood_of_bad_input_is_no_flood_of_lines(
    media: Media, server: Server, room: str, mallory: Attacker
) -> None:
    before = server.log(0).count("\n")
    for number in range(3000):
        mallory.datagram(b"\x80\x60" + number.to_bytes(2, "big") + bytes(40))
        mallory.datagram(b"\x16\xfe\xfd" + number.to_bytes(2, "big"))
        mallory.datagram(b"\0\x01" + number.to_bytes(2, "big"))
        mallory.rtcp(b"\x80\xc9\0\x7f" + bytes(8))
        mallory.sctp(number.to_bytes(20, "big"))
        if number % 50 == 0:
            await mallory.request(mute=rtc.MuteTrackRequest(sid=str(number)))
            await asyncio.sleep(0)
    await mallory.is_heard()
    assert server.log(0).count("\n") - before < 20
