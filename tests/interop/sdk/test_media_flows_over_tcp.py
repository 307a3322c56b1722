from livekit import rtc

from tests.harness.clients import joined
from tests.harness.server import Server


async def test_a_client_forced_to_tcp_keeps_its_media(server: Server, room: str) -> None:
    async with joined(server, room, "alice") as alice, joined(server, room, "bob") as bob:
        await alice.publish_tone(440)
        await (await bob.audio_of("alice")).hears(440)
        await alice.room.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_FORCE_TCP)
        await alice.hears("reconnected", within_s=20)
        bob.events.clear()
