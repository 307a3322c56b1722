"""ICE user fragments and passwords (RFC 8445 section 5.3), and where fresh ones come from."""

import secrets
import string
from dataclasses import dataclass

_ICE_CHARS = string.ascii_letters + string.digits
"""The letters and digits of ice-char (RFC 8839 section 5.4): safe in every SDP and URL."""

_UFRAG_LENGTH = 16
"""95 bits: fragments are the key by which one port tells its transports apart, so they must not collide."""

_PWD_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Credentials:
    """One generation of ICE credentials."""

    ufrag: str
    pwd: str


def new_credentials() -> Credentials:
    """Draw credentials nobody can guess."""
    return Credentials(_draw(_UFRAG_LENGTH), _draw(_PWD_LENGTH))


def _draw(length: int) -> str:
    return "".join(secrets.choice(_ICE_CHARS) for _ in range(length))
