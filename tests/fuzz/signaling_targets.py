"""Fuzz targets of the signalling doors: frames and join requests."""

from contextlib import suppress

from auth.grants import Claims
from signaling.errors import BadFrame, BadRequest
from signaling.framing import Framing
from signaling.join_request import from_query, from_wrapped

MAX_JOIN_REQUEST_BYTES = 1 << 16


def frame(data: bytes) -> None:
    """As a binary frame and, where it is text, as a text frame: a SignalRequest that can be written again."""
    for received in (data, data.decode("utf-8", "replace")):
        try:
            request = Framing().decode(received)
        except BadFrame:
            continue
        request.SerializeToString()


def join_request(data: bytes) -> None:
    """As the ``join_request`` of /rtc/v1, and as every parameter of /rtc."""
    text = data.decode("latin-1")
    with suppress(BadRequest):
        from_wrapped(text, Claims(), max_bytes=MAX_JOIN_REQUEST_BYTES)
    names = ("protocol", "sdk", "capabilities", "reconnect_reason", "attributes", "publish")
    query = dict.fromkeys(names, data.decode("utf-8", "replace"))
    from_query(query, Claims(), strict=False)
