"""The Twirp door: one route for all services, dispatched by the protocol's own descriptors.

A service is any object whose methods are named like the RPCs in snake case (``create_room`` for CreateRoom) and
take the caller and the request; they return the response, or an awaitable of it, and raise what
``hubbub.api.errors`` knows. RPCs that the object lacks answer ``unimplemented``.
"""

import asyncio
import inspect
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from aiohttp import web
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from auth.keys import KeyRing
from hubbub.api.access import Caller, PermissionsDenied, caller
from hubbub.api.errors import ERRORS, Code, code_of
from hubbub.api.twirp.codec import JSON, PROTOBUF, Malformed, decode, encode_in_turns
from rooms.roles import RoleNamed, predefined

LARGE_BODY_BYTES = 64 * 1024
"""A longer body is decoded aside, and only for somebody who may do something with a service."""

log = structlog.get_logger(__name__)

Handler = Callable[[Caller, Any], Message | Awaitable[Message]]


class Refused(Exception):
    """An answer that the door gives by itself."""

    def __init__(self, code: Code, message: str, meta: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.meta = meta


class TwirpServer:
    """Every mounted service behind ``/twirp/…``."""

    def __init__(
        self,
        keys: KeyRing,
        clock: Callable[[], float] = time.time,
        role_named: RoleNamed = predefined,
    ) -> None:
        self._keys = keys
        self._role_named = role_named
        self._clock = clock
        self._services: dict[str, dict[str, tuple[type[Message], Handler]]] = {}

    def mount(self, descriptor: ServiceDescriptor, service: object) -> None:
        """Serve a service, named by its descriptor."""
        self._services[descriptor.full_name] = {
            method.name: (GetMessageClass(method.input_type), _handler(service, method))
            for method in descriptor.methods
        }

    def routes(self) -> list[web.RouteDef]:
        """The route for an aiohttp application. A doubled slash in front is what a URL ending in one makes."""
        return [web.route("*", r"/{_:/?}twirp/{service}/{method:.*}", self.serve)]

    async def serve(self, request: web.Request) -> web.Response:
        """Answer one call. A token that can't be believed is refused in plain text, as LiveKit does."""
        by = caller(request.headers, request.query, self._keys, self._clock, self._role_named)
        methods = self._services.get(request.match_info["service"])
        if methods is None:
            raise web.HTTPNotFound
        try:
            return await self._call(request, by, methods)
        except Refused as refusal:
            return _error(refusal.code, str(refusal), refusal.meta)
        except Malformed as error:
            return _error(Code.MALFORMED, str(error))
        except ERRORS as error:
            return _error(code_of(error), str(error))
        except web.HTTPException:
            raise
        except Exception:
            log.exception("server API call failed", path=request.path)
            return _error(Code.INTERNAL, "internal error")

    async def _call(
        self, request: web.Request, by: Caller, methods: Mapping[str, tuple[type[Message], Handler]]
    ) -> web.Response:
        message_type, handler, media_type = _route(request, methods)
        body = await request.read()
        if len(body) <= LARGE_BODY_BYTES:
            message = decode(body, media_type, message_type())
        elif not by.administers:
            raise PermissionsDenied
        else:
            message = await asyncio.to_thread(decode, body, media_type, message_type())
        answer = handler(by, message)
        if inspect.isawaitable(answer):
            answer = await _within(_timeout_s(request), answer)
        written = await encode_in_turns(answer, media_type)
        return web.Response(body=written, headers={"Content-Type": media_type})


class Unimplemented:
    """A service that is known and not there: it checks the grant, and answers ``unimplemented``."""

    def __init__(self, check: Callable[[Caller], object]) -> None:
        self.check = check


def _handler(service: object, method: MethodDescriptor) -> Handler:
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", method.name).lower()
    handler: Handler | None = getattr(service, name, None)
    if handler is not None:
        return handler
    check = service.check if isinstance(service, Unimplemented) else Caller.require_token

    def refuse(by: Caller, _request: Message) -> Message:
        check(by)
        raise Refused(Code.UNIMPLEMENTED, f"{method.full_name} is not implemented")

    return refuse


def _route(
    request: web.Request, methods: Mapping[str, tuple[type[Message], Handler]]
) -> tuple[type[Message], Handler, str]:
    meta = {"twirp_invalid_route": f"{request.method} {request.path}"}
    if request.method != "POST":
        raise Refused(Code.BAD_ROUTE, f'unsupported method "{request.method}" (only POST is allowed)', meta)
    found = methods.get(request.match_info["method"])
    if found is None:
        raise Refused(Code.BAD_ROUTE, f'no handler for path "{request.path}"', meta)
    content_type = request.headers.get("Content-Type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in (JSON, PROTOBUF):
        raise Refused(Code.BAD_ROUTE, f'unexpected Content-Type: "{content_type}"', meta)
    return *found, media_type


def _timeout_s(request: web.Request) -> float | None:
    """How long the client is going to wait, where it says so."""
    text = request.headers.get("X-Twirp-Timeout-Ms", "")
    return int(text) / 1000 if re.fullmatch(r"[0-9]{1,9}", text) else None


async def _within(seconds: float | None, answer: Awaitable[Message]) -> Message:
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        raise Refused(Code.DEADLINE_EXCEEDED, "the client's time is up") from None


def _error(code: Code, message: str, meta: Mapping[str, str] | None = None) -> web.Response:
    body: dict[str, object] = {"code": code, "msg": message}
    if meta:
        body["meta"] = meta
    # The Node SDK compares the content type as a whole: no charset.
    return web.Response(
        status=code.status, body=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
