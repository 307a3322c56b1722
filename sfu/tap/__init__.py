"""Clients that live in the server's own process: packets without ICE, DTLS and SRTP."""

from sfu.tap.packets import MAX_PAYLOAD_BYTES, Tapped
from sfu.tap.tap import Tap, TapListener

__all__ = ["MAX_PAYLOAD_BYTES", "Tap", "TapListener", "Tapped"]
