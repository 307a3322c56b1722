"""Read ICE credentials, DTLS fingerprints and the DTLS role (RFC 8839, RFC 8122, RFC 5763)."""

import re
from dataclasses import dataclass

from sfu.sdp.attributes import Attributes, first
from sfu.sdp.description import Fingerprint
from sfu.sdp.errors import SdpError

MAX_FINGERPRINTS = 8

_ICE_UFRAG = re.compile(r"[A-Za-z0-9+/=_-]{4,256}")
_ICE_PWD = re.compile(r"[A-Za-z0-9+/=_-]{22,256}")
_HEX_PAIRS = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2})*")

_HASH_BYTES = {"sha-1": 20, "sha-224": 28, "sha-256": 32, "sha-384": 48, "sha-512": 64}
_SETUPS = ("actpass", "active", "passive", "holdconn")


@dataclass(frozen=True, slots=True)
class TransportLines:
    """What one part of a description says of its transport; empty where it says nothing."""

    ice_ufrag: str = ""
    ice_pwd: str = ""
    fingerprints: tuple[Fingerprint, ...] = ()
    setup: str = ""


def read_transport(attributes: Attributes, inherited: TransportLines) -> TransportLines:
    """The transport of a part, what is missing taken from the session level. Raises SdpError."""
    ice_ufrag = first(attributes, "ice-ufrag")
    ice_pwd = first(attributes, "ice-pwd")
    setup = first(attributes, "setup").lower()
    if ice_ufrag and not _ICE_UFRAG.fullmatch(ice_ufrag):
        raise SdpError("bad ice-ufrag")
    if ice_pwd and not _ICE_PWD.fullmatch(ice_pwd):
        raise SdpError("bad ice-pwd")
    if setup and setup not in _SETUPS:
        raise SdpError("bad setup")
    return TransportLines(
        ice_ufrag or inherited.ice_ufrag,
        ice_pwd or inherited.ice_pwd,
        _fingerprints(attributes) or inherited.fingerprints,
        setup or inherited.setup,
    )


def _fingerprints(attributes: Attributes) -> tuple[Fingerprint, ...]:
    """Fingerprints of known hashes; others are skipped (RFC 8122 section 5)."""
    found: list[Fingerprint] = []
    lines = attributes.get("fingerprint", ())
    if len(lines) > MAX_FINGERPRINTS:
        raise SdpError("too many fingerprints")
    for line in lines:
        name, _, value = line.strip().partition(" ")
        name, value = name.lower(), value.strip().upper()
        if name not in _HASH_BYTES:
            continue
        if not _HEX_PAIRS.fullmatch(value) or len(value) != 3 * _HASH_BYTES[name] - 1:
            raise SdpError("bad fingerprint")
        found.append((name, value))
    return tuple(found)
