from tests.harness.raw_signal import signalling
from tests.harness.server import Server


async def test_both_kinds_of_ping(server: Server, room: str) -> None:
    async with signalling(server, server.token(room, "alice")) as alice:
        await alice.send(ping=1700000000000)
        assert await alice.hears("pong") > 1700000000000
        await alice.send(ping_req={"timestamp": 5, "rtt": 3})
        pong = await alice.hears("pong_resp")
        assert pong.last_ping_timestamp == 5
        assert pong.timestamp > 1700000000000
