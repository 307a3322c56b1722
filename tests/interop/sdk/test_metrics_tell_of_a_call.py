from collections.abc import Iterator

import pytest

from tests.harness.clients import Join
from tests.harness.eventually import eventually
from tests.harness.listening import free_port
from tests.harness.scrape import metrics_at, scraped, value
from tests.harness.server import Server, running_server

PORT = free_port()
NOW = ("livekit_room_total", "livekit_participant_total", "hubbub_peer_connections")


@pytest.fixture(scope="module")
def server_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server"), metrics_at(PORT)) as server:
        if not server.is_hubbub:
            pytest.skip("the server's metrics are not ours")
        yield server


async def _numbers(*names: str) -> list[float]:
    found = await scraped(PORT)
    return [value(found, name) for name in names]


async def test_a_call_is_in_the_metrics_while_it_lasts(join: Join) -> None:
    before = await scraped(PORT)
    assert await _numbers(*NOW) == [0, 0, 0]
    async with join("alice") as alice, join("bob") as bob:
        await alice.publish_tone(440)
        await (await bob.audio_of("alice")).hears(440)
        found = await scraped(PORT)
        assert [value(found, name) for name in NOW] == [1, 2, 2]
        assert value(found, "livekit_track_published_total", kind="AUDIO") == 1
        assert value(found, "livekit_track_subscribed_total", kind="AUDIO") == 1
        assert value(found, "livekit_track_subscribed_total", kind="VIDEO") == 0
        packets, octets, received, reports = await _numbers(
            "hubbub_packets_sent_total",
            "hubbub_bytes_sent_total",
            "hubbub_datagrams_received_total",
            "hubbub_rtcp_packets_sent_total",
        )
        assert packets > 20
        assert octets > 40 * packets
        assert received > packets
        assert reports > 0
        for reason in ("receive_buffer", "send_buffer", "overload", "unprotected"):
            assert value(found, "hubbub_packets_dropped_total", reason=reason) == 0
        assert found.keys() == before.keys(), "no series for a person"

    async def they_are_gone() -> bool:
        return (await _numbers("livekit_participant_total", "hubbub_peer_connections")) == [0, 0]

    await eventually(they_are_gone, "nobody")
    assert (await _numbers("hubbub_packets_sent_total"))[0] >= packets, "totals stay"
