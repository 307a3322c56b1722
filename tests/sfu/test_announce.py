"""Which addresses are offered, and what the error says when there is none."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from sfu import announce
from sfu.announce import announced_addresses
from sfu.config import MediaConfig
from sfu.errors import MediaStartError
from sfu.net import stun
from sfu.net.interfaces import interface_addresses

LOCAL = MediaConfig(bind_addresses=("127.0.0.1",))


class StunServer(asyncio.DatagramProtocol):
    """Tells everybody that they come from one address."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        request = stun.parse(data)
        self.transport.sendto(stun.success_response(request.transaction_id, "203.0.113.9", 1), addr)


@pytest.fixture
async def stun_server() -> AsyncIterator[str]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        StunServer, local_addr=("127.0.0.1", 0)
    )
    yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    transport.close()


@pytest.mark.parametrize(
    ("node_ip", "addresses"),
    [
        ("203.0.113.5", ["203.0.113.5"]),
        (" 203.0.113.5 , 2001:DB8::5 ", ["203.0.113.5", "2001:db8::5"]),
    ],
)
async def test_the_configured_address_comes_first_of_all(node_ip: str, addresses: list[str]) -> None:
    config = replace(LOCAL, node_ip=node_ip, use_external_ip=True, stun_servers=("127.0.0.1:1",))
    assert await announced_addresses(config) == addresses


async def test_a_configured_address_that_is_none_is_named() -> None:
    with pytest.raises(MediaStartError, match=r"rtc\.node_ip.*media\.example"):
        await announced_addresses(replace(LOCAL, node_ip="media.example"))


async def test_the_address_that_a_stun_server_sees(stun_server: str) -> None:
    config = replace(LOCAL, use_external_ip=True, stun_servers=(stun_server,))
    assert await announced_addresses(config) == ["203.0.113.9"]


async def test_a_stun_server_that_cannot_be_used_is_named_with_what_to_do() -> None:
    config = replace(LOCAL, use_external_ip=True, stun_servers=("no-port.invalid",))
    with pytest.raises(MediaStartError, match=r"no-port\.invalid.*rtc\.node_ip"):
        await announced_addresses(config)


async def test_where_ports_are_opened_on_named_addresses_those_are_offered() -> None:
    config = MediaConfig(bind_addresses=("127.0.0.1", "::1"), ip_includes=("192.0.2.0/24",))
    assert await announced_addresses(config) == ["127.0.0.1", "::1"]


async def test_else_those_of_the_interfaces() -> None:
    config = MediaConfig(bind_addresses=("0.0.0.0",), enable_loopback_candidate=True)
    offered = await announced_addresses(config)
    here = {host for _, host in interface_addresses()}
    assert "127.0.0.1" in offered
    assert set(offered) <= here
    assert not any(":" in host for host in offered)


async def test_a_named_address_beside_all_of_a_family() -> None:
    config = MediaConfig(bind_addresses=("127.0.0.1", "::"), enable_loopback_candidate=True)
    offered = await announced_addresses(config)
    assert offered[0] == "127.0.0.1"
    assert all(":" in host for host in offered[1:])


async def test_ipv6_may_be_left_out() -> None:
    config = MediaConfig(enable_loopback_candidate=True, ipv6=False)
    assert not any(":" in host for host in await announced_addresses(config))


async def test_filters_that_leave_nothing_are_an_error_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = MediaConfig(
        bind_addresses=("0.0.0.0",), ip_includes=("192.0.2.0/24",), ip_excludes=("0.0.0.0/0",)
    )
    monkeypatch.setattr(
        "sfu.net.addresses.interface_addresses", lambda: iter([("lo", "127.0.0.1"), ("eth0", "198.51.100.1")])
    )
    with pytest.raises(MediaStartError, match=r"filters.*rtc\.node_ip"):
        await announce.announced_addresses(config)
