"""RTCP that can wait comes to a socket of its own, so that it wakes nobody: the kernel tells it by its first bytes.

Subscribers report many times a second what they receive; a server with hundreds of them would wake up for little else.
Two sockets have the same address (``SO_REUSEPORT``), and a filter picks one of them for each datagram
(``SO_ATTACH_REUSEPORT_CBPF`` of socket(7), Linux 4.5 and later). Nothing depends on it: both take whatever comes.
"""

import ctypes
import socket
import struct

from sfu.rtp.rtcp.packets import PacketType, TransportFormat

_SO_ATTACH_REUSEPORT_CBPF = 51

# Instructions of linux/bpf_common.h. Offsets are those in the datagram; a byte beyond its end means the first socket.
_LOAD_BYTE = 0x30  # BPF_LD | BPF_B | BPF_ABS
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K, with how many to skip if so and if not
_RETURN = 0x06  # BPF_RET | BPF_K, the index of a socket

_PROGRAM = (
    (_LOAD_BYTE, 0, 0, 0),
    (_AND, 0, 0, 0xC0),
    (_IF_EQUAL, 0, 7, 0x80),  # version 2 of RTP and RTCP, RFC 7983
    (_LOAD_BYTE, 0, 0, 1),
    (_IF_EQUAL, 6, 0, PacketType.SR),
    (_IF_EQUAL, 5, 0, PacketType.RR),
    (_IF_EQUAL, 0, 3, PacketType.RTPFB),
    (_LOAD_BYTE, 0, 0, 0),
    (_AND, 0, 0, 0x1F),
    (_IF_EQUAL, 1, 0, TransportFormat.TRANSPORT_CC),
    (_RETURN, 0, 0, 0),
    (_RETURN, 0, 0, 1),
)
"""Reports, and transport-wide feedback. NACKs and key frame requests can't wait."""
_INSTRUCTION = struct.Struct("=HBBI")
_FILTER = struct.Struct("@HP")


def divide(bound: socket.socket) -> socket.socket:
    """Open a second socket with the address of a bound one, for RTCP that can wait.

    That the address isn't somebody else's is certain, as the first was bound without sharing it. Raises OSError where
    the system can't do this; then the first socket gets everything.
    """
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    second = socket.socket(bound.family, socket.SOCK_DGRAM)
    try:
        second.setblocking(False)
        if bound.family == socket.AF_INET6:
            second.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        second.bind(bound.getsockname())
        _attach(bound)
    except OSError:
        second.close()
        raise
    return second


def _attach(sock: socket.socket) -> None:
    program = b"".join(_INSTRUCTION.pack(*instruction) for instruction in _PROGRAM)
    memory = ctypes.create_string_buffer(program, len(program))
    sock.setsockopt(
        socket.SOL_SOCKET,
        _SO_ATTACH_REUSEPORT_CBPF,
        _FILTER.pack(len(_PROGRAM), ctypes.addressof(memory)),
    )
