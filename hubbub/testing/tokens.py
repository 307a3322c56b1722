"""Access tokens for tests, signed here so that none of the server's packages is imported."""

import time
from collections.abc import Mapping
from typing import Any


def access_token(
    api_key: str,
    api_secret: str,
    identity: str,
    video: Mapping[str, object],
    *,
    name: str = "",
    metadata: str = "",
    attributes: Mapping[str, str] | None = None,
    kind: str = "standard",
    room_config: Mapping[str, object] | None = None,
    ttl_s: float = 3600,
    **grants: object,
) -> str:
    """A token; ``video`` and ``grants`` are fields of the video grant (``can_publish=False``, ``hidden=True``)."""
    import jwt  # slow to import, and pytest imports plugins whether they are used or not

    now = time.time()
    claims: dict[str, Any] = {
        "iss": api_key,
        "sub": identity,
        "nbf": int(now) - 10,
        "exp": int(now + ttl_s),
        "name": name,
        "metadata": metadata,
        "attributes": dict(attributes or {}),
        "kind": kind,
        "video": {_camel(key): value for key, value in {**video, **grants}.items()},
    }
    if room_config is not None:
        claims["roomConfig"] = dict(room_config)
    return jwt.encode(claims, api_secret, "HS256")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
