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


def answer(host: "Session", payload: bytes, reply: Callable[[bytes], None]) -> None:
    """Carry out a request that came as JSON. ``reply`` hears the answer as JSON, unless its sender is gone by then."""
    request: Json = {}

    def finish(outcome: Json | RoomsError) -> None:
        if host.ended:
            return
        echo = {key: request[key] for key in ("action", "id") if _may_be_repeated(request.get(key))}
        if isinstance(outcome, RoomsError):
            refusal = {"code": code_of(outcome), "message": str(outcome)}
            reply(json.dumps({**echo, "ok": False, "error": refusal}).encode())
        else:
            reply(json.dumps({**echo, "ok": True, **outcome}).encode())

    try:
        request = _parse(payload)
        carry_out(host, request, finish)
    except RoomsError as error:
        finish(error)


def carry_out(host: "Session", request: Json, done: Callable[[Json | RoomsError], None]) -> None:
    """Do what a participant asks for as a host. Raises RoomsError.

    ``done`` hears what there is to say of it, or NotKept: at once, or when a removal is sure to outlive the process.
    """
    action = ACTIONS.get(_text(request, "action"))
    if action is None:
        raise InvalidRequest(f"action should be one of {', '.join(ACTIONS)}")
    if not host.participant.grant.may_administer(host.room.name):
        raise NotHost
    outcome = action(host, request)
    host.context.bans.when_kept(lambda error: done(error or outcome))


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
    hosting.pass_host([host], _other(host, request))
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
