"""What a client asks for when it connects: the parameters of ``/rtc``, or the ``join_request`` of
``/rtc/v1``.

Sans-IO. ``join_request`` is base64url of a WrappedJoinRequest, which holds a JoinRequest, gzipped or not.
Every stage fails with the text that LiveKit 1.13.5 answers (recorded), and nothing is inflated past the
limit.
"""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Mapping

from google.protobuf.message import DecodeError
from livekit.protocol import rtc

from auth.grants import Claims
from rooms.join import JoinRequest
from signaling import client_info
from signaling.errors import BadRequest

_BASE64URL = re.compile(r"([A-Za-z0-9_-]*)={0,2}")


def from_query(query: Mapping[str, str], claims: Claims, *, strict: bool) -> JoinRequest:
    """Read the parameters of ``/rtc``.

    ``strict`` (validate) refuses undecodable attributes, connecting ignores them.
    """
    reconnect = _flag(query.get("reconnect", ""))
    return JoinRequest(
        claims=claims,
        client=client_info.from_query(query),
        single_pc=False,
        auto_subscribe=_flag(query.get("auto_subscribe") or "1"),
        auto_subscribe_data_track=_flag(query.get("auto_subscribe_data_track", "")),
        adaptive_stream=_flag(query.get("adaptive_stream", "")),
        attributes=_attributes(query.get("attributes", ""), strict=strict),
        reconnect=reconnect,
        participant_sid=query.get("sid", "") if reconnect else "",
        reconnect_reason=client_info.int32(query.get("reconnect_reason", "")),
        publish=query.get("publish", ""),
        disable_ice_lite=_flag(query.get("disable_ice_lite", "")),
    )


def from_wrapped(text: str, claims: Claims, *, max_bytes: int) -> JoinRequest:
    """Read the ``join_request`` parameter of ``/rtc/v1``. Raises BadRequest."""
    asked = unwrap(text, max_bytes=max_bytes)
    settings = asked.connection_settings
    return JoinRequest(
        claims=claims,
        client=asked.client_info,
        single_pc=True,
        auto_subscribe=settings.auto_subscribe,
        auto_subscribe_data_track=settings.auto_subscribe_data_track,
        adaptive_stream=settings.adaptive_stream,
        metadata=asked.metadata,
        attributes=dict(asked.participant_attributes),
        add_tracks=tuple(asked.add_track_requests),
        publisher_offer=asked.publisher_offer if asked.HasField("publisher_offer") else None,
        reconnect=asked.reconnect,
        participant_sid=asked.participant_sid,
        reconnect_reason=asked.reconnect_reason,
        disable_ice_lite=settings.disable_ice_lite,
    )


def unwrap(text: str, *, max_bytes: int) -> rtc.JoinRequest:
    """Undo base64url (padding optional), wrapper and gzip.

    At most ``max_bytes`` come out. Raises BadRequest.
    """
    try:
        wrapped = rtc.WrappedJoinRequest.FromString(_base64url(text))
    except binascii.Error as error:
        raise BadRequest("cannot base64 decode wrapped join request") from error
    except DecodeError as error:
        raise BadRequest("cannot unmarshal wrapped join request") from error
    inner = wrapped.join_request
    if wrapped.compression == rtc.WrappedJoinRequest.Compression.GZIP:
        inner = _gunzip(inner, max_bytes)
    elif wrapped.compression != rtc.WrappedJoinRequest.Compression.NONE:
        raise BadRequest("cannot read decompressed join request")
    if len(inner) > max_bytes:
        raise BadRequest("join request too large")
    try:
        return rtc.JoinRequest.FromString(inner)
    except DecodeError as error:
        raise BadRequest("cannot unmarshal join request") from error


def _gunzip(data: bytes, max_bytes: int) -> bytes:
    """Inflate one gzip member, stopping one byte past the limit."""
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        inflated = inflater.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise BadRequest("cannot read decompressed join request") from error
    if len(inflated) > max_bytes:
        raise BadRequest("join request too large")
    if not inflater.eof or inflater.unused_data:
        raise BadRequest("cannot read decompressed join request")
    return inflated


def _attributes(text: str, *, strict: bool) -> dict[str, str]:
    """The ``attributes`` parameter: base64url of a JSON object of strings."""
    if not text:
        return {}
    try:
        # Protobuf checks that keys and values are text that can be sent.
        return dict(
            rtc.JoinRequest(participant_attributes=json.loads(_base64url(text))).participant_attributes
        )
    except (ValueError, TypeError, RecursionError) as error:
        if strict:
            raise BadRequest("cannot decode attributes") from error
        return {}


def _base64url(text: str) -> bytes:
    match = _BASE64URL.fullmatch(text)
    if match is None:
        raise binascii.Error("not base64url")
    return base64.urlsafe_b64decode(match[1] + "=" * (-len(match[1]) % 4))


def _flag(text: str) -> bool:
    return text in ("1", "true")
