"""All of REST: the endpoints, the document, and the page that shows it."""

from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from auth.keys import KeyRing
from hubbub.history.service import History
from hubbub.webhooks.service import Webhooks
from rooms.administration import Administration
from rooms.config import RoomConfig

from .controller import ControllerEndpoints
from .data import DataEndpoints
from .endpoint import Endpoint, routes
from .history import HistoryEndpoints
from .invitations import Inviter
from .moderation import ModerationEndpoints
from .openapi import document
from .participants import ParticipantEndpoints
from .rooms import RoomEndpoints
from .webhooks import WebhookEndpoints

_PAGE = Path(__file__).with_name("page.html")


class Rest:
    """The routes below ``/api`` and ``/livekit``."""

    def __init__(
        self,
        administration: Administration,
        keys: KeyRing,
        rooms: RoomConfig,
        history: History,
        webhooks: Webhooks,
    ) -> None:
        inviter = Inviter(keys, rooms)
        self._keys = keys
        self._role_named = rooms.role
        self.endpoints: Sequence[Endpoint] = (
            *RoomEndpoints(administration).endpoints(),
            *ParticipantEndpoints(administration, inviter).endpoints(),
            *inviter.endpoints(),
            *ModerationEndpoints(administration).endpoints(),
            *DataEndpoints(administration).endpoints(),
            *HistoryEndpoints(history).endpoints(),
            *WebhookEndpoints(webhooks).endpoints(),
            *ControllerEndpoints(administration, inviter).endpoints(),
        )
        self._document = document(self.endpoints)

    def routes(self) -> list[web.RouteDef]:
        """For an aiohttp application."""
        return [
            *routes(self.endpoints, self._keys, self._role_named),
            web.get("/api/openapi.json", self.openapi),
            web.get("/api/docs", self.page),
        ]

    async def openapi(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """The document."""
        return web.json_response(self._document)

    async def page(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """The document to read, and to try."""
        policy = (
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
        )
        return web.Response(
            text=_PAGE.read_text("utf-8"),
            content_type="text/html",
            headers={"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"},
        )
