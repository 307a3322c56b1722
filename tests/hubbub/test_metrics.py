"""What Prometheus reads: the numbers of whoever counts, under names that are documented."""

import re
import socket
from pathlib import Path

from hubbub.config import configure
from hubbub.metrics import Metrics, Sources
from hubbub.server import Server
from hubbub.webhooks.worker import Counters
from sfu.control import MediaKind
from sfu.snapshot import Loss, Snapshot
from tests.harness.eventually import eventually
from tests.harness.listening import free_port
from tests.harness.rooms import House
from tests.harness.scrape import Samples, metrics_at, samples, scraped, value

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
MEDIA = Snapshot(
    transports=5,
    published={MediaKind.AUDIO: 2, MediaKind.VIDEO: 1},
    subscribed={MediaKind.AUDIO: 4, MediaKind.VIDEO: 3},
    overload=6,
    overloads=7,
    datagrams_in=100,
    packets_out=200,
    octets_out=20_000,
    rtcp_out=30,
    lost={loss: number for number, loss in enumerate(Loss, 1000)},
)
WEBHOOKS = {"first": Counters(pending=1, delivered=2, retried=3, dead=4, dropped=5)}


def told(house: House | None = None) -> Samples:
    service = (house or House()).service
    return samples(Metrics(Sources(lambda: MEDIA, service.rooms, lambda: WEBHOOKS), "ND_1").text().decode())


def test_rooms_and_people_are_those_who_are_there() -> None:
    house = House()
    for room, identity in (("kitchen", "ann"), ("kitchen", "bob"), ("garden", "cid")):
        house.join(identity, room=room)
    found = told(house)
    assert value(found, "livekit_room_total", node_id="ND_1", node_type="SERVER") == 2
    assert value(found, "livekit_participant_total") == 3
    assert not re.search("kitchen|garden|ann|bob|cid", " ".join(map(repr, found)))


def test_media_is_as_the_engine_says() -> None:
    found = told()
    assert value(found, "livekit_track_published_total", kind="AUDIO") == 2
    assert value(found, "livekit_track_subscribed_total", kind="VIDEO") == 3
    expected = {
        "hubbub_peer_connections": 5,
        "hubbub_overload_level": 6,
        "hubbub_overloads_total": 7,
        "hubbub_datagrams_received_total": 100,
        "hubbub_packets_sent_total": 200,
        "hubbub_bytes_sent_total": 20_000,
        "hubbub_rtcp_packets_sent_total": 30,
    }
    assert {name: value(found, name) for name in expected} == expected


def test_each_reason_for_a_drop_has_its_number() -> None:
    found = told()
    for loss, count in MEDIA.lost.items():
        direction = "incoming" if loss.incoming else "outgoing"
        assert value(found, "hubbub_packets_dropped_total", reason=loss.value, direction=direction) == count


def test_webhooks_are_told_by_target() -> None:
    found = told()
    assert value(found, "hubbub_webhook_queue_length", target="first") == 1
    outcomes = {"delivered": 2, "dead": 4, "dropped": 5}
    name = "hubbub_webhook_deliveries_total"
    assert {outcome: value(found, name, target="first", outcome=outcome) for outcome in outcomes} == outcomes


def test_every_name_and_reason_is_documented() -> None:
    page = set(re.findall(r"`(\w+)(?:\{[\w,]+\})?`", PAGE.read_text()))
    names = {name for name, _ in told() if name.startswith(("hubbub_", "livekit_"))}
    assert names <= page
    assert {loss.value for loss in Loss} <= page
    assert {name for name in page if name.startswith(("hubbub_", "livekit_"))} <= names


async def test_what_a_running_server_drops_can_be_scraped() -> None:
    """To the last datagram: those that found its buffer full, and those that it read and did not know."""
    port, strangers = free_port(), 3000
    options = {"development": True, "port": 0, "rtc.udp_port": 0, "rtc.tcp_port": 0, **metrics_at(port)}
    async with Server(configure(options | {"rtc.socket_buffer_bytes": 65_536})) as server:
        assert not value(await scraped(port), "hubbub_packets_dropped_total", reason="receive_buffer")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(strangers):  # meanwhile the server, which has the same event loop, reads nothing
                stranger.sendto(bytes([128, 111]) + bytes(200), ("127.0.0.1", server.udp_port))

        async def drops() -> tuple[float, float]:
            found = await scraped(port)
            name = "hubbub_packets_dropped_total"
            return value(found, name, reason="receive_buffer"), value(found, name, reason="stranger")

        async def all_counted() -> bool:
            return sum(await drops()) == strangers

        await eventually(all_counted, "a place for each datagram")
        assert all(await drops()), "some found room"
