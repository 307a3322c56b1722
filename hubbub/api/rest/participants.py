"""``/api/rooms/{room}/participants``."""

from hubbub.api.errors import Code
from hubbub.api.turns import in_turns
from hubbub.bans.waiting import kept
from rooms.administration import Administration, ProfileChange

from . import models
from .endpoint import Call, Endpoint
from .errors import InvalidField
from .invitations import Inviter

_TAG = "Participants"


class ParticipantEndpoints:
    """List, get, invite, update, remove and mute people."""

    def __init__(self, administration: Administration, inviter: Inviter) -> None:
        self._administration = administration
        self._inviter = inviter

    def endpoints(self) -> list[Endpoint]:
        """In the order of the document."""
        many, one = "/api/rooms/{room}/participants", "/api/rooms/{room}/participants/{identity}"
        absent = (Code.NOT_FOUND,)
        return [
            Endpoint(
                "GET", many, "List who is in a room", _TAG, self.list, models.ParticipantList,
                needs="roomAdmin", errors=absent,
            ),
            Endpoint(
                "POST", many, "Invite somebody: make the token to join with", _TAG, self.add,
                models.Invitation, models.Invite, status=201, needs="roomAdmin",
            ),
            Endpoint(
                "GET", one, "Get a participant", _TAG, self.get, models.Participant,
                needs="roomAdmin", errors=absent,
            ),
            Endpoint(
                "PATCH", one, "Change a participant", _TAG, self.update, models.Participant,
                models.UpdateParticipant, needs="roomAdmin", errors=absent,
            ),
            Endpoint(
                "DELETE", one, "Remove a participant", _TAG, self.remove, needs="roomAdmin", errors=absent,
            ),
            Endpoint(
                "POST", f"{one}/mute", "Mute a track, or all tracks of a participant", _TAG, self.mute,
                models.TrackList, models.Mute, needs="roomAdmin",
                errors=(Code.NOT_FOUND, Code.FAILED_PRECONDITION),
            ),
        ]  # fmt: skip

    async def list(self, call: Call) -> models.ParticipantList:
        """Who is in the room."""
        room = self._administration.room(call.administered_room())
        found = in_turns(self._administration.each_participant(room.name))
        return models.ParticipantList(participants=[models.Participant.of(info) async for info in found])

    def add(self, call: Call) -> models.Invitation:
        """A token to join with."""
        return self._inviter.invite(call.administered_room(), call.body, call.request)

    def get(self, call: Call) -> models.Participant:
        """One of them."""
        return models.Participant.of(
            self._administration.participant(call.administered_room(), call.path["identity"])
        )

    def update(self, call: Call) -> models.Participant:
        """Profile and permissions."""
        room, identity = call.administered_room(), call.path["identity"]
        body: models.UpdateParticipant = call.body
        if body.permissions is not None:
            self._administration.change_rights(room, identity, _rights(body.permissions))
        change = ProfileChange(name=body.name or "", metadata=body.metadata or "", attributes=body.attributes)
        return models.Participant.of(self._administration.update_participant(room, identity, change))

    async def remove(self, call: Call) -> None:
        """Put somebody out."""
        self._administration.remove_participant(call.administered_room(), call.path["identity"])
        await kept(self._administration.bans)

    def mute(self, call: Call) -> models.TrackList:
        """One track, or all."""
        room, identity = call.administered_room(), call.path["identity"]
        body: models.Mute = call.body
        sids = (
            [body.track_sid]
            if body.track_sid
            else [track.sid for track in self._administration.participant(room, identity).tracks]
        )
        tracks = [self._administration.mute_track(room, identity, sid, body.muted) for sid in sids]
        if None in tracks:
            raise InvalidField("track_sid", "the participant publishes no such track")
        return models.TrackList(tracks=[models.Track.of(track) for track in tracks if track is not None])


def _rights(change: models.PermissionsChange) -> dict[str, object]:
    """Fields of the video grant."""
    rights = change.model_dump(exclude_none=True)
    if "can_update_metadata" in rights:
        rights["can_update_own_metadata"] = rights.pop("can_update_metadata")
    if "can_publish_sources" in rights:
        rights["can_publish_sources"] = tuple(rights["can_publish_sources"])
    return rights
