from contextlib import suppress

import pytest

from tests.harness.raw_signal import RawSignal, signalling
from tests.harness.server import Server


async def _answers(client: RawSignal, timestamp: int) -> None:
    await client.send(ping=timestamp)
    await client.hears("pong")


@pytest.mark.parametrize("frame", [b"\xff\xff\xff\xff\xff", b"\x0a\x7f"], ids=["garbage", "truncated"])
async def test_bytes_that_are_no_message_close_the_socket(server: Server, room: str, frame: bytes) -> None:
    async with (
        signalling(server, server.token(room, "bob")) as bob,
        signalling(server, server.token(room, "alice")) as alice,
    ):
        await alice.hears("join")
        await alice.socket.send_bytes(frame)
        assert await alice.ends() == 1000
        assert not alice.heard("leave")
        await _answers(bob, 1)


@pytest.mark.parametrize("frame", [b"", b"\xc2\x0c\x02\x08\x01"], ids=["empty", "unknown-field"])
async def test_a_message_without_meaning_is_ignored(server: Server, room: str, frame: bytes) -> None:
    async with signalling(server, server.token(room, "alice")) as alice:
        await alice.socket.send_bytes(frame)
        await _answers(alice, 1)


async def test_a_message_over_two_mebibytes_is_refused(server: Server, room: str) -> None:
    async with (
        signalling(server, server.token(room, "bob")) as bob,
        signalling(server, server.token(room, "alice", can_update_own_metadata=True)) as alice,
    ):
        await alice.hears("join")
        with suppress(ConnectionError):  # it may be closed while this is being sent
            await alice.send(update_metadata={"metadata": "n" * 2_200_000})
        assert await alice.ends() in (1009, None)  # a reset may overtake the close frame
        await _answers(bob, 1)


async def test_a_client_that_goes_without_leave_before_ice_is_gone(server: Server, room: str) -> None:
    async with signalling(server, server.token(room, "bob")) as bob:
        async with signalling(server, server.token(room, "alice")) as alice:
            await alice.hears("join")
        gone = await bob.learns("alice", lambda info: info.state == info.DISCONNECTED)
        assert gone.sid == alice.heard("join")[0].participant.sid
