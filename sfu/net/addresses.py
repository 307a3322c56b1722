"""Addresses we can be reached at: those of our interfaces, the one the internet sees, and the candidates of
both."""

import asyncio
import ipaddress
import secrets
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from zlib import crc32

from sfu.net import stun
from sfu.net.errors import AddressError, StunError
from sfu.net.interfaces import interface_addresses

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_RETRY_AFTER_S = (0.5, 0.5, 1.0, 1.0, 2.0)
"""Gaps between requests to a STUN server (RFC 8489 section 6.2.1, capped)."""

_HOST_UDP_PREFERENCE = 126
_HOST_TCP_PREFERENCE = 90
"""RFC 8445 section 5.1.2.2; for TCP lower than any UDP candidate, the value libwebrtc uses."""
_TCP_PASSIVE_PREFERENCE = 4
"""Direction preference of a passive host candidate (RFC 6544 section 4.2)."""


@dataclass(frozen=True, slots=True)
class AddressFilter:
    """Which interfaces (names, or patterns such as ``docker*``) and networks count. Empty includes mean
    all."""

    include_interfaces: Sequence[str] = ()
    exclude_interfaces: Sequence[str] = ()
    include_networks: Sequence[_Network] = ()
    exclude_networks: Sequence[_Network] = ()
    ipv4: bool = True
    ipv6: bool = True
    loopback: bool = False

    @classmethod
    def of(
        cls,
        include_interfaces: Iterable[str] = (),
        exclude_interfaces: Iterable[str] = (),
        include_ips: Iterable[str] = (),
        exclude_ips: Iterable[str] = (),
        *,
        ipv4: bool = True,
        ipv6: bool = True,
        loopback: bool = False,
    ) -> "AddressFilter":
        """Build a filter from strings; the IPs are addresses or networks (CIDR). Raises AddressError on a
        bad one."""
        return cls(
            tuple(include_interfaces),
            tuple(exclude_interfaces),
            tuple(map(_network, include_ips)),
            tuple(map(_network, exclude_ips)),
            ipv4,
            ipv6,
            loopback,
        )

    def allows(self, interface: str, host: str) -> bool:
        """Whether an address of an interface may be a candidate; link-local ones never are."""
        address = ipaddress.ip_address(host)
        if address.is_link_local or address.is_multicast or address.is_unspecified:
            return False
        if not (self.ipv4 if address.version == 4 else self.ipv6) or (
            address.is_loopback and not self.loopback
        ):
            return False
        if any(fnmatch(interface, pattern) for pattern in self.exclude_interfaces):
            return False
        if self.include_interfaces and not any(fnmatch(interface, one) for one in self.include_interfaces):
            return False
        if any(address in network for network in self.exclude_networks):
            return False
        return not self.include_networks or any(address in network for network in self.include_networks)


def local_addresses(allowed: AddressFilter | None = None) -> list[str]:
    """Return the addresses of this machine's interfaces that a filter allows, IPv4 first.

    A machine with nothing but loopback gets that. Raises AddressError if nothing is left.
    """
    allowed = allowed or AddressFilter()
    found = list(dict.fromkeys(interface_addresses()))
    hosts = [host for interface, host in found if allowed.allows(interface, host)]
    if not hosts and all(ipaddress.ip_address(host).is_loopback for _, host in found):
        hosts = ["127.0.0.1"]
    if not hosts:
        raise AddressError("no local address passes the interface and IP filters")
    return sorted(hosts, key=lambda host: ":" in host)


