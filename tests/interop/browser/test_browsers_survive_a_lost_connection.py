from itertools import product

import pytest

from tests.harness.browser import BrowserClient, JoinInBrowser, both_browser_modes


@both_browser_modes
async def test_a_cut_socket_is_resumed_and_media_goes_on(browse: JoinInBrowser) -> None:
    async with browse("alice", can_update_own_metadata=True) as alice, browse("bob") as bob:
        await _both_publish(alice, bob)
        for client in (alice, bob):
            await client.do("simulate", "signal-reconnect")
        for client in (alice, bob):
            await client.hears("reconnected")
            assert await client.heard("signalReconnecting")
            assert not await client.heard("reconnecting")
        await bob.shows("alice", 180, frames=20)
        await alice.hears_tone("bob", 440)
        assert not await bob.heard("participantDisconnected")
        assert (await bob.sees("alice"))["sid"] == alice.sid
        await alice.do("publishData", "after", {"reliable": True})
        await bob.hears("dataReceived", lambda data, *_: data == "after")
        await alice.do("setAttributes", {"still": "here"})
        await bob.hears("participantAttributesChanged")


SCENARIOS = ["full-reconnect", "resume-reconnect", "migration", "node-failure"]
CUT_RESUMES = ["disconnect-signal-on-resume", "disconnect-signal-on-resume-no-messages"]


@pytest.mark.parametrize(
    ("browse", "scenario"),
    [*product(["v1"], SCENARIOS + CUT_RESUMES), ("v0", "full-reconnect"), ("v0", CUT_RESUMES[0])],
    indirect=["browse"],
)
async def test_media_comes_back_after_a_reconnect(browse: JoinInBrowser, scenario: str) -> None:
    async with browse("alice") as alice, browse("bob") as bob:
        await _both_publish(alice, bob)
        await alice.do("simulate", scenario)
        await alice.hears("reconnected")
        await bob.shows("alice", 180, frames=20)
        await alice.hears_tone("bob", 440)
        assert [other["identity"] for other in await bob.do("others")] == ["alice"]


async def test_media_flows_over_tcp_when_forced(browse: JoinInBrowser) -> None:
    async with browse("alice") as alice, browse("bob") as bob:
        await _both_publish(alice, bob)
        assert await alice.do("protocols") == ["udp"]
        await alice.do("simulate", "force-tcp")
        await alice.hears("reconnected")
        await bob.shows("alice", 180)
        await alice.hears_tone("bob", 440)
        assert await alice.do("protocols") == ["tcp"]


async def _both_publish(alice: BrowserClient, bob: BrowserClient) -> None:
    await alice.publish_video(shade=180)
    await bob.publish_tone(440)
    await bob.shows("alice", 180)
    await alice.hears_tone("bob", 440)
