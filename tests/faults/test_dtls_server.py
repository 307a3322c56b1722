"""Faults 18 to 28 thrown at a running server: DTLS of strangers, of those whose path is known, and of members."""

import asyncio
import os
from contextlib import closing
from typing import cast

import pytest
from livekit.protocol import rtc

from hubbub.load.errors import JoinError
from tests.faults.bystander import Media
from tests.harness.attacker import Attacker, Stranger, client_hello, visitor
from tests.harness.eventually import eventually
from tests.harness.rtp_stream import rtp_header
from tests.harness.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


def record(kind: int, body: bytes, *, epoch: int = 0, sequence: int = 0, version: int = 0xFEFD) -> bytes:
    head = bytes([kind]) + version.to_bytes(2, "big") + epoch.to_bytes(2, "big") + sequence.to_bytes(6, "big")
    return head + len(body).to_bytes(2, "big") + body


def fragment(kind: int, size: int, number: int, offset: int, part: bytes) -> bytes:
    """A handshake message's fragment that may say anything of the whole."""
    numbers = size.to_bytes(3, "big") + number.to_bytes(2, "big") + offset.to_bytes(3, "big")
    return bytes([kind]) + numbers + len(part).to_bytes(3, "big") + part


GARBAGE = [
    *(
        record(kind, os.urandom(40), version=version)
        for kind in range(20, 64)
        for version in (0xFEFF, 0, 0xFEFD)
    ),
    *(
        record(22, os.urandom(40), epoch=epoch, sequence=sequence)
        for epoch in (1, 2, 65_535)
        for sequence in (0, 9)
    ),
    record(22, fragment(1, (1 << 24) - 1, 0, 0, bytes(100))),
    record(22, fragment(1, 200, 0, 100, bytes(1)) + fragment(1, 200, 0, 50, bytes(150))),
    record(22, fragment(1, 0, 0, 0, b"")) * 50,
    *(record(22, fragment(1, 60_000, 0, at, bytes(1000))) for at in range(0, 60_000, 2000)),
    record(22, b""),
    record(23, b"plain text")[:-4],
    b"\x16",
    b"\x16\xfe\xfd" + b"\xff" * 10,
    b"\x3f" * 1400,
]


async def test_18_a_hello_from_elsewhere_breaks_no_handshake(media: Media, server: Server, room: str) -> None:
    hello = await client_hello()
    async with visitor(server, room) as guest:
        with closing(Stranger(guest.address)) as stranger:
            for number in range(200):
                stranger.send(hello[:27] + os.urandom(32) + hello[59:])
                if number == 100:
                    await guest.find_path()  # the race: the path is known, but to another address
            await guest.shake_hands()
            assert stranger.heard() == []
        assert guest.transport.connected


async def test_18_an_address_stays_with_who_uses_it(
    media: Media, server: Server, room: str, mallory: Attacker
) -> None:
    """Checks signed by one member but sent (forged) from another's address: neither takes it nor loses it."""
    await mallory.settles()
    async with visitor(server, room, "thief") as thief:
        for _ in range(20):
            mallory.datagram(thief.check())
        mallory.datagram(await client_hello())
        await mallory.is_heard()
        await mallory.hears()
    await asyncio.sleep(0.1)  # the thief has gone, and what was theirs with them
    await mallory.is_heard()
    await mallory.hears()
    await mallory.is_served()


async def test_19_fragments_and_20_garbage(
    media: Media, server: Server, room: str, mallory: Attacker
) -> None:
    for _ in range(3):
        for datagram in GARBAGE:
            mallory.datagram(datagram)  # after the handshake
    await mallory.is_served()
    await mallory.is_heard()
    async with visitor(server, room, "guest") as guest:
        await guest.find_path()
        for datagram in GARBAGE:
            guest.transport._send(datagram)  # before and during the handshake
        handshake = asyncio.create_task(guest.shake_hands())
        for datagram in GARBAGE:
            guest.transport._send(datagram)
            await asyncio.sleep(0)
        # Whether it works out is the guest's own affair: some of this passes for its own words.
        await asyncio.wait([handshake], timeout=0.5)
        handshake.cancel()
        await asyncio.gather(handshake, return_exceptions=True)
    await mallory.is_heard()


