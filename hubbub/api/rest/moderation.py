"""Running a call from outside: lock, mute all, roles, pass the host on, end; and ``/api/bans``."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, WithJsonSchema

from hubbub.api.errors import Code
from hubbub.bans.waiting import kept
from rooms.administration import Administration

from . import models
from .endpoint import Answer, Call, Endpoint, Model, Query

_TAG = "Moderation"


class Muted(BaseModel):
    """Sids of the tracks that were heard until now."""

    muted: list[str]


class RoleChange(Model):
    """The role that a participant has from now on."""

    role: models.Name


class HostChange(Model):
    """Who runs the call from now on."""

    identity: models.Name
    host: models.Name | None = None
    """Who gives it up, and is a speaker then; left out: whoever is host."""


_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_NETWORK_SCHEMA = {
    "type": "string",
    "anyOf": [
        {"format": "ipv4"},
        {"format": "ipv6"},
        {"pattern": rf"^({_OCTET}\.){{3}}{_OCTET}/(3[0-2]|[12]?[0-9])$"},
    ],
}
_Network = Annotated[str, StringConstraints(min_length=1, max_length=64), WithJsonSchema(_NETWORK_SCHEMA)]


class NewBan(models.Either):
    """Whom to keep out: an identity, or addresses."""

    either = ("identity", "network")

    identity: models.Name | None = None
    network: _Network | None = None
    """One address, or a network such as 203.0.113.0/24."""
    room: models.Name | None = None
    """Left out: every room."""
    reason: Annotated[str, StringConstraints(max_length=200)] = ""
    duration_s: Annotated[int, Field(ge=1, le=models.MAX_TTL_S), BeforeValidator(models.whole)] | None = None
    """Left out: for good."""


class BanModel(Answer):
    """Somebody who is kept out."""

    id: str
    room: str
    identity: str
    network: str
    reason: str
    created_at: datetime
    expires_at: datetime | None


class BanList(BaseModel):
    """The bans that hold, the oldest first."""

    bans: list[BanModel]


class BanQuery(Query):
    """Which bans."""

    room: Annotated[str, StringConstraints(max_length=256)] | None = None


class ModerationEndpoints:
    """In a room they need roomAdmin; bans need roomCreate, the right over all rooms."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    def endpoints(self) -> list[Endpoint]:
        """In the order of the document."""
        room, absent = "/api/rooms/{room}", (Code.NOT_FOUND,)
        return [
            Endpoint(
                "POST", f"{room}/lock", "Let nobody new in", _TAG, self.lock, needs="roomAdmin", errors=absent
            ),
            Endpoint(
                "POST", f"{room}/unlock", "Let people in again", _TAG, self.unlock, needs="roomAdmin",
                errors=absent,
            ),
            Endpoint(
                "POST", f"{room}/mute-all", "Mute everybody's audio", _TAG, self.mute_all, Muted,
                needs="roomAdmin", errors=absent,
            ),
            Endpoint(
                "PUT", f"{room}/participants/{{identity}}/role", "Give a participant another role", _TAG,
                self.set_role, models.Participant, RoleChange, needs="roomAdmin", errors=absent,
            ),
            Endpoint(
                "POST", f"{room}/pass-host", "Make somebody the host in place of who is", _TAG,
                self.pass_host, models.Participant, HostChange, needs="roomAdmin", errors=absent,
            ),
            Endpoint(
                "POST", f"{room}/end", "End the call for everybody", _TAG, self.end, needs="roomAdmin",
                errors=absent,
            ),
            Endpoint(
                "GET", "/api/bans", "List bans", _TAG, self.list_bans, BanList, query=BanQuery,
                needs="roomCreate",
            ),
            Endpoint(
                "POST", "/api/bans", "Ban an identity or addresses; whoever is there is put out", _TAG,
                self.ban, BanModel, NewBan, status=201, needs="roomCreate",
            ),
            Endpoint(
                "DELETE", "/api/bans/{ban}", "Lift a ban", _TAG, self.unban, needs="roomCreate", errors=absent
            ),
        ]  # fmt: skip

    def lock(self, call: Call) -> None:
        """Whoever is in may come back."""
        self._administration.lock_room(call.administered_room())

    def unlock(self, call: Call) -> None:
        """Everybody again."""
        self._administration.unlock_room(call.administered_room())

    def mute_all(self, call: Call) -> Muted:
        """Nobody is unmuted from afar."""
        return Muted(muted=self._administration.mute_all(call.administered_room()))

    def set_role(self, call: Call) -> models.Participant:
        """What the new role doesn't allow ends at once."""
        room, identity = call.administered_room(), call.path["identity"]
        return models.Participant.of(self._administration.change_role(room, identity, call.body.role))

    def pass_host(self, call: Call) -> models.Participant:
        """Who was host is a speaker."""
        room, body = call.administered_room(), call.body
        return models.Participant.of(self._administration.pass_host(room, body.identity, body.host or ""))

    def end(self, call: Call) -> None:
        """As a host may, where deleting a room takes the right over all rooms."""
        self._administration.delete_room(call.administered_room())

    def list_bans(self, call: Call) -> BanList:
        """Of a room, or all."""
        call.by.require_room_create()
        return BanList(
            bans=[BanModel.model_validate(ban) for ban in self._administration.bans.all(call.query.room)]
        )

    async def ban(self, call: Call) -> BanModel:
        """From now on, whatever becomes of the server."""
        call.by.require_room_create()
        body: NewBan = call.body
        ban = self._administration.ban(
            room=body.room or "",
            identity=body.identity or "",
            network=body.network or "",
            reason=body.reason,
            duration_s=body.duration_s,
        )
        await kept(self._administration.bans)
        return BanModel.model_validate(ban)

    async def unban(self, call: Call) -> None:
        """Tokens that a removal revoked stay so."""
        call.by.require_room_create()
        self._administration.bans.remove(call.path["ban"])
        await kept(self._administration.bans)
