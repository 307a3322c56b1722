"""``livekit.RoomService``: each RPC is a check of the caller's grant and one operation on the rooms."""

from livekit.protocol import models, rtc
from livekit.protocol import room as messages

from hubbub.api.access import Caller
from hubbub.api.rpc import perform_rpc
from hubbub.api.turns import in_turns
from hubbub.bans.waiting import kept
from rooms.administration import Administration, ProfileChange
from rooms.rpc import DEFAULT_TIMEOUT_S


class RoomService:
    """Handlers for :class:`hubbub.api.twirp.server.TwirpServer`."""

    def __init__(self, administration: Administration) -> None:
        self._rooms = administration

    def create_room(self, by: Caller, request: messages.CreateRoomRequest) -> models.Room:
        """Needs roomCreate."""
        by.require_room_create()
        key = by.require_token().issuer
        return self._rooms.create_room(request.name, configuration(request), request.room_preset, key)

    async def list_rooms(self, by: Caller, request: messages.ListRoomsRequest) -> messages.ListRoomsResponse:
        """Needs roomList."""
        by.require_room_list()
        response = messages.ListRoomsResponse()
        async for room in in_turns(self._rooms.each_room(request.names)):
            response.rooms.append(room)
        return response

    def delete_room(self, by: Caller, request: messages.DeleteRoomRequest) -> messages.DeleteRoomResponse:
        """Needs roomCreate, not roomAdmin."""
        by.require_room_create()
        self._rooms.delete_room(request.room)
        return messages.DeleteRoomResponse()

    def update_room_metadata(self, by: Caller, request: messages.UpdateRoomMetadataRequest) -> models.Room:
        """Needs roomAdmin, as all that follow."""
        by.require_room_admin(request.room)
        return self._rooms.update_room_metadata(request.room, request.metadata)

    async def list_participants(
        self, by: Caller, request: messages.ListParticipantsRequest
    ) -> messages.ListParticipantsResponse:
        """An absent room has no participants."""
        by.require_room_admin(request.room)
        response = messages.ListParticipantsResponse()
        async for participant in in_turns(self._rooms.each_participant(request.room)):
            response.participants.append(participant)
        return response

    def get_participant(
        self, by: Caller, request: messages.RoomParticipantIdentity
    ) -> models.ParticipantInfo:
        """One participant."""
        by.require_room_admin(request.room)
        return self._rooms.participant(request.room, request.identity)

    async def remove_participant(
        self, by: Caller, request: messages.RoomParticipantIdentity
    ) -> messages.RemoveParticipantResponse:
        """Put a participant out and revoke their tokens: those before ``revoke_token_ts`` (seconds), or all so far."""
        by.require_room_admin(request.room)
        before = float(request.revoke_token_ts) if request.revoke_token_ts > 0 else None
        self._rooms.remove_participant(request.room, request.identity, before)
        await kept(self._rooms.bans)
        return messages.RemoveParticipantResponse()

    def mute_published_track(
        self, by: Caller, request: messages.MuteRoomTrackRequest
    ) -> messages.MuteRoomTrackResponse:
        """An unknown track is no error; the answer has none then."""
        by.require_room_admin(request.room)
        track = self._rooms.mute_track(request.room, request.identity, request.track_sid, request.muted)
        return messages.MuteRoomTrackResponse(track=track)

    def update_participant(
        self, by: Caller, request: messages.UpdateParticipantRequest
    ) -> models.ParticipantInfo:
        """Name, metadata, attributes, permission."""
        by.require_room_admin(request.room)
        change = ProfileChange(
            name=request.name,
            metadata=request.metadata,
            attributes=dict(request.attributes),
            permission=request.permission if request.HasField("permission") else None,
        )
        return self._rooms.update_participant(request.room, request.identity, change)

    def update_subscriptions(
        self, by: Caller, request: messages.UpdateSubscriptionsRequest
    ) -> messages.UpdateSubscriptionsResponse:
        """Subscribe a participant to tracks, or no longer."""
        by.require_room_admin(request.room)
        wish = rtc.UpdateSubscription(
            track_sids=request.track_sids,
            subscribe=request.subscribe,
            participant_tracks=request.participant_tracks,
        )
        self._rooms.update_subscriptions(request.room, request.identity, wish)
        return messages.UpdateSubscriptionsResponse()

    def move_participant(
        self, by: Caller, request: messages.MoveParticipantRequest
    ) -> messages.MoveParticipantResponse:
        """Needs destinationRoom as well."""
        by.require_destination(request.room, request.destination_room)
        key = by.require_token().issuer
        self._rooms.move_participant(request.room, request.identity, request.destination_room, key)
        return messages.MoveParticipantResponse()

    def forward_participant(
        self, by: Caller, request: messages.ForwardParticipantRequest
    ) -> messages.ForwardParticipantResponse:
        """Needs destinationRoom as well."""
        by.require_destination(request.room, request.destination_room)
        key = by.require_token().issuer
        self._rooms.forward_participant(request.room, request.identity, request.destination_room, key)
        return messages.ForwardParticipantResponse()

    def send_data(self, by: Caller, request: messages.SendDataRequest) -> messages.SendDataResponse:
        """Data from nobody."""
        by.require_room_admin(request.room)
        user = models.UserPacket(
            payload=request.data,
            topic=request.topic if request.HasField("topic") else None,
            destination_sids=request.destination_sids,
            nonce=request.nonce,
        )
        self._rooms.send_data(
            request.room,
            user,
            lossy=request.kind == models.DataPacket.LOSSY,
            identities=request.destination_identities,
        )
        return messages.SendDataResponse()

    async def perform_rpc(
        self, by: Caller, request: messages.PerformRpcRequest
    ) -> messages.PerformRpcResponse:
        """Answers when the participant has."""
        by.require_room_admin(request.room)
        payload = await perform_rpc(
            self._rooms,
            request.room,
            request.destination_identity,
            request.method,
            request.payload,
            request.response_timeout_ms / 1000 or DEFAULT_TIMEOUT_S,
        )
        return messages.PerformRpcResponse(payload=payload)


def configuration(request: messages.CreateRoomRequest) -> messages.RoomConfiguration:
    """What a request to create a room says of it. Its node is ours to choose."""
    return messages.RoomConfiguration(
        name=request.name,
        empty_timeout=request.empty_timeout,
        departure_timeout=request.departure_timeout,
        max_participants=request.max_participants,
        metadata=request.metadata,
        egress=request.egress if request.HasField("egress") else None,
        min_playout_delay=request.min_playout_delay,
        max_playout_delay=request.max_playout_delay,
        sync_streams=request.sync_streams,
        agents=request.agents,
        tags=request.tags,
    )
