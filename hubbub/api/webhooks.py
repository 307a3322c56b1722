"""``/api/webhooks``: deliveries listed and replayed. Needs a token with roomCreate, the right over all rooms."""

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import get_args

from aiohttp import web
from aiohttp.typedefs import Handler

from auth.keys import KeyRing
from hubbub.api.access import caller
from hubbub.webhooks.errors import NoSuchDelivery, NoSuchTarget
from hubbub.webhooks.queue import Delivery, State
from hubbub.webhooks.service import Webhooks

DEFAULT_LIMIT = 50
_STATES = get_args(State)


class WebhookRoutes:
    """The handlers. Answers are JSON; a refusal is ``{"error": …}``."""

    def __init__(self, webhooks: Webhooks, keys: KeyRing, clock: Callable[[], float] = time.time) -> None:
        self._webhooks = webhooks
        self._keys = keys
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        deliveries = "/api/webhooks/deliveries"
        return [
            web.get(deliveries, self._guarded(self.list)),
            web.get(deliveries + "/{id}", self._guarded(self.show)),
            web.post(deliveries + "/{id}/replay", self._guarded(self.replay)),
            web.post("/api/webhooks/replay-dead", self._guarded(self.replay_dead)),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """``?state=pending|delivered|dead&target=…&room=…&limit=…&page=…``, the latest first."""
        query = request.query
        state, limit = query.get("state"), query.get("limit", str(DEFAULT_LIMIT))
        if state is not None and state not in _STATES:
            return _refused(400, f"state is one of {', '.join(_STATES)}")
        if not (limit.isascii() and limit.isdigit() and len(limit) < 10):
            return _refused(400, "limit is a number")
        page = await self._webhooks.deliveries(
            state=state,  # type: ignore[arg-type]  # one of them
            target=query.get("target"),
            room=query.get("room"),
            limit=int(limit),
            page=query.get("page", ""),
        )
        shown = [asdict(delivery) for delivery in page.deliveries]
        return web.json_response({"deliveries": shown, "next_page": page.next_page})

    async def show(self, request: web.Request) -> web.Response:
        """One delivery, with the body that was or will be sent."""
        delivery, body = await self._webhooks.delivery(request.match_info["id"])
        return _delivery(delivery, body=body)

    async def replay(self, request: web.Request) -> web.Response:
        """Send one again."""
        return _delivery(await self._webhooks.replay(request.match_info["id"]), status=202)

    async def replay_dead(self, request: web.Request) -> web.Response:
        """Send all dead letters of ``?target=…`` again."""
        replayed = await self._webhooks.replay_dead(request.query.get("target", ""))
        return web.json_response({"replayed": replayed}, status=202)

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            caller(request.headers, request.query, self._keys, self._clock).require_room_create()
            try:
                return await handler(request)
            except NoSuchDelivery as error:
                return _refused(404, str(error))
            except NoSuchTarget as error:
                return _refused(409, str(error))

        return guarded


def _delivery(delivery: Delivery, *, status: int = 200, **more: str) -> web.Response:
    return web.json_response(asdict(delivery) | more, status=status)


def _refused(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)
