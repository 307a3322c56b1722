"""Which addresses the media ports are opened on, and which clients are told to send media to."""

import ipaddress

from sfu.config import DEFAULT_STUN_SERVERS, MediaConfig
from sfu.errors import MediaStartError
from sfu.net.addresses import AddressFilter, external_address, local_addresses
from sfu.net.errors import AddressError
from sfu.net.udp import has_ipv6


def hosts(config: MediaConfig) -> list[str]:
    """Addresses to open the ports on: all IPv6 ones only where there is IPv6."""
    found = [host for host in config.bind_addresses if host != "::" or has_ipv6()]
    return found or list(config.bind_addresses)


async def announced_addresses(config: MediaConfig) -> list[str]:
    """The configured address, the one a STUN server sees, or those of the interfaces that are listened on.

    Raises MediaStartError with what to do when there is none.
    """
    try:
        if config.node_ip:
            return _configured(config)
        if config.use_external_ip:
            return [await external_address(config.stun_servers or DEFAULT_STUN_SERVERS)]
        return _listened_on(config)
    except AddressError as error:
        raise MediaStartError(
            f"no address to offer to clients: {error}; set rtc.node_ip to name one"
        ) from error


def _configured(config: MediaConfig) -> list[str]:
    try:
        return [str(ipaddress.ip_address(address)) for address in config.node_ips()]
    except ValueError as error:
        raise MediaStartError(f"rtc.node_ip: {error}") from error


def _listened_on(config: MediaConfig) -> list[str]:
    bound = [ipaddress.ip_address(host) for host in config.bind_addresses]
    named = [str(address) for address in bound if not address.is_unspecified]
    everywhere = {address.version for address in bound if address.is_unspecified}
    if not everywhere:
        return named
    allowed = AddressFilter.of(
        config.interface_includes,
        config.interface_excludes,
        config.ip_includes,
        config.ip_excludes,
        ipv4=4 in everywhere,
        ipv6=config.ipv6 and 6 in everywhere,
        loopback=config.enable_loopback_candidate,
    )
    return list(dict.fromkeys([*named, *local_addresses(allowed)]))
