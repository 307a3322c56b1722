from livekit.protocol.models import DisconnectReason
from livekit.protocol.rtc import LeaveRequest

from tests.harness.raw_signal import V0, signalling
from tests.harness.server import Server


async def test_who_is_told_what(server: Server, room: str) -> None:
    old_protocol = {"protocol": "9", "sdk": "js"}
    async with (
        signalling(server, server.token(room, "bob")) as bob,
        signalling(server, server.token(room, "carol"), V0, old_protocol) as carol,
        signalling(server, server.token(room, "alice")) as first,
    ):
        old_sid = (await first.hears("join")).participant.sid
        for client in (bob, carol):
            await client.learns("alice")
        async with signalling(server, server.token(room, "alice")) as second:
            leave = await first.hears("leave")
            assert (leave.reason, leave.action) == (
                DisconnectReason.DUPLICATE_IDENTITY,
                LeaveRequest.DISCONNECT,
            )
            assert await first.ends() == 1000
            new_sid = (await second.hears("join")).participant.sid
            assert new_sid != old_sid
            for client in (bob, carol):
                await client.learns("alice", lambda info: info.sid == new_sid)
            gone = await carol.learns("alice", lambda info: info.state == info.DISCONNECTED)
            assert (gone.sid, gone.disconnect_reason) == (old_sid, DisconnectReason.DUPLICATE_IDENTITY)
            ended = [info.sid for update in bob.heard("update") for info in update.participants]
            assert old_sid not in ended[ended.index(new_sid) :]
