"""The addresses of this machine's network interfaces, from the standard library alone."""

import socket
import struct
import sys
from collections.abc import Iterator

_NLM_F_REQUEST_DUMP = 0x301
_RTM_NEWADDR, _RTM_GETADDR, _NLMSG_DONE, _NLMSG_ERROR = 20, 22, 3, 2
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_UNUSABLE = 0x40 | 0x08
"""IFA_F_TENTATIVE and IFA_F_DADFAILED."""


def interface_addresses() -> Iterator[tuple[str, str]]:
    """Yield (interface, address); where the kernel can't be asked, those used towards the internet."""
    if sys.platform == "linux":
        try:
            yield from _netlink_addresses()
        except OSError:
            pass
        else:
            return
    yield ("lo", "127.0.0.1")
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((target, 9))
                yield ("default", str(probe.getsockname()[0]).partition("%")[0])
        except OSError:
            continue


def _netlink_addresses() -> Iterator[tuple[str, str]]:
    """Dump the kernel's address table (rtnetlink(7))."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.settimeout(2.0)
        kernel.send(struct.pack("=IHHIIB3x", 20, _RTM_GETADDR, _NLM_F_REQUEST_DUMP, 1, 0, socket.AF_UNSPEC))
        while True:
            data = kernel.recv(65_536)
            at = 0
            while at + 16 <= len(data):
                length, kind = struct.unpack_from("=IH", data, at)
                if kind == _NLMSG_DONE:
                    return
                if kind == _NLMSG_ERROR or length < 16:
                    raise OSError("rtnetlink refused")
                if kind == _RTM_NEWADDR:
                    yield from _netlink_address(data[at + 16 : at + length])
                at += (length + 3) & ~3


def _netlink_address(body: bytes) -> Iterator[tuple[str, str]]:
    family, _, flags, _, index = struct.unpack_from("=BBBBI", body)
    attributes = {}
    at = 8
    while at + 4 <= len(body):
        length, name = struct.unpack_from("=HH", body, at)
        attributes[name] = body[at + 4 : at + length]
        at += max((length + 3) & ~3, 4)
    packed = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
    if packed and family in (socket.AF_INET, socket.AF_INET6) and not flags & _UNUSABLE:
        yield socket.if_indextoname(index), socket.inet_ntop(family, packed)
