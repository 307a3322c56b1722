"""Local addresses through filters, the external address from STUN servers on loopback, candidate lines."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sfu.net import addresses, stun
from sfu.net.addresses import AddressFilter, candidates, external_address, local_addresses
from sfu.net.errors import AddressError
from sfu.net.interfaces import interface_addresses


def test_interfaces_include_loopback_and_every_address_is_one() -> None:
    found = list(interface_addresses())
    assert ("lo", "127.0.0.1") in found
    assert all(ipaddress.ip_address(host) for _, host in found)


def test_the_default_filter_gives_no_loopback_and_no_link_local_beside_others() -> None:
    hosts = [ipaddress.ip_address(host) for host in local_addresses()]
    assert not any(host.is_link_local for host in hosts)
    assert len(hosts) == 1 or not any(host.is_loopback for host in hosts)
    assert [host.version for host in hosts] == sorted(host.version for host in hosts)


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (AddressFilter(), ["eth0 192.0.2.2", "eth0 2001:db8::2", "docker0 172.17.0.1"]),
        (AddressFilter(ipv6=False), ["eth0 192.0.2.2", "docker0 172.17.0.1"]),
        (AddressFilter(ipv4=False), ["eth0 2001:db8::2"]),
        (AddressFilter(loopback=True, ipv6=False), ["lo 127.0.0.1", "eth0 192.0.2.2", "docker0 172.17.0.1"]),
        (AddressFilter.of(include_interfaces=["eth0"]), ["eth0 192.0.2.2", "eth0 2001:db8::2"]),
        (AddressFilter.of(exclude_interfaces=["docker*"]), ["eth0 192.0.2.2", "eth0 2001:db8::2"]),
        (AddressFilter.of(include_ips=["192.0.2.0/24"]), ["eth0 192.0.2.2"]),
        (AddressFilter.of(exclude_ips=["172.16.0.0/12", "2001:db8::2"]), ["eth0 192.0.2.2"]),
        (AddressFilter.of(include_interfaces=["eth0"], exclude_ips=["192.0.2.2"]), ["eth0 2001:db8::2"]),
    ],
)
def test_filters(allowed: AddressFilter, expected: list[str]) -> None:
    every = [
        "lo 127.0.0.1",
        "lo ::1",
        "eth0 192.0.2.2",
        "eth0 2001:db8::2",
        "eth0 fe80::1",
        "eth0 169.254.3.4",
    ]
    every += ["docker0 172.17.0.1"]
    assert [one for one in every if allowed.allows(*one.split())] == expected


def test_a_filter_that_leaves_nothing_is_an_error() -> None:
    with pytest.raises(AddressError):
        local_addresses(AddressFilter.of(include_interfaces=["nowhere9"]))


def test_a_machine_with_loopback_alone_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "interface_addresses", lambda: iter([("lo", "127.0.0.1"), ("lo", "::1")]))
    assert local_addresses() == ["127.0.0.1"]


@pytest.mark.parametrize("text", ["", "eth0", "192.0.2.0/33", "300.1.1.1"])
def test_bad_networks_are_refused(text: str) -> None:
    with pytest.raises(AddressError):
        AddressFilter.of(include_ips=[text])


def test_candidates_are_host_udp_then_tcp_passive_with_falling_priorities() -> None:
    lines = candidates(["192.0.2.2", "2001:db8::2"], 7882, 7881)
    fields = [line.removeprefix("candidate:").split() for line in lines]
    assert [(one[1], one[2], one[4], one[5]) for one in fields] == [
        ("1", "udp", "192.0.2.2", "7882"),
        ("1", "udp", "2001:db8::2", "7882"),
        ("1", "tcp", "192.0.2.2", "7881"),
        ("1", "tcp", "2001:db8::2", "7881"),
    ]
    assert [one[6:] for one in fields[:2]] == [["typ", "host"]] * 2
    assert [one[6:] for one in fields[2:]] == [["typ", "host", "tcptype", "passive"]] * 2
    priorities = [int(one[3]) for one in fields]
    assert priorities == sorted(priorities, reverse=True)
    assert priorities[0] == 2130706431
    assert len({one[0] for one in fields}) == 4


def test_candidates_of_one_transport_only() -> None:
    assert all(" udp " in line for line in candidates(["192.0.2.2"], 1, None))
    assert all(" tcp " in line for line in candidates(["192.0.2.2"], None, 1))
    assert candidates([], 1, 1) == []


Answer = Callable[[stun.Message, str, int], bytes]


class StunServer(asyncio.DatagramProtocol):
    def __init__(self, answer: Answer, silent_for: int = 0) -> None:
        self.answer = answer
        self.silent_for = silent_for
        self.port = 0
        self.asked = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        if self.asked > self.silent_for:
            self.transport.sendto(self.answer(stun.parse(data), addr[0], addr[1]), addr)


Start = Callable[..., "asyncio.Future[str]"]


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., object]]:
    servers: list[StunServer] = []

    async def begin(answer: Answer, silent_for: int = 0) -> str:
        loop = asyncio.get_running_loop()
        _, server = await loop.create_datagram_endpoint(
            lambda: StunServer(answer, silent_for), local_addr=("127.0.0.1", 0)
        )
        servers.append(server)
        return f"127.0.0.1:{server.port}"

    yield begin
    for server in servers:
        server.transport.close()


def mapped(host: str) -> Answer:
    return lambda message, _, port: stun.success_response(message.transaction_id, host, port)


async def test_the_external_address_is_what_a_server_says(start: Start) -> None:
    assert await external_address([await start(mapped("203.0.113.9"))]) == "203.0.113.9"


async def test_a_lost_request_is_sent_again(start: Start) -> None:
    assert await external_address([await start(mapped("203.0.113.9"), silent_for=1)]) == "203.0.113.9"


async def test_one_good_server_among_bad_ones_is_enough(start: Start) -> None:
    silent = await start(mapped("203.0.113.1"), silent_for=1000)
    wrong = await start(lambda *_: stun.success_response(b"another one!", "203.0.113.2", 1))
    good = await start(mapped("203.0.113.9"))
    assert await external_address(["nonsense", silent, wrong, good]) == "203.0.113.9"


async def test_failure_names_every_server_and_reason(start: Start) -> None:
    silent = await start(mapped("203.0.113.1"), silent_for=1000)
    refused = await start(lambda message, *_: stun.error_response(message.transaction_id, 420))
    with pytest.raises(AddressError) as caught:
        await external_address([silent, refused, "no-port"], timeout_s=0.2)
    told = str(caught.value)
    assert f"{silent}: no answer" in told
    assert f"{refused}: STUN error 420" in told
    assert "no-port: not host:port" in told


async def test_stun_server_unreachable_and_unresolvable() -> None:
    """Fault plan 99."""
    with pytest.raises(AddressError, match=r"127\.0\.0\.1:9"):
        await external_address(["127.0.0.1:9", "no-such-host.invalid:3478"], timeout_s=1.0)
    with pytest.raises(AddressError):
        await external_address([])


async def test_nothing_is_left_running(start: Start) -> None:
    before = asyncio.all_tasks()
    servers = [await start(mapped("203.0.113.9")) for _ in range(3)]
    await external_address(servers)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
