from livekit.protocol.models import DisconnectReason
from livekit.protocol.rtc import JoinRequest, LeaveRequest

from tests.harness.raw_signal import LIKE_JS, V0, V1, RawSignal, join_parameters, signalling
from tests.harness.server import Server


async def _is_sent_to_a_fresh_start(client: RawSignal) -> None:
    leave = await client.hears("leave")
    assert (leave.reason, leave.action) == (DisconnectReason.STATE_MISMATCH, LeaveRequest.RECONNECT)
    assert client.frames[0].kind == "leave"
    assert await client.ends() == 1000


async def test_an_unknown_session_must_start_afresh_on_rtc(server: Server, room: str) -> None:
    resume = LIKE_JS | {"reconnect": "1", "sid": "PA_unknown"}
    async with signalling(server, server.token(room, "alice"), V0, resume) as alice:
        await _is_sent_to_a_fresh_start(alice)


async def test_an_unknown_session_must_start_afresh_on_rtc_v1(server: Server, room: str) -> None:
    resume = join_parameters(JoinRequest(reconnect=True, participant_sid="PA_unknown"))
    async with signalling(server, server.token(room, "alice"), V1, resume) as alice:
        await _is_sent_to_a_fresh_start(alice)


async def test_a_second_connection_takes_the_session_over(server: Server, room: str) -> None:
    token = server.token(room, "alice")
    async with signalling(server, token) as first:
        joined = await first.hears("join")
        resume = LIKE_JS | {"reconnect": "1", "sid": joined.participant.sid}
        async with signalling(server, token, V0, resume) as second:
            reconnect = await second.hears("reconnect")
            assert second.frames[0].kind == "reconnect"
            assert reconnect.server_info.protocol == joined.server_info.protocol
            assert (await second.learns("alice")).sid == joined.participant.sid
            assert await first.ends() == 1000
            assert not first.heard("leave")


async def test_a_session_that_never_had_media_ends_with_its_connection(server: Server, room: str) -> None:
    token = server.token(room, "alice")
    async with signalling(server, server.token(room, "bob")) as bob:
        async with signalling(server, token) as alice:
            sid = (await alice.hears("join")).participant.sid
            await alice.drop()
        await bob.learns("alice", lambda info: info.state == info.DISCONNECTED)
        async with signalling(server, token, V0, LIKE_JS | {"reconnect": "1", "sid": sid}) as again:
            await _is_sent_to_a_fresh_start(again)
