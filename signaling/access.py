"""Who may open a session: from the request's token to checked claims. Sans-IO.

Statuses, texts and the order of the checks are LiveKit 1.13.5's (recorded).
"""

from collections.abc import Mapping

from auth.grants import Claims, VideoGrant
from auth.keys import KeyRing
from auth.tokens import verify
from rooms.join import JoinRequest
from signaling.errors import BadRequest, Unauthorized

BEARER = "Bearer "
MAX_NAME_CHARS = 256
"""Longest identity and room name (LiveKit's defaults)."""


def token_of(headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    """The token of the Authorization header, else of ``access_token``; empty if neither is there."""
    authorization = headers.get("Authorization", "")
    if not authorization:
        return query.get("access_token", "")
    if not authorization.startswith(BEARER):
        raise Unauthorized("invalid authorization header. Must start with Bearer ")
    return authorization.removeprefix(BEARER)


def authenticate(headers: Mapping[str, str], query: Mapping[str, str], keys: KeyRing, now: float) -> Claims:
    """Verified claims with a video grant. Raises Unauthorized and ``auth.errors.AuthError``."""
    token = token_of(headers, query)
    claims = verify(token, keys, now) if token else None
    if claims is None or claims.video is None:
        raise no_permission()
    return claims


def authorize(request: JoinRequest) -> None:
    """Refuse what the request's own claims don't permit. Raises Unauthorized or BadRequest.

    What a role may grant instead is for the rooms to say, which know the roles.
    """
    claims, grant = request.claims, request.claims.video or VideoGrant()
    if not grant.room_join:
        raise Unauthorized("permissions denied")
    if not claims.identity:
        raise BadRequest("identity cannot be empty")
    if len(claims.identity) > MAX_NAME_CHARS:
        raise BadRequest(f"participant identity length exceeds limits: max length {MAX_NAME_CHARS}")
    if not grant.room:
        raise BadRequest("no room name")
    if len(grant.room) > MAX_NAME_CHARS:
        raise BadRequest(f"room name length exceeds limits: max length {MAX_NAME_CHARS}")


def no_permission() -> Unauthorized:
    """The answer to a token that doesn't reach far enough."""
    return Unauthorized("no permissions to access the room")
