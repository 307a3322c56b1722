"""``/api/webhooks``: what was sent to whom, and sending it again."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from hubbub.api.errors import Code
from hubbub.webhooks.service import Webhooks

from .endpoint import Answer, Call, Endpoint, Model, Query

_TAG = "Webhooks"


class Delivery(Answer):
    """An event on its way to a target."""

    id: str
    event_id: str
    event: str
    room: str
    target: str
    state: str
    attempts: int
    created_at: datetime
    changed_at: datetime
    status: int | None
    error: str


class DeliveryWithBody(Delivery):
    """A delivery with what is sent."""

    body: str


class DeliveryList(BaseModel):
    """Some deliveries, the latest first."""

    deliveries: list[Delivery]
    next_page: str | None


class DeliveryQuery(Query):
    """Which deliveries."""

    state: Literal["pending", "delivered", "dead"] | None = None
    target: Annotated[str, StringConstraints(max_length=256)] | None = None
    room: Annotated[str, StringConstraints(max_length=256)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    page: Annotated[str, StringConstraints(max_length=64)] = ""


class ReplayDead(Model):
    """Whose dead letters."""

    target: Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Replayed(BaseModel):
    """How many are sent again."""

    replayed: int


class WebhookEndpoints:
    """Need roomCreate, the right over all rooms."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    def endpoints(self) -> list[Endpoint]:
        """In the order of the document."""
        path = "/api/webhooks/deliveries"
        absent = (Code.NOT_FOUND,)
        return [
            Endpoint(
                "GET", path, "List deliveries, the latest first", _TAG, self.list, DeliveryList,
                query=DeliveryQuery, needs="roomCreate",
            ),
            Endpoint(
                "GET", f"{path}/{{delivery}}", "Get a delivery with its body", _TAG, self.get,
                DeliveryWithBody, needs="roomCreate", errors=absent,
            ),
            Endpoint(
                "POST", f"{path}/{{delivery}}/replay", "Send a delivery again", _TAG, self.replay, Delivery,
                needs="roomCreate", errors=absent,
            ),
            Endpoint(
                "POST", "/api/webhooks/replay", "Send all dead letters of a target again", _TAG,
                self.replay_dead, Replayed, ReplayDead, needs="roomCreate", errors=absent,
            ),
        ]  # fmt: skip

    async def list(self, call: Call) -> DeliveryList:
        """Some of them."""
        call.by.require_room_create()
        query: DeliveryQuery = call.query
        page = await self._webhooks.deliveries(
            state=query.state, target=query.target, room=query.room, limit=query.limit, page=query.page
        )
        return DeliveryList(
            deliveries=[Delivery.model_validate(row) for row in page.deliveries],
            next_page=page.next_page or None,
        )

    async def get(self, call: Call) -> DeliveryWithBody:
        """One of them."""
        call.by.require_room_create()
        row, body = await self._webhooks.delivery(call.path["delivery"])
        return DeliveryWithBody(**Delivery.model_validate(row).model_dump(), body=body)

    async def replay(self, call: Call) -> Delivery:
        """Again, as it was."""
        call.by.require_room_create()
        return Delivery.model_validate(await self._webhooks.replay(call.path["delivery"]))

    async def replay_dead(self, call: Call) -> Replayed:
        """All that were given up."""
        call.by.require_room_create()
        return Replayed(replayed=await self._webhooks.replay_dead(call.body.target))
