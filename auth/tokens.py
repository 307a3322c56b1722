"""Access tokens: JSON web tokens signed with HS256 and nothing else."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jwt import PyJWS
from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import PyJWTError

from .errors import BadSignature, MalformedToken, MissingExpiry, TokenExpired, TokenNotYetValid
from .grants import Claims, read_time
from .keys import KeyRing

MAX_TOKEN_CHARS = 65_536
"""Longer tokens are refused unread; the longest URL that is taken has the same limit."""
LEEWAY_S = 60.0
"""How far clocks may differ (LiveKit's own)."""
DEFAULT_TTL_S = 6 * 3600.0
MIN_REFRESH_TTL_S = 600.0
"""A refreshed token is good for at least this long, so that clients may return after their first expired."""

BODY_TTL_S = 300
"""How long the token of a webhook is good (LiveKit's)."""


class _Hs256(HMACAlgorithm):
    """HMAC-SHA256 with a secret of any length: too short ones are refused where the configuration is read."""

    def __init__(self) -> None:
        super().__init__(HMACAlgorithm.SHA256)

    def check_key_length(self, key: bytes) -> str | None:  # noqa: ARG002
        return None


_JWS = PyJWS(algorithms=[])
_JWS.register_algorithm("HS256", _Hs256())


def verify(token: str, keys: KeyRing, now: float, *, leeway_s: float = LEEWAY_S) -> Claims:
    """What a token claims, once its signature and times hold.

    Raises UnknownKey or one of the TokenErrors, and nothing else whatever the token is. `now` is in seconds
    since the epoch. The signature is compared in constant time.
    """
    header, payload = _read(token)
    issuer = payload.get("iss")
    if not isinstance(issuer, str):
        raise MalformedToken
    _check_signature(token, header, keys.secrets(issuer))
    _check_times(payload, now, leeway_s)
    return Claims.from_json(payload)


def mint(claims: Claims, key: str, secret: str, *, ttl_s: float = DEFAULT_TTL_S, now: float) -> str:
    """Sign claims with an API key. Issuer and times are set here; those in `claims` are ignored."""
    dated = replace(claims, issuer=key, not_before=int(now), expires_at=int(now + ttl_s))
    return _sign(dated.to_json(), secret)


def mint_for_body(body: bytes, key: str, secret: str, *, now: float) -> str:
    """A token that says who sent this body and that it is whole: what webhooks carry, good for BODY_TTL_S."""
    hashed = base64.b64encode(hashlib.sha256(body).digest()).decode()
    starts_at = int(now)
    times = {"exp": starts_at + BODY_TTL_S, "nbf": starts_at, "iat": starts_at}
    return _sign({"iss": key, **times, "sha256": hashed}, secret)


def refresh(claims: Claims, keys: KeyRing, now: float) -> str:
    """A token for the holder of a verified one to come back with, signed with the same API key.

    It lives as long as the first, and at least MIN_REFRESH_TTL_S. Raises UnknownKey if the key was withdrawn.
    """
    left_s = 0.0 if claims.expires_at is None else claims.expires_at - now
    lasting = replace(claims, sha256="", kind_details=())
    secret = keys.secret(claims.issuer)
    return mint(lasting, claims.issuer, secret, ttl_s=max(MIN_REFRESH_TTL_S, left_s), now=now)


def _sign(payload: Mapping[str, object], secret: str) -> str:
    return _JWS.encode(json.dumps(payload, separators=(",", ":")).encode(), secret, algorithm="HS256")


def _read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and payload, not yet to be believed."""
    if len(token) > MAX_TOKEN_CHARS or not token.isascii():
        raise MalformedToken
    try:
        parts = _JWS.decode_complete(token, options={"verify_signature": False})
        payload = json.loads(parts["payload"])
        # A lone surrogate would pass here and break whoever encodes it later.
        json.dumps(payload, ensure_ascii=False).encode()
    except (PyJWTError, ValueError, RecursionError):
        raise MalformedToken from None
    if not isinstance(payload, dict):
        raise MalformedToken
    return parts["header"], payload


def issuer_of(token: str) -> str:
    """The API key that a token names, not to be believed yet; empty for what is no token."""
    try:
        issuer = _read(token)[1].get("iss")
    except MalformedToken:
        return ""
    return issuer if isinstance(issuer, str) else ""


def _check_signature(token: str, header: dict[str, Any], secrets: tuple[str, ...]) -> None:
    algorithm = header.get("alg")
    if algorithm != "HS256":
        known = isinstance(algorithm, str) and len(algorithm) <= 16 and algorithm.isalnum()
        raise BadSignature(f"signing method {algorithm if known else 'unknown'} is invalid")
    for secret in secrets:
        try:
            _JWS.decode(token, secret, algorithms=["HS256"])
        except PyJWTError:
            continue
        return
    raise BadSignature


def _check_times(payload: dict[str, Any], now: float, leeway_s: float) -> None:
    expires_at = read_time(payload, "exp")
    if expires_at is None:
        raise MissingExpiry
    if now >= expires_at + leeway_s:
        raise TokenExpired
    for name in ("nbf", "iat"):
        starts_at = read_time(payload, name)
        if starts_at is not None and now < starts_at - leeway_s:
            raise TokenNotYetValid
