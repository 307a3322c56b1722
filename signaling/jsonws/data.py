"""Data packets as JSON and back. Only user packets pass; SDKs' streams and calls are theirs."""

import base64
import binascii
from typing import Any

from google.protobuf.message import DecodeError
from livekit.protocol import models

from sfu.control import LOSSY, RELIABLE

from .errors import Refused
from .messages import SendData


def packet_of(request: SendData) -> tuple[str, bytes]:
    """The channel that a packet belongs to, and the packet. Raises Refused."""
    payload = request.data.encode(errors="surrogatepass")
    if request.encoding == "base64":
        try:
            payload = base64.b64decode(request.data, validate=True)
        except (binascii.Error, ValueError):
            raise Refused("bad_request", "data: should be base64") from None
    user = models.UserPacket(payload=payload, topic=request.topic or None)
    packet = models.DataPacket(user=user, destination_identities=request.to)
    return RELIABLE if request.reliable else LOSSY, packet.SerializeToString()


def shape_of(payload: bytes) -> dict[str, Any] | None:
    """What a client is told of a packet, or None if that is nothing."""
    try:
        packet = models.DataPacket.FromString(payload)
    except DecodeError:
        return None
    if packet.WhichOneof("value") != "user":
        return None
    shape: dict[str, Any] = {"from": packet.participant_identity or None, "topic": packet.user.topic}
    try:
        return {**shape, "data": packet.user.payload.decode(), "encoding": "text"}
    except UnicodeDecodeError:
        return {**shape, "data": base64.b64encode(packet.user.payload).decode(), "encoding": "base64"}