async def external_address(
    stun_servers: Sequence[str], timeout_s: float = 5.0, local: str | None = None
) -> str:
    """Ask STUN servers (``host:port``) at once for the address we appear at; the first answer wins.

    ``local`` is the address to ask from: it matters on a machine with several, and an IPv6 one asks over
    IPv6.

    Raises AddressError that names every server tried and what went wrong with it.
    """
    if not stun_servers:
        raise AddressError("no STUN server to ask for the external address")
    failures = dict.fromkeys(stun_servers, "no answer")
    tasks = [asyncio.ensure_future(_attempt(server, local, failures)) for server in failures]
    try:
        async with asyncio.timeout(timeout_s):
            for attempt in asyncio.as_completed(tasks):
                if host := await attempt:
                    return host
    except TimeoutError:
        pass
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    told = "; ".join(f"{server}: {reason}" for server, reason in failures.items())
    raise AddressError(f"no STUN server told the external address ({told})")


def candidates(addresses: Sequence[str], udp_port: int | None, tcp_port: int | None) -> list[str]:
    """Return ICE candidates (``candidate:…``) of these addresses, the first being preferred (RFC 8839, RFC
    6544).

    All are host candidates of component 1: UDP if there is a UDP port, TCP passive if there is a TCP port.
    """
    lines = []
    for index, host in enumerate(addresses):
        if udp_port is not None:
            priority = _priority(_HOST_UDP_PREFERENCE, 0xFFFF - index)
            lines.append(f"candidate:{_foundation('udp', host)} 1 udp {priority} {host} {udp_port} typ host")
    for index, host in enumerate(addresses):
        if tcp_port is not None:
            local_preference = (_TCP_PASSIVE_PREFERENCE << 13) | (0x1FFF - index)
            priority = _priority(_HOST_TCP_PREFERENCE, local_preference)
            foundation = _foundation("tcp", host)
            lines.append(
                f"candidate:{foundation} 1 tcp {priority} {host} {tcp_port} typ host tcptype passive"
            )
    return lines


def _priority(type_preference: int, local_preference: int) -> int:
    return (type_preference << 24) | (local_preference << 8) | 255


def _foundation(transport: str, host: str) -> int:
    """Equal for equal type, base address and transport (RFC 8445 section 5.1.1.3)."""
    return crc32(f"host {transport} {host}".encode())


def _network(text: str) -> _Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise AddressError(f"not an IP address or network: {text!r}") from error


class _Question(asyncio.DatagramProtocol):
    """One binding transaction."""

    def __init__(self, transaction_id: bytes) -> None:
        self._transaction_id = transaction_id
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002
        try:
            message = stun.parse(data)
        except StunError:
            return
        if message.transaction_id != self._transaction_id or self.answer.done():
            return
        if message.type == stun.BINDING_SUCCESS and message.mapped_address is not None:
            self.answer.set_result(message.mapped_address[0])
        elif message.type == stun.BINDING_ERROR:
            self.answer.set_exception(AddressError(f"STUN error {message.error_code}"))

    def error_received(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(AddressError(str(error)))


async def _attempt(server: str, local: str | None, failures: dict[str, str]) -> str | None:
    """Return what a server answers, or note why it didn't."""
    try:
        return await _ask(server, local)
    except (AddressError, OSError) as error:
        failures[server] = str(error)
        return None


async def _ask(server: str, local: str | None) -> str:
    host, colon, port = server.rpartition(":")
    if not colon or not port.isdecimal():
        raise AddressError("not host:port")
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if local and ":" in local else socket.AF_INET
    infos = await loop.getaddrinfo(host.strip("[]"), int(port), family=family, type=socket.SOCK_DGRAM)
    transaction_id = secrets.token_bytes(12)
    transport, question = await loop.create_datagram_endpoint(
        lambda: _Question(transaction_id),
        local_addr=(local, 0) if local else None,
        remote_addr=(str(infos[0][4][0]), int(port)),
    )
    try:
        for wait_s in _RETRY_AFTER_S:
            transport.sendto(stun.binding_request(transaction_id))
            await asyncio.wait((question.answer,), timeout=wait_s)
            if question.answer.done():
                return question.answer.result()
        raise AddressError("no answer")
    finally:
        question.answer.cancel()
        transport.close()
