"""Whose datagram is it: transports by address once ICE has validated it, and by user fragment before.

Only a validated address reaches DTLS or SRTP; anything else but a signed STUN check is dropped (RFC 7983, and the
ClientHello race that let strangers break calls elsewhere).
"""

import struct
from collections.abc import Hashable

from sfu.net import stun
from sfu.net.lookup import Lookup
from sfu.net.peers import PeerTable, address_of
from sfu.net.tcp import TcpPeer
from sfu.net.udp import AddressKey, UdpPort
from sfu.peer.transport import Transport

_ADDRESS = struct.Struct("=4q")

UdpAddress = tuple[int, AddressKey]
"""Index of the port, and the peer's address on it."""


class Mux:
    """Addresses and user fragments of all transports of an engine."""

    def __init__(self, peers: PeerTable) -> None:
        self._peers = peers
        self._ports: list[UdpPort] = []
        self.by_udp: list[dict[AddressKey, Transport]] = []
        """Transports by validated address, for each UDP port ..."""
        self.owners: list[Lookup] = []
        """... and their rows, for compiled loops."""
        self.by_row: dict[int, Transport] = {}
        self.by_tcp: dict[TcpPeer, Transport] = {}
        self._by_ufrag: dict[str, Transport] = {}
        self._ufrags: dict[Transport, tuple[str, ...]] = {}
        self.strangers = 0
        """Datagrams from addresses that nobody has validated."""
        self.unsent = 0
        """Datagrams (STUN, DTLS) without an address, or not taken by the kernel or a TCP connection."""

    def add_port(self, port: UdpPort) -> None:
        self._ports.append(port)
        self.by_udp.append({})
        self.owners.append(Lookup())

    def register(self, transport: Transport) -> None:
        """Know a transport by its (new) ICE credentials."""
        self._forget_ufrags(transport)
        self.by_row[transport.row] = transport
        self._ufrags[transport] = transport.ice.ufrags
        for ufrag in transport.ice.ufrags:
            self._by_ufrag[ufrag] = transport

    def unregister(self, transport: Transport) -> None:
        """Forget a transport."""
        self._forget_ufrags(transport)
        self.by_row.pop(transport.row, None)
        for address in transport.ice.addresses:
            self._forget(address, transport)

    def _forget_ufrags(self, transport: Transport) -> None:
        for ufrag in self._ufrags.pop(transport, ()):
            del self._by_ufrag[ufrag]

    def udp_check(self, port: UdpPort, key: AddressKey, data: bytes, now: float) -> None:
        """Take a STUN datagram from a UDP address and answer it."""
        address = port.index, key
        owner = self.by_udp[port.index].get(key)
        response = owner.ice.again(data, address, now) if owner is not None else None
        if response is None:
            host, number = address_of(port.raw_address(key))
            response = self._check(address, data, host, number, now)
        if response is not None:
            self.unsent += not port.send(response, key)

    def tcp_check(self, peer: TcpPeer, data: bytes, now: float) -> None:
        """Take a STUN message from an ICE-TCP connection and answer it."""
        response = self._check(peer, data, peer.host, peer.port, now)
        if response is not None:
            peer.validated()
            self.unsent += not peer.send(response)

    def tcp_closed(self, peer: TcpPeer) -> None:
        """An ICE-TCP connection has ended."""
        transport = self.by_tcp.pop(peer, None)
        if transport is not None:
            transport.ice.forget(peer)
            self._select(transport)

    def _check(self, address: Hashable, data: bytes, host: str, port: int, now: float) -> bytes | None:
        names = stun.username_of(data)
        transport = self._by_ufrag.get(names[0]) if names is not None else None
        if transport is None or self._is_taken(address, transport, now):
            self.strangers += 1
            return None
        selected = transport.ice.selected
        response = transport.check(data, address, host, port, now)
        if transport.ice.evicted is not None:
            self._forget(transport.ice.evicted, transport)
        if transport.ice.valid(address):
            self._remember(address, transport)
        if transport.ice.selected != selected:
            self._select(transport)
        return response

    def _is_taken(self, address: Hashable, transport: Transport, now: float) -> bool:
        """Whether another uses an address: a check that then comes from it is forged, or early by seconds."""
        owner = self._owner(address)
        return owner is not None and owner is not transport and not owner.ice.silent(address, now)

    def _remember(self, address: Hashable, transport: Transport) -> None:
        if isinstance(address, TcpPeer):
            self.by_tcp[address] = transport
        else:
            index, key = _udp(address)
            known = self.by_udp[index].get(key)
            self.by_udp[index][key] = transport
            if known is not transport:
                self.owners[index].put(self._words(index, key), transport.row)

    def _forget(self, address: Hashable, transport: Transport) -> None:
        if self._owner(address) is not transport:
            return
        if isinstance(address, TcpPeer):
            del self.by_tcp[address]
            address.close()
        else:
            index, key = _udp(address)
            del self.by_udp[index][key]
            self.owners[index].drop(self._words(index, key))

    def _words(self, index: int, key: AddressKey) -> tuple[int, int, int, int]:
        first, second, third, fourth = _ADDRESS.unpack(
            self._ports[index].raw_address(key).ljust(_ADDRESS.size, b"\0")
        )
        return first, second, third, fourth

    def _owner(self, address: Hashable) -> Transport | None:
        if isinstance(address, TcpPeer):
            return self.by_tcp.get(address)
        index, key = _udp(address)
        return self.by_udp[index].get(key)

    def _select(self, transport: Transport) -> None:
        """Send to where ICE now points."""
        address = transport.ice.selected
        if address is None:
            self._peers.forget_address(transport.row)
        elif isinstance(address, TcpPeer):
            self._peers.use_tcp(transport.row, address)
        else:
            index, key = _udp(address)
            self._peers.use_udp(transport.row, index, self._ports[index].raw_address(key))

    def send(self, transport: Transport, data: bytes) -> None:
        """Send one datagram (DTLS) to the selected address, if there is one."""
        address = transport.ice.selected
        sent = False
        if isinstance(address, TcpPeer):
            sent = address.send(data)
        elif address is not None:
            index, key = _udp(address)
            sent = self._ports[index].send(data, key)
        self.unsent += not sent


def _udp(address: Hashable) -> UdpAddress:
    assert isinstance(address, tuple)
    return address
