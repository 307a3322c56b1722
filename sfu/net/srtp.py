"""SRTP sessions of one transport, and libsrtp's functions for the loops that work in place (RFC 3711, RFC
7714).

The only user of pylibsrtp. The hot loops call ``protect(pair.tx_ptr, buffer, length)`` on raw pointers; a
pointer dies with its :class:`SrtpPair`, and using it later is a crash, so read it from the pair in each
batch.

libsrtp makes a stream for every new SSRC whose packet authenticates. Whoever feeds it must therefore bound
the SSRCs of a peer, and call :meth:`SrtpPair.remove_stream` for those that are gone (many streams also make
it slower).
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pylibsrtp import Error, Policy, Session, _binding
from pylibsrtp._binding import ffi as ffi
from pylibsrtp._binding import lib

from sfu.net.errors import SrtpError

RTP_OVERHEAD = 16
"""Bytes that protecting an RTP packet adds at most (the tag of AES-GCM; AES-CM adds 10)."""
RTCP_OVERHEAD = 20
"""Bytes that protecting an RTCP packet adds at most (tag and index)."""
WINDOW_SIZE = 1024
"""Packets of the replay window; reordering beyond that is loss for every jitter buffer."""
SENT_WINDOW_SIZE = 512
"""The same for what is sent, where it only bounds how late a packet may be forwarded: libsrtp moves all of
it with each packet, so a shorter one is cheaper."""
MAX_PACKET_SIZE = 65_535 - RTCP_OVERHEAD
"""Bytes that the convenience methods take."""

_MIN_RTP_SIZE = 12
_MIN_RTCP_SIZE = 8

# In place: (srtp_t, void *, int *length) -> status, 0 is good.
protect = lib.srtp_protect
unprotect = lib.srtp_unprotect
protect_rtcp = lib.srtp_protect_rtcp
unprotect_rtcp = lib.srtp_unprotect_rtcp

LIBRARY: str = _binding.__file__
"""The file of libsrtp, and of the OpenSSL that it uses."""
OK: int = lib.srtp_err_status_ok


def location(pointer: Any) -> int:
    """A C pointer (of a function, too) as a number, for what is compiled; 0 for None."""
    return int(ffi.cast("uintptr_t", pointer)) if pointer is not None else 0


PROTECT = location(ffi.addressof(lib, "srtp_protect"))
UNPROTECT = location(ffi.addressof(lib, "srtp_unprotect"))
PROTECT_RTCP = location(ffi.addressof(lib, "srtp_protect_rtcp"))
UNPROTECT_RTCP = location(ffi.addressof(lib, "srtp_unprotect_rtcp"))


@dataclass(frozen=True, slots=True)
class SrtpProfile:
    """A protection profile of DTLS-SRTP (RFC 5764 section 4.1.2, RFC 7714 section 14.2)."""

    name: str
    key_size: int
    salt_size: int
    libsrtp_profile: int


AEAD_AES_128_GCM = SrtpProfile("AEAD_AES_128_GCM", 16, 12, Policy.SRTP_PROFILE_AEAD_AES_128_GCM)
AES128_CM_SHA1_80 = SrtpProfile("AES128_CM_SHA1_80", 16, 14, Policy.SRTP_PROFILE_AES128_CM_SHA1_80)
AEAD_AES_256_GCM = SrtpProfile("AEAD_AES_256_GCM", 32, 12, Policy.SRTP_PROFILE_AEAD_AES_256_GCM)

PROFILES: Sequence[SrtpProfile] = (AEAD_AES_128_GCM, AES128_CM_SHA1_80, AEAD_AES_256_GCM)
"""In order of preference: the cheapest first, AES-256 only for a peer that has nothing else."""


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """What a DTLS handshake leaves behind: master key followed by master salt, for each direction."""

    profile: SrtpProfile
    rx_key: bytes
    tx_key: bytes


class SrtpPair:
    """The receiving and the sending session of one transport, and the raw pointers into them.

    Raises SrtpError if a key has the wrong size.
    """

    __slots__ = ("_rx", "_tx", "rejected", "rx_ptr", "tx_ptr")

    def __init__(self, profile: SrtpProfile, rx_key: bytes, tx_key: bytes) -> None:
        self._rx: Any = _session(profile, rx_key, Policy.SSRC_ANY_INBOUND)
        self._tx: Any = _session(profile, tx_key, Policy.SSRC_ANY_OUTBOUND)
        self.rx_ptr: Any = self._rx._srtp[0]  # noqa: SLF001
        """``srtp_t`` for unprotect; None once closed."""
        self.tx_ptr: Any = self._tx._srtp[0]  # noqa: SLF001
        """``srtp_t`` for protect; None once closed."""
        self.rejected = 0
        """Packets that :meth:`unprotect` and :meth:`unprotect_rtcp` refused."""

    def protect(self, packet: bytes) -> bytes:
        """Encrypt one RTP packet. Raises SrtpError if closed or if it is no RTP packet."""
        return self._send(protect, packet, _MIN_RTP_SIZE, RTP_OVERHEAD)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Encrypt one RTCP packet. Raises SrtpError if closed or if it is no RTCP packet."""
        return self._send(protect_rtcp, packet, _MIN_RTCP_SIZE, RTCP_OVERHEAD)

    def unprotect(self, packet: bytes) -> bytes | None:
        """Decrypt one SRTP packet; None if it is forged, replayed, or too short."""
        return self._receive(unprotect, packet, _MIN_RTP_SIZE)

    def unprotect_rtcp(self, packet: bytes) -> bytes | None:
        """Decrypt one SRTCP packet; None if it is forged, replayed, or too short."""
        return self._receive(unprotect_rtcp, packet, _MIN_RTCP_SIZE)

    def remove_stream(self, ssrc: int) -> None:
        """Forget a stream's keys and replay window in both directions; unknown SSRCs are fine."""
        for session in (self._rx, self._tx):
            _remove(session, ssrc)

    def forget_received(self, ssrc: int) -> None:
        """Forget a stream that the peer sends; a stream of ours under the same SSRC stays."""
        _remove(self._rx, ssrc)

    def close(self) -> None:
        """Drop pointers and sessions, in that order."""
        self.rx_ptr = self.tx_ptr = None
        self._rx = self._tx = None

    def _send(self, function: Any, packet: bytes, min_size: int, overhead: int) -> bytes:
        if self.tx_ptr is None:
            raise SrtpError("closed")
        if not min_size <= len(packet) <= MAX_PACKET_SIZE:
            raise SrtpError("packet size")
        buffer = bytearray(len(packet) + overhead)
        buffer[: len(packet)] = packet
        length = ffi.new("int *", len(packet))
        status = function(self.tx_ptr, ffi.from_buffer(buffer), length)
        if status != OK:
            raise SrtpError(f"libsrtp status {status}")
        return bytes(buffer[: length[0]])

    def _receive(self, function: Any, packet: bytes, min_size: int) -> bytes | None:
        if self.rx_ptr is None or not min_size <= len(packet) <= MAX_PACKET_SIZE:
            self.rejected += 1
            return None
        buffer = bytearray(packet)
        length = ffi.new("int *", len(packet))
        if function(self.rx_ptr, ffi.from_buffer(buffer), length) != OK:
            self.rejected += 1
            return None
        return bytes(buffer[: length[0]])


def _remove(session: Any, ssrc: int) -> None:
    if session is not None:
        with contextlib.suppress(Error):
            session.remove_stream(ssrc)


def _session(profile: SrtpProfile, key: bytes, ssrc_type: int) -> Any:
    if len(key) != profile.key_size + profile.salt_size:
        raise SrtpError("key size")
    policy = Policy(key=key, ssrc_type=ssrc_type, srtp_profile=profile.libsrtp_profile)
    policy.window_size = WINDOW_SIZE if ssrc_type == Policy.SSRC_ANY_INBOUND else SENT_WINDOW_SIZE
    # A retransmission that repeats a sequence number would reuse the nonce: RTX has its own SSRC instead.
    policy.allow_repeat_tx = False
    try:
        return Session(policy)
    except Error as error:
        raise SrtpError(str(error)) from error
