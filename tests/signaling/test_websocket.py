"""The signalling routes over real sockets, with a scripted model behind them."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import uvloop
from livekit.protocol import rtc

from auth.grants import Claims, VideoGrant
from auth.tokens import mint
from signaling.config import SignalingConfig
from signaling.patience import Patience
from tests.harness.eventually import PATIENCE_S
from tests.harness.http_server import SECRET, serving
from tests.harness.scripted_rooms import ScriptedRooms, ScriptedSession

TOKEN = mint(
    Claims(identity="u", video=VideoGrant(room_join=True, room="r")), "devkey", SECRET, now=time.time()
)


@asynccontextmanager
async def connected(
    rooms: ScriptedRooms, config: SignalingConfig | None = None, path: str = "/rtc", **params: str
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A WebSocket that has had its first message."""
    async with serving(rooms, config) as port, aiohttp.ClientSession() as client:
        url = f"http://127.0.0.1:{port}{path}"
        async with client.ws_connect(url, params={"access_token": TOKEN, **params}, autoping=False) as socket:
            first = rtc.SignalResponse.FromString(await socket.receive_bytes())
            assert first.WhichOneof("message") in ("join", "reconnect", "leave")
            yield socket


async def closed(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    """Wait for the server's close and return its code."""
    while (await socket.receive(timeout=5)).type not in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
        pass
    return socket.close_code


async def lost(session: ScriptedSession) -> None:
    """Wait until the session has been told that its connection is gone."""
    async with asyncio.timeout(PATIENCE_S):
        while not session.lost:
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("path", ["/rtc", "//rtc", "/some/prefix/rtc", "/rtc/v1"])
async def test_requests_reach_the_session(path: str) -> None:
    rooms = ScriptedRooms()
    params = {"join_request": "EgA="} if path == "/rtc/v1" else {}
    async with connected(rooms, path=path, **params) as socket:
        request = rtc.SignalRequest(mute=rtc.MuteTrackRequest(sid="TR_x", muted=True))
        await socket.send_bytes(request.SerializeToString())
        await socket.send_bytes(rtc.SignalRequest(ping=1).SerializeToString())
        await socket.receive_bytes()
        assert rooms.sessions[0].requests == [request]
        assert rooms.sessions[0].request.single_pc == (path == "/rtc/v1")
    await lost(rooms.sessions[0])
    assert rooms.sessions[0].lost == 1


async def test_both_pings_are_answered_without_the_session() -> None:
    rooms = ScriptedRooms()
    async with connected(rooms) as socket:
        await socket.send_bytes(rtc.SignalRequest(ping=5).SerializeToString())
        pong = rtc.SignalResponse.FromString(await socket.receive_bytes()).pong
        assert abs(pong - time.time() * 1000) < 5000
        await socket.send_bytes(rtc.SignalRequest(ping_req=rtc.Ping(timestamp=42)).SerializeToString())
        answer = rtc.SignalResponse.FromString(await socket.receive_bytes()).pong_resp
        assert answer.last_ping_timestamp == 42
        assert abs(answer.timestamp - time.time() * 1000) < 5000
        assert rooms.sessions[0].requests == []


async def test_text_frames_turn_answers_to_json() -> None:
    async with connected(ScriptedRooms()) as socket:
        await socket.send_str('{"pingReq": {"timestamp": "7"}}')
        assert json.loads(await socket.receive_str())["pongResp"]["lastPingTimestamp"] == "7"
        await socket.send_bytes(rtc.SignalRequest(ping=5).SerializeToString())
        assert rtc.SignalResponse.FromString(await socket.receive_bytes()).pong


async def test_a_leave_is_flushed_before_the_close() -> None:
    def hang_up(session: ScriptedSession, request: rtc.SignalRequest) -> None:
        for _ in range(3):
            session.sink.send(rtc.SignalResponse(leave=request.leave))
        session.sink.close()
        session.sink.send(rtc.SignalResponse(refresh_token="too late"))

    rooms = ScriptedRooms(on_request=hang_up)
    async with connected(rooms) as socket:
        await socket.send_bytes(rtc.SignalRequest(leave=rtc.LeaveRequest()).SerializeToString())
        for _ in range(3):
            assert rtc.SignalResponse.FromString(await socket.receive_bytes()).HasField("leave")
        assert await closed(socket) == 1000
    await lost(rooms.sessions[0])


@pytest.mark.parametrize("query", [{"reconnect": "1", "sid": "PA_gone"}, {"reconnect": "1"}])
async def test_resuming_an_unknown_session_is_told_to_start_over(query: dict[str, str]) -> None:
    rooms = ScriptedRooms()
    async with serving(rooms) as port, aiohttp.ClientSession() as client:
        url = f"http://127.0.0.1:{port}/rtc"
        async with client.ws_connect(url, params={"access_token": TOKEN, **query}) as socket:
            leave = rtc.SignalResponse.FromString(await socket.receive_bytes()).leave
            assert leave.action == rtc.LeaveRequest.Action.RECONNECT
            assert await closed(socket) == 1000
    assert rooms.sessions == []


async def test_a_session_resumes_over_a_new_connection() -> None:
    rooms = ScriptedRooms()
    wrapped = rtc.WrappedJoinRequest(
        join_request=rtc.JoinRequest(reconnect=True, participant_sid="PA_test").SerializeToString()
    )
    join_request = base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()
    async with serving(rooms) as port, aiohttp.ClientSession() as client:
        url = f"http://127.0.0.1:{port}/rtc"
        async with client.ws_connect(url, params={"access_token": TOKEN}) as socket:
            await socket.receive_bytes()
        await lost(rooms.sessions[0])
        params = {"access_token": TOKEN, "join_request": join_request}
        async with client.ws_connect(url + "/v1", params=params) as socket:
            assert rtc.SignalResponse.FromString(await socket.receive_bytes()).HasField("reconnect")
    assert len(rooms.sessions) == 1


async def test_a_bad_frame_closes_normally() -> None:
    rooms = ScriptedRooms()
    async with connected(rooms) as socket:
        await socket.send_bytes(b"\xff\xff\xff")
        assert await closed(socket) == 1000
    await lost(rooms.sessions[0])


async def test_the_largest_message_passes_and_a_larger_one_closes_with_1009() -> None:
    rooms = ScriptedRooms()
    config = SignalingConfig(max_message_bytes=2000)
    async with connected(rooms, config) as socket:
        # Oneof tag and length, then metadata's tag and length, take 6 bytes.
        update = rtc.SignalRequest(update_metadata=rtc.UpdateParticipantMetadata(metadata="x" * 1994))
        assert update.ByteSize() == 2000
        await socket.send_bytes(update.SerializeToString())
        await socket.send_bytes(rtc.SignalRequest(ping=1).SerializeToString())
        await socket.receive_bytes()
        assert rooms.sessions[0].requests == [update]
        update.update_metadata.metadata += "y"
        await socket.send_bytes(update.SerializeToString())
        assert await closed(socket) == 1009
    await lost(rooms.sessions[0])


async def test_control_pings_are_sent_and_a_silent_client_is_cut_off() -> None:
    rooms = ScriptedRooms()
    config = SignalingConfig(control_ping_s=0.05, ping_timeout_s=1)
    async with connected(rooms, config) as socket:
        message = await socket.receive(timeout=5)  # autoping is off: this client answers nothing
        assert message.type is aiohttp.WSMsgType.PING
        await lost(rooms.sessions[0])


def test_a_timer_is_not_set_again_and_again_until_it_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Event loops round to milliseconds, so that some timers would come too early."""
    looks = []
    take_ping = Patience.take_ping

    def counted(self: Patience, now: float) -> bool:
        looks.append(take_ping(self, now))
        return looks[-1]

    async def pinged() -> None:
        async with connected(ScriptedRooms(), SignalingConfig(control_ping_s=0.1)) as socket:
            loop = asyncio.get_running_loop()
            for _ in range(5):
                for late_s in (0.002, 0.02, 0.04, 0.06, 0.08):
                    loop.call_later(late_s, time.sleep, 0.003)
                assert (await socket.receive(timeout=5)).type == aiohttp.WSMsgType.PING

    monkeypatch.setattr(Patience, "take_ping", counted)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(pinged())
    assert looks == [True] * len(looks)


async def test_pongs_alone_keep_a_connection() -> None:
    rooms = ScriptedRooms()
    config = SignalingConfig(control_ping_s=0.1, ping_timeout_s=1)
    async with connected(rooms, config) as socket:
        for _ in range(15):
            message = await socket.receive(timeout=5)
            assert message.type is aiohttp.WSMsgType.PING
            await socket.pong(message.data)
        assert not rooms.sessions[0].lost


async def test_control_pings_of_the_client_are_answered() -> None:
    async with connected(ScriptedRooms()) as socket:
        await socket.ping(b"are you there")
        message = await socket.receive(timeout=5)
        assert (message.type, message.data) == (aiohttp.WSMsgType.PONG, b"are you there")


async def test_a_full_queue_cuts_off_the_reader_and_not_the_session() -> None:
    def flood(session: ScriptedSession, request: rtc.SignalRequest) -> None:
        for _ in range(20):
            session.sink.send(rtc.SignalResponse(refresh_token="x" * 1000))

    for config in (SignalingConfig(send_queue_messages=10), SignalingConfig(send_queue_bytes=10_000)):
        rooms = ScriptedRooms(on_request=flood)
        async with connected(rooms, config) as socket:
            await socket.send_bytes(rtc.SignalRequest(leave=rtc.LeaveRequest()).SerializeToString())
            await lost(rooms.sessions[0])
            assert len(rooms.sessions[0].requests) == 1


async def test_many_small_requests_are_all_handled_in_order() -> None:
    rooms = ScriptedRooms()
    async with connected(rooms) as socket:
        for number in range(500):
            mute = rtc.MuteTrackRequest(sid=str(number))
            await socket.send_bytes(rtc.SignalRequest(mute=mute).SerializeToString())
        await socket.send_bytes(rtc.SignalRequest(ping=1).SerializeToString())
        await socket.receive_bytes()
        assert [request.mute.sid for request in rooms.sessions[0].requests] == [str(n) for n in range(500)]


async def test_a_client_that_reads_nothing_is_cut_off() -> None:
    """The kernel's buffers are filled first; then the write waits for longer than it may."""

    def flood(session: ScriptedSession, request: rtc.SignalRequest) -> None:
        for _ in range(12):
            session.sink.send(rtc.SignalResponse(refresh_token="x" * 1_000_000))

    rooms = ScriptedRooms(on_request=flood)
    config = SignalingConfig(ping_timeout_s=1, send_queue_bytes=100_000_000)
    async with serving(rooms, config) as port, aiohttp.ClientSession() as client:
        url = f"http://127.0.0.1:{port}/rtc"
        socket = await client.ws_connect(url, params={"access_token": TOKEN}, max_msg_size=0)
        await socket.receive_bytes()
        socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]
        await socket.send_bytes(rtc.SignalRequest(leave=rtc.LeaveRequest()).SerializeToString())
        await lost(rooms.sessions[0])
        await socket.close()


async def test_a_stopping_server_closes_its_connections() -> None:
    rooms = ScriptedRooms()
    async with aiohttp.ClientSession() as client:
        async with serving(rooms) as port:
            url = f"http://127.0.0.1:{port}/rtc"
            socket = await client.ws_connect(url, params={"access_token": TOKEN})
            await socket.receive_bytes()
            reading = asyncio.create_task(closed(socket))
        assert await reading == 1001
    assert rooms.sessions[0].lost == 1
