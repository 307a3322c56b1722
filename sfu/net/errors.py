"""What can go wrong between the socket and the parsers, as types."""


class NetError(Exception):
    """Base of every error of this package."""


class StunError(NetError):
    """Bytes that are no STUN message we accept (RFC 8489)."""


class FramingError(NetError):
    """A TCP stream that breaks RFC 4571 framing or its limits; the connection must be closed."""


class DtlsError(NetError):
    """A DTLS handshake that didn't end with a verified peer and SRTP keys."""


class SrtpError(NetError):
    """An SRTP session that can't be made, or was used after it was closed."""


class AddressError(NetError):
    """No usable local or external address."""
