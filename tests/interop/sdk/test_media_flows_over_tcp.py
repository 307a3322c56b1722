from livekit import rtc

from tests.harness.clients import Join


async def test_a_client_forced_to_tcp_keeps_its_media(join: Join) -> None:
    async with join("alice") as alice, join("bob") as bob:
        await alice.publish_tone(440)
        await (await bob.audio_of("alice")).hears(440)
        assert await alice.transport_protocol() == "udp"
        bob.events.clear()
        await alice.room.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_FORCE_TCP)
        await alice.hears("reconnected")
        track, *_ = await bob.hears("track_subscribed")
        await bob.listen(track).hears(440)
        assert await alice.transport_protocol() == "tcp"
