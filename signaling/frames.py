"""WebSocket frames of a server (RFC 6455 section 5): bytes to messages and messages to bytes, without I/O.

No extensions: a compressor would cost each idle client's memory more than the rest of its session.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

MAX_CONTROL_BYTES = 125
_FIN = 0x80
_RESERVED = 0x70
_MASKED = 0x80
_MASK_BYTES = 4
_LONG, _LONGEST = 126, 127
_CODES_SENT = (range(1000, 1004), range(1007, 1015), range(3000, 5000))
"""Codes that a close frame may carry (RFC 6455 section 7.4, and what IANA has added)."""


class Opcode(IntEnum):
    """Kinds of frames."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class CloseCode(IntEnum):
    """Why a connection is closed (RFC 6455 section 7.4.1)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    INVALID_PAYLOAD = 1007
    TOO_BIG = 1009
    TRY_AGAIN = 1013
    """RFC 6455's registry: the server can't serve this client now."""


class FrameError(Exception):
    """Bytes that are no WebSocket frames, or too large: the connection is closed with ``code``."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


class Frame(NamedTuple):
    """A whole message, or a control frame."""

    opcode: Opcode
    payload: bytes


def frame(opcode: Opcode, payload: bytes) -> bytes:
    """The bytes of an unfragmented, unmasked frame."""
    size = len(payload)
    if size < _LONG:
        return bytes((_FIN | opcode, size)) + payload
    if size < 1 << 16:
        return bytes((_FIN | opcode, _LONG)) + size.to_bytes(2, "big") + payload
    return bytes((_FIN | opcode, _LONGEST)) + size.to_bytes(8, "big") + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame, with as much of the reason as fits."""
    text = reason.encode()[: MAX_CONTROL_BYTES - 2].decode(errors="ignore").encode()
    return frame(Opcode.CLOSE, code.to_bytes(2, "big") + text)


def text_of(payload: bytes) -> str:
    """A text message. Raises FrameError if it is not UTF-8."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise FrameError(CloseCode.INVALID_PAYLOAD, "not UTF-8") from None


def check_close(payload: bytes) -> None:
    """Raise FrameError unless a close frame is empty, or has a code that may be sent and perhaps a reason."""
    if not payload:
        return
    code = int.from_bytes(payload[:2], "big")
    if len(payload) < 2 or not any(code in codes for codes in _CODES_SENT):
        raise FrameError(CloseCode.PROTOCOL_ERROR, "bad close code")
    text_of(payload[2:])


class FrameReader:
    """Puts a client's bytes together; messages of up to ``max_bytes``."""

    __slots__ = ("_at", "_buffer", "_kind", "_max_bytes", "_message")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._at = 0
        self._kind: Opcode | None = None
        self._message = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what arrived; :meth:`frames` has what is complete."""
        del self._buffer[: self._at]
        self._at = 0
        self._buffer += data

    def frames(self) -> Iterator[Frame]:
        """Complete messages and control frames, each once. Raises FrameError; nothing may be read after that."""
        while (found := self._next()) is not None:
            final, opcode, payload = found
            if opcode >= Opcode.CLOSE:
                yield Frame(opcode, payload)
            elif (message := self._join(final, opcode, payload)) is not None:
                yield message

    def _next(self) -> tuple[bool, Opcode, bytes] | None:
        buffer, at = self._buffer, self._at
        if len(buffer) < at + 2:
            return None
        first = buffer[at]
        opcode, size = self._check(first, buffer[at + 1])
        at += 2
        if size >= _LONG:
            end = at + (2 if size == _LONG else 8)
            if len(buffer) < end:
                return None
            size = int.from_bytes(buffer[at:end], "big")
            at = end
        if size + len(self._message) > self._max_bytes and opcode < Opcode.CLOSE:
            raise FrameError(CloseCode.TOO_BIG, "message too long")
        start = at + _MASK_BYTES
        if len(buffer) < start + size:
            return None
        self._at = start + size
        payload = _unmask(bytes(buffer[start : self._at]), bytes(buffer[at:start]))
        return bool(first & _FIN), opcode, payload

    def _check(self, first: int, second: int) -> tuple[Opcode, int]:
        """Opcode and short size of a permitted header."""
        size = second & ~_MASKED
        try:
            opcode = Opcode(first & 0x0F)
        except ValueError:
            raise FrameError(CloseCode.PROTOCOL_ERROR, "unknown opcode") from None
        if first & _RESERVED:
            raise FrameError(CloseCode.PROTOCOL_ERROR, "reserved bits")
        if not second & _MASKED:
            raise FrameError(CloseCode.PROTOCOL_ERROR, "not masked")
        if opcode >= Opcode.CLOSE and (size > MAX_CONTROL_BYTES or not first & _FIN):
            raise FrameError(CloseCode.PROTOCOL_ERROR, "control frame too long or in parts")
        if opcode < Opcode.CLOSE and (opcode is Opcode.CONTINUATION) is (self._kind is None):
            raise FrameError(CloseCode.PROTOCOL_ERROR, "message in the wrong order")
        return opcode, size

    def _join(self, final: bool, opcode: Opcode, payload: bytes) -> Frame | None:
        kind = self._kind or opcode
        if final and not self._message:
            self._kind = None
            return Frame(kind, payload)
        self._message += payload
        if not final:
            self._kind = kind
            return None
        message, self._message, self._kind = bytes(self._message), bytearray(), None
        return Frame(kind, message)


def _unmask(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    stream = (mask * (size // _MASK_BYTES + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(stream, "little")).to_bytes(size, "little")
