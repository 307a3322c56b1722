"""Tokens to join a room with, signed by the server itself."""

from dataclasses import replace
from typing import Any

from auth.grants import Claims, VideoGrant
from auth.keys import KeyRing
from auth.tokens import mint


def join_token(
    keys: KeyRing, room: str, claims: Claims, /, *, ttl_s: float, now: float, **grants: Any
) -> str:
    """A token for the one in ``claims``, signed with the first API key; ``now`` is in seconds since the epoch.

    ``grants`` are further fields of the video grant. Raises UnknownKey where there is no key.
    """
    video = replace(VideoGrant(room_join=True, room=room), **grants)
    key, secret = keys.first()
    return mint(replace(claims, video=video), key, secret, ttl_s=ttl_s, now=now)
