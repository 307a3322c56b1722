"""Faults 1 to 17 thrown at a running server: STUN of strangers and of members, ICE over TCP, candidates."""

import asyncio
import json
import os
from contextlib import closing
from itertools import cycle, islice

import pytest
from livekit.protocol import rtc

from sfu.net import stun
from sfu.net.framing import frame
from tests.faults.bystander import Media
from tests.harness.attacker import Attacker, Stranger, signed_check, visitor
from tests.harness.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_01_to_09_stun_that_is_broken_gets_no_answer(media: Media, mallory: Attacker) -> None:
    good = signed_check(mallory.client.transport)
    username = mallory.client.transport.ice._username
    bodies = [
        stun._pack(stun.USERNAME, name) for name in (b"", b":", b"x" * 600, b"nobody:here", b"\xff\xfe:")
    ]
    broken = [good[:length] for length in range(1, len(good))]
    broken += [b"\x01" + good[1:length] for length in range(1, 20)]
    broken += [good[:2] + length.to_bytes(2, "big") + good[4:] for length in (0, 1, 3, 4, 60, 100, 0xFFFF)]
    broken += [good[:4] + bytes(4) + good[8:], good[:-1] + b"\0", good[:30] + b"\xff" + good[31:]]
    broken += [stun._finish(stun.BINDING_REQUEST, os.urandom(12), body, b"guess") for body in bodies]
    broken += [stun.binding_request(os.urandom(12), username, b"guess", 1, controlling=1)]
    broken += [b"\0\x01" + n.to_bytes(2, "big") + good[4:20] + bytes(n) for n in (4, 400, 1400)]
    with closing(Stranger(mallory.address)) as stranger:
        for datagram in broken:
            stranger.send(datagram)
            mallory.datagram(datagram)
        stranger.send(good)
        answer = await stranger.hears()  # nothing came before it
        assert stun.parse(answer).type == stun.BINDING_SUCCESS
        assert not stranger.heard()
    await mallory.is_served()
    await mallory.is_heard()


async def test_10_nominations_that_flap(media: Media, mallory: Attacker) -> None:
    await mallory.settles()
    transport = mallory.client.transport
    with closing(Stranger(mallory.address)) as other:
        for _ in range(300):
            mallory.datagram(signed_check(transport))
            other.send(signed_check(transport))
            await asyncio.sleep(0.001)
        media_to_other = [datagram for datagram in other.heard() if datagram[0] >= 128]
        assert len(media_to_other) < 2000
        await asyncio.sleep(0.6)  # a nomination is granted again
        await mallory.is_served()
    await mallory.is_heard()
    await mallory.hears()


async def test_11_a_thousand_validated_addresses(media: Media, mallory: Attacker) -> None:
    transport = mallory.client.transport
    answered = 0
    for number in range(1000):
        with closing(Stranger(mallory.address)) as stranger:
            stranger.send(signed_check(transport, nominate=number % 2 == 0))
            if number % 50 == 0:
                answered += bool(await stranger.hears())
    assert answered == 20
    await asyncio.sleep(0.6)
    await mallory.is_served()  # from the address that was long forgotten
    await mallory.is_heard()
    media.stays_small(8 << 20)


async def test_12_twenty_thousand_unauthenticated_checks(media: Media, mallory: Attacker) -> None:
    ufrag = mallory.client.transport.ice._username.partition(":")[0]
    with closing(Stranger(mallory.address)) as stranger:
        guesses = (
            stun.binding_request(os.urandom(12), f"{ufrag if n % 2 else n}:x", b"guess", 1)
            for n in range(20_000)
        )
        await mallory.flood(guesses, stranger.send)
        await mallory.is_served()
        assert stranger.heard() == []
    await mallory.is_heard()
    media.stays_small(8 << 20)


async def test_13_indications_and_unsolicited_responses(media: Media, mallory: Attacker) -> None:
    key = mallory.client.transport.ice._remote_key
    with closing(Stranger(mallory.address)) as stranger:
        for kind in (stun.BINDING_INDICATION, stun.BINDING_SUCCESS, stun.BINDING_ERROR, 0x0003, 0x3FFF):
            body = stun._pack(stun.USERNAME, mallory.client.transport.ice._username.encode())
            for _ in range(100):
                stranger.send(stun._finish(kind, os.urandom(12), body, key))
                mallory.datagram(stun._finish(kind, os.urandom(12), body, key))
        await mallory.is_served()
        assert stranger.heard() == []
    await mallory.is_heard()


async def test_14_nat_rebinding_mid_call(media: Media, mallory: Attacker) -> None:
    await mallory.settles()
    for _ in range(3):
        mallory.rebind()
        mallory.rtp(mallory.audio.packet())  # from an address that nobody has validated
        await mallory.is_served()
        await mallory.hears()
        await mallory.is_heard()


async def test_15_ice_restart_mid_call_and_late_checks_of_old(media: Media, mallory: Attacker) -> None:
    await mallory.settles()
    old = signed_check(mallory.client.transport)
    await mallory.restart_ice()
    await mallory.hears()  # while nobody has checked the new credentials
    with closing(Stranger(mallory.address)) as stranger:
        await mallory.is_served()
        stranger.send(old)
        await asyncio.sleep(0.1)
        assert stranger.heard() == []
    for _ in range(30):
        await mallory.restart_ice()
    await mallory.is_served()
    await mallory.hears()
    await mallory.is_heard()


async def test_16_ice_tcp_framing(media: Media, server: Server, room: str) -> None:
    async with visitor(server, room) as guest:

        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            return await asyncio.open_connection("127.0.0.1", guest.tcp_port)

        for refused in (bytes(2000), b"\xff\xff" + bytes(4000), b"GET / HTTP/1.1\r\n\r\n"):
            reader, writer = await connect()
            writer.write(refused)
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
        idle = [await connect() for _ in range(300)]
        for number, (_, writer) in enumerate(idle):
            writer.write((b"", b"\x05", b"\x05\xdc" + bytes(700), frame(os.urandom(40)))[number % 4])
        reader, writer = await connect()
        for byte in frame(guest.check()):  # a byte at a time
            writer.write(bytes([byte]))
            await asyncio.sleep(0.001)
        size = int.from_bytes(await asyncio.wait_for(reader.readexactly(2), 5), "big")
        assert stun.parse(await reader.readexactly(size)).type == stun.BINDING_SUCCESS
        for first in (b"\x80\x60", b"\x80\xc9", b"\x16\xfe\xfd", b"\x17\xfe\xfd", b"\xff"):
            writer.write(frame(first + os.urandom(60)))
        writer.write(frame(b"x") * 50 + b"\x40\x00")  # and half a packet for ever
        await media.goes_on()
        for _, one in (*idle, (reader, writer)):
            one.close()


async def test_17_candidates_that_lead_nowhere(media: Media, mallory: Attacker) -> None:
    hosts = (
        "nobody.local",
        "a" * 200 + ".local",
        "example.com",
        "fe80::1%eth0",
        "0.0.0.0",
        "::",
        "256.1.1.1",
        "",
    )
    lines = [f"candidate:1 1 udp 1 {host} {port} typ host" for host in hosts for port in (0, 9, 65_536)]
    nonsense = ["{", "[]", "null", '"x"', "[" * 5000, "", "\0", json.dumps({"candidate": 7})]
    texts = [json.dumps({"candidate": line, "sdpMid": "0"}) for line in lines] + nonsense
    for text in islice(cycle(texts), 500):
        await mallory.request(trickle=rtc.TrickleRequest(candidateInit=text, target=rtc.PUBLISHER))
    await mallory.is_served()
    await mallory.is_heard()
