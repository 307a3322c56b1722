import asyncio

import pytest
from livekit import rtc

from tests.harness.clients import Join, both_modes

Scenario = rtc.SimulateScenarioKind


@both_modes
async def test_a_lost_signal_connection_is_resumed(join: Join) -> None:
    async with join("alice", can_update_own_metadata=True) as alice, join("bob") as bob:
        await alice.publish_video(shade=180)
        await bob.publish_tone(440)
        video, audio = await bob.video_of("alice"), await alice.audio_of("bob")
        await video.shows(180)
        sid = alice.me.sid
        for client in (alice, bob):
            await client.room.simulate_scenario(Scenario.SIMULATE_SIGNAL_RECONNECT)
        for client in (alice, bob):
            await client.hears("reconnected")
        await video.shows(180, frames=20)
        await audio.hears(440)
        assert alice.me.sid == sid
        assert not bob.heard("participant_disconnected")
        assert not bob.heard("track_unsubscribed")
        await alice.me.set_attributes({"still": "here"})
        await bob.hears("participant_attributes_changed")
        await bob.me.publish_data(b"after")
        await alice.hears("data_received")


async def test_reliable_data_sent_around_a_resume_arrives_once(join: Join) -> None:
    async with join("alice") as alice, join("bob") as bob:
        await asyncio.gather(alice.sees("bob"), bob.sees("alice"))
        sent = [b"%d" % number for number in range(100)]
        for number, payload in enumerate(sent):
            if number == 30:
                await alice.room.simulate_scenario(Scenario.SIMULATE_SIGNAL_RECONNECT)
            if number == 60:
                await bob.room.simulate_scenario(Scenario.SIMULATE_SIGNAL_RECONNECT)
            await alice.me.publish_data(payload)
        await bob.hears("data_received", lambda packet: packet.data == sent[-1])
        assert [packet.data for (packet,) in bob.heard("data_received")] == sent


@pytest.mark.parametrize(
    ("join", "scenario"),
    [
        ("v1", "FULL_RECONNECT"),
        ("v1", "MIGRATION"),
        ("v1", "NODE_FAILURE"),
        ("v1", "DISCONNECT_SIGNAL_ON_RESUME"),
        ("v0", "FULL_RECONNECT"),
        ("v0", "DISCONNECT_SIGNAL_ON_RESUME"),
    ],
    indirect=["join"],
)
async def test_a_full_reconnect_publishes_again(join: Join, scenario: str) -> None:
    async with join("alice") as alice, join("bob") as bob:
        await alice.publish_tone(440)
        await bob.publish_tone(880)
        await (await bob.audio_of("alice")).hears(440)
        await alice.audio_of("bob")
        sid = alice.me.sid
        bob.events.clear()
        await alice.room.simulate_scenario(Scenario.Value(f"SIMULATE_{scenario}"))
        await alice.hears("reconnected")
        track, *_ = await bob.hears("track_subscribed")
        await bob.listen(track).hears(440)
        await (await alice.audio_of("bob")).hears(880)
        assert bob.other("alice").sid != sid
        assert list(bob.room.remote_participants) == ["alice"]


async def test_a_server_that_sends_everyone_away_is_obeyed(join: Join) -> None:
    async with join("alice") as alice:
        await alice.room.simulate_scenario(Scenario.SIMULATE_SERVER_LEAVE)
        (reason,) = await alice.hears("disconnected")
        assert reason == rtc.DisconnectReason.SERVER_SHUTDOWN
