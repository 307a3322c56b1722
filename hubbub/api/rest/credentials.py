"""Who calls: the bearer of a token, or the holder of an API key, who may do everything."""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from auth.errors import UnknownKey
from auth.keys import KeyRing
from hubbub.api.access import Caller, caller
from rooms.roles import RoleNamed, predefined
from signaling.errors import Unauthorized

_BASIC = "basic "


@dataclass(frozen=True, slots=True)
class KeyHolder(Caller):
    """Whoever has an API key's secret could sign any token, so nothing is checked."""

    key: str = ""

    def require(self, granted: bool) -> None:
        """Granted."""


def key_of(by: Caller) -> str:
    """The API key behind a caller, for limits that are per key."""
    if isinstance(by, KeyHolder):
        return by.key
    return by.claims.issuer if by.claims is not None else ""


def identify(
    headers: Mapping[str, str],
    query: Mapping[str, str],
    keys: KeyRing,
    clock: Callable[[], float],
    role_named: RoleNamed = predefined,
) -> Caller:
    """The caller behind ``Authorization: Bearer token``, or ``Basic`` with API key and secret as name and password.

    Raises Unauthorized, or an AuthError for a token that isn't to be believed.
    """
    authorization = headers.get("Authorization", "")
    if authorization[: len(_BASIC)].lower() != _BASIC:
        return caller(headers, query, keys, clock, role_named)
    try:
        text = base64.b64decode(authorization[len(_BASIC) :].strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise Unauthorized("the Authorization header is not Basic credentials") from None
    key, _, secret = text.partition(":")
    try:
        known = keys.secrets(key)
    except UnknownKey:
        known = ("",)
    given = secret.encode()
    if not any(hmac.compare_digest(given, one.encode()) for one in known) or known == ("",):
        raise Unauthorized("wrong API key or secret")
    return KeyHolder(key=key)