@pytest.mark.parametrize("lie", ["mismatch", "unknown algorithm", "none"])
async def test_22_fingerprints_that_lie(media: Media, server: Server, room: str, lie: str) -> None:
    def change(offer: str) -> str:
        lines = offer.splitlines()
        at = [number for number, line in enumerate(lines) if line.startswith("a=fingerprint:")]
        for number in at:
            lines[number] = {
                "mismatch": "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
                "unknown algorithm": "a=fingerprint:md5 " + ":".join(["AB"] * 16),
                "none": "a=x",
            }[lie]
        return "\r\n".join(lines) + "\r\n"

    if lie != "mismatch":
        with pytest.raises(JoinError):
            async with visitor(server, room, change=change):
                pass
        return
    async with visitor(server, room, change=change) as guest:
        await guest.find_path()
        shaking = asyncio.create_task(guest.shake_hands())
        assert (await guest.signal.hears("leave")).action == rtc.LeaveRequest.RESUME
        for _ in range(100):
            guest.transport._send(rtp_header(111, 1, 1, 1, False) + bytes(40))
        shaking.cancel()
        await asyncio.gather(shaking, return_exceptions=True)


@pytest.mark.parametrize("setup", ["active", "passive", "holdconn", "nonsense"])
async def test_23_roles(media: Media, server: Server, room: str, setup: str) -> None:
    def change(offer: str) -> str:
        return offer.replace("a=setup:actpass", f"a=setup:{setup}")

    try:
        async with visitor(server, room, change=change) as guest:
            # For all but passive the server waits; for passive it begins.
            assert guest.answer.setup == ("active" if setup == "passive" else "passive")
            await guest.shake_hands()
            assert guest.transport.connected
    except JoinError:
        assert setup in ("holdconn", "nonsense")


async def test_25_close_notify_mid_call(media: Media, mallory: Attacker) -> None:
    await mallory.settles()
    for datagram in (
        record(21, b"\x02\x28"),
        record(21, b"\x01\0"),
        record(21, b"\x02\x50", epoch=1, sequence=99),
    ):
        for _ in range(20):
            mallory.datagram(datagram)  # alerts that nobody authenticated
    await mallory.is_served()
    await mallory.is_heard()
    dtls = mallory.client.transport._dtls
    assert dtls is not None
    dtls.close()
    await eventually(lambda: mallory.client.failure, "the end of a session whose DTLS was closed")
    assert "ended the session" in mallory.client.failure


async def test_27_media_before_the_handshake_is_over(media: Media, server: Server, room: str) -> None:
    async with visitor(server, room) as guest:
        await guest.find_path()
        for number in range(5000):
            ssrc = number if number % 2 else 7
            guest.transport._send(rtp_header(111, number & 0xFFFF, 1, ssrc, False) + bytes(100))
            guest.transport._send(bytes.fromhex("80c90001") + os.urandom(30))
            if number % 64 == 0:
                await asyncio.sleep(0)
        await guest.shake_hands()
        assert guest.transport.connected
    media.stays_small(8 << 20)


async def test_28_ten_thousand_hellos_to_one_transport(media: Media, server: Server, room: str) -> None:
    hello = await client_hello()
    async with visitor(server, room) as guest:
        await guest.find_path()
        process = media.process
        busy = sum(process.cpu_times()[:2]) if process else 0.0
        for number in range(10_000):
            guest.transport._send(hello[:27] + os.urandom(32) + hello[59:])
            if number % 32 == 0:
                await asyncio.sleep(0.001)
        leave = await guest.signal.hears("leave", within_s=10)  # given up
        assert cast(rtc.LeaveRequest, leave).action == rtc.LeaveRequest.RESUME
        assert not process or sum(process.cpu_times()[:2]) - busy < 4
    media.stays_small(8 << 20)
