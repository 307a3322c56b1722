"""A host's requests as JSON: by data packets of the topic ``hubbub.control``, or by the JSON door.

::

    {"action": "mute", "identity": "ann", "id": 7}  ->  {"action": "mute", "id": 7, "ok": true, "muted": ["TR_…"]}
                                                    or  {"action": "mute", "id": 7, "ok": false,
                                                         "error": {"code": "not_found", "message": "…"}}
"""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from . import hosting, moderation
from .errors import (
    InvalidRequest,
    LimitExceeded,
    NotHost,
    ParticipantNotFound,
    RoomsError,
)

if TYPE_CHECKING:
    from .session import Session

MAX_REQUEST_BYTES = 4096
MAX_ID_CHARS = 64

Json = Mapping[str, object]


def answer(host: "Session", payload: bytes) -> bytes | None:
    """Carry out a request that came as JSON; its answer as JSON, or None when its sender is gone with it."""
    request: Json = {}
    try:
        request = _parse(payload)
        outcome: dict[str, Any] = {"ok": True, **carry_out(host, request)}
    except RoomsError as error:
        outcome = {"ok": False, "error": {"code": code_of(error), "message": str(error)}}
    if host.ended:
        return None
    echo = {key: request[key] for key in ("action", "id") if _may_be_repeated(request.get(key))}
    return json.dumps({**echo, **outcome}).encode()


def carry_out(host: "Session", request: Json) -> dict[str, Any]:
    """Do what a participant asks for as a host; what there is to say of it. Raises RoomsError."""
    action = ACTIONS.get(_text(request, "action"))
    if action is None:
        raise InvalidRequest(f"action should be one of {', '.join(ACTIONS)}")
    if not host.participant.grant.may_administer(host.room.name):
        raise NotHost
    return action(host, request)


def code_of(error: RoomsError) -> str:
    """A word for what went wrong."""
    match error:
        case NotHost():
            return "not_allowed"
        case ParticipantNotFound():
            return "not_found"
        case LimitExceeded():
            return "limit_exceeded"
        case InvalidRequest():
            return "bad_request"
        case _:
            return "failed"


# --- actions ---


def _mute(host: "Session", request: Json) -> dict[str, Any]:
    return {"muted": hosting.mute(_other(host, request), _text(request, "track_sid", ""))}


def _mute_all(host: "Session", request: Json) -> dict[str, Any]:  # noqa: ARG001
    return {"muted": hosting.mute_all(host.room, but=host.participant.identity)}


def _remove(host: "Session", request: Json) -> dict[str, Any]:
    victim, ban_s = _other(host, request), request.get("ban_s")
    if victim is host:
        raise InvalidRequest("to go oneself is to leave")
    if ban_s is not None:
        if isinstance(ban_s, bool) or not isinstance(ban_s, int | float):
            raise InvalidRequest("ban_s should be a number of seconds")
        identity, room = victim.participant.identity, host.room.name
        host.context.bans.add(room=room, identity=identity, duration_s=float(ban_s), reason="by a host")
    moderation.expel(victim)
    return {}


def _end(host: "Session", request: Json) -> dict[str, Any]:  # noqa: ARG001
    hosting.end(host.room)
    return {}


def _lock(host: "Session", request: Json) -> dict[str, Any]:  # noqa: ARG001
    hosting.lock(host.room)
    return {}


def _unlock(host: "Session", request: Json) -> dict[str, Any]:  # noqa: ARG001
    hosting.unlock(host.room)
    return {}


def _pass_host(host: "Session", request: Json) -> dict[str, Any]:
    hosting.pass_host(host, _other(host, request))
    return {}


def _set_role(host: "Session", request: Json) -> dict[str, Any]:
    other = _other(host, request)
    moderation.change_role(other, host.context.config.known_role(_text(request, "role")))
    return {}


ACTIONS: dict[str, Callable[["Session", Json], dict[str, Any]]] = {
    "mute": _mute,
    "mute_all": _mute_all,
    "remove": _remove,
    "end": _end,
    "lock": _lock,
    "unlock": _unlock,
    "pass_host": _pass_host,
    "set_role": _set_role,
}
"""All that there are."""


def _other(host: "Session", request: Json) -> "Session":
    """Whom it is about."""
    return host.room.own_session(_text(request, "identity"))


def _parse(payload: bytes) -> Json:
    if len(payload) > MAX_REQUEST_BYTES:
        raise LimitExceeded(f"a request may have {MAX_REQUEST_BYTES} bytes")
    try:
        request = json.loads(payload)
    except (ValueError, RecursionError):
        raise InvalidRequest("should be JSON") from None
    if not isinstance(request, dict):
        raise InvalidRequest("should be a JSON object")
    return request


def _text(request: Json, name: str, default: str | None = None) -> str:
    value = request.get(name, default)
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} should be a text")
    return value


def _may_be_repeated(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_ID_CHARS
    return isinstance(value, int | float) and len(repr(value)) <= MAX_ID_CHARS
