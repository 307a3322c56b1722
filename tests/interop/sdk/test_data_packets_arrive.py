import asyncio

import pytest
from livekit import rtc

from tests.harness.clients import Join, SdkClient, both_modes


@pytest.mark.parametrize("reliable", [True, False], ids=["reliable", "lossy"])
@both_modes
async def test_everyone_else_gets_a_packet_with_its_topic_and_sender(join: Join, reliable: bool) -> None:
    async with join("alice") as alice, join("bob") as bob, join("carol") as carol:
        await asyncio.gather(*(alice.sees(other) for other in ("bob", "carol")), bob.sees("alice"))
        greeting = asyncio.create_task(_greet(alice, reliable))
        kind = rtc.DataPacketKind.KIND_RELIABLE if reliable else rtc.DataPacketKind.KIND_LOSSY
        for client in (bob, carol):
            (packet,) = await client.hears("data_received")
            assert (packet.data, packet.topic, packet.kind) == (b"hello", "greeting", kind)
            assert packet.participant.identity == "alice"
        greeting.cancel()
        assert not alice.heard("data_received")


async def _greet(client: SdkClient, reliable: bool) -> None:
    """Once is enough if it is reliable; lossy packets may get lost, as on the way to somebody just connecting."""
    while True:
        await client.me.publish_data(b"hello", reliable=reliable, topic="greeting")
        if reliable:
            return
        await asyncio.sleep(0.2)


async def test_only_the_destinations_get_an_addressed_packet(join: Join) -> None:
    async with join("alice") as alice, join("bob") as bob, join("carol") as carol:
        await alice.me.publish_data(b"for carol", destination_identities=["carol", "nobody"])
        await alice.me.publish_data(b"for all")
        await bob.hears("data_received", lambda packet: packet.data == b"for all")
        await carol.hears("data_received", lambda packet: packet.data == b"for all")
        assert [packet.data for (packet,) in bob.heard("data_received")] == [b"for all"]
        assert [packet.data for (packet,) in carol.heard("data_received")] == [b"for carol", b"for all"]


async def test_reliable_packets_arrive_complete_and_in_order(join: Join) -> None:
    sent = [number.to_bytes(2, "big") * (1 + number % 50 * 100) for number in range(300)]
    async with join("alice") as alice, join("bob") as bob:
        await asyncio.gather(bob.sees("alice"), alice.sees("bob"))
        for payload in sent:
            await alice.me.publish_data(payload)
        await bob.hears("data_received", lambda packet: packet.data == sent[-1])
        assert [packet.data for (packet,) in bob.heard("data_received")] == sent


async def test_a_dtmf_digit_arrives(join: Join) -> None:
    async with join("alice") as alice, join("bob") as bob:
        await alice.me.publish_dtmf(code=5, digit="5")
        (digit,) = await bob.hears("sip_dtmf_received")
        assert (digit.code, digit.digit, digit.participant.identity) == (5, "5", "alice")
