"""One endpoint: what it takes, what it answers, and the aiohttp handler that checks both."""

import inspect
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ConfigDict, ValidationError

from auth.keys import KeyRing
from hubbub.api.access import Caller
from hubbub.api.errors import ERRORS, Code
from rooms.roles import RoleNamed

from . import errors
from .credentials import identify
from .errors import InvalidField, NamesNothing, invalid

NAME_PATTERN = r"^[^\x00-\x1f\x7f]+$"
MAX_NAME_CHARS = 256
"""Of a name in the path; longer ones name nothing."""


class Model(BaseModel):
    """A body or query that is taken literally: no conversions, no unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Query(BaseModel):
    """Query parameters are text, so numbers in them are read."""

    model_config = ConfigDict(extra="forbid")


class Answer(BaseModel):
    """What is told of a record, which ``model_validate`` reads by field names; times are since the epoch there."""

    model_config = ConfigDict(from_attributes=True)


class Nothing(Model):
    """No fields."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, checked."""

    by: Caller
    path: dict[str, str]
    body: Any
    """An instance of the endpoint's body model."""
    query: Any
    request: web.Request

    def administered_room(self) -> str:
        """The room in the path. Raises PermissionsDenied for a caller who doesn't administer it."""
        room = self.path["room"]
        self.by.require_room_admin(room)
        return room


Operation = Callable[[Call], BaseModel | Awaitable[BaseModel | None] | None]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a client can do with a path."""

    method: str
    path: str
    """With parameters in braces: ``/api/rooms/{room}``."""
    summary: str
    tag: str
    operation: Operation
    answer: type[BaseModel] | None = None
    """None for an empty 204."""
    body: type[Model] | None = None
    query: type[Query] | None = None
    status: int = 200
    needs: str = ""
    """The right that a token needs; empty for none."""
    errors: Sequence[Code] = ()
    """Codes besides those that every endpoint may answer."""

    @property
    def parameters(self) -> list[str]:
        """Names in the path."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]


def routes(endpoints: Sequence[Endpoint], keys: KeyRing, role_named: RoleNamed) -> list[web.RouteDef]:
    """Routes that serve the endpoints."""
    return [web.route(one.method, one.path, _handler(one, keys, role_named)) for one in endpoints]


def _handler(endpoint: Endpoint, keys: KeyRing, role_named: RoleNamed) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            by = Caller()
            if endpoint.needs:
                by = identify(request.headers, {}, keys, time.time, role_named)
            call = Call(
                by, _path(request), await _body(endpoint, request), _query(endpoint, request), request
            )
            result = endpoint.operation(call)
            if inspect.isawaitable(result):
                result = await result
        except ERRORS as error:
            return errors.answer(error)
        if result is None:
            return web.Response(status=204)
        assert isinstance(result, BaseModel)
        return web.json_response(text=result.model_dump_json(by_alias=True), status=endpoint.status)

    return handle


def _path(request: web.Request) -> dict[str, str]:
    for name, value in request.match_info.items():
        if len(value) > MAX_NAME_CHARS or not re.match(NAME_PATTERN, value):
            raise NamesNothing(name, "nothing has such a name")
    return dict(request.match_info)


async def _body(endpoint: Endpoint, request: web.Request) -> Any:
    if endpoint.body is None:
        return Nothing()
    if request.content_type not in ("application/json", "application/octet-stream"):
        raise InvalidField("", "the body should be application/json")
    raw = await request.read()
    if not raw:
        raise InvalidField("", "a JSON body is missing")
    try:
        return endpoint.body.model_validate_json(raw)
    except ValidationError as error:
        raise invalid(error) from None


def _query(endpoint: Endpoint, request: web.Request) -> Any:
    model = endpoint.query or _NoQuery
    values: dict[str, Any] = {}
    for name in request.query:
        given = request.query.getall(name)
        values[name] = given[0] if len(given) == 1 else given
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid(error) from None


class _NoQuery(Query):
    """No parameters."""
