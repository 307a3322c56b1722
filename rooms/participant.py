"""Somebody in a room: identity, state and what the others are told of them."""

from collections.abc import Iterable
from dataclasses import replace

from livekit.protocol import models

from auth.grants import Claims, VideoGrant

from .permissions import permission_of

_KINDS = {
    "ingress": models.ParticipantInfo.INGRESS,
    "egress": models.ParticipantInfo.EGRESS,
    "sip": models.ParticipantInfo.SIP,
    "agent": models.ParticipantInfo.AGENT,
    "connector": models.ParticipantInfo.CONNECTOR,
    "bridge": models.ParticipantInfo.BRIDGE,
}
_KIND_DETAILS = {
    "cloud_agent": models.ParticipantInfo.CLOUD_AGENT,
    "forwarded": models.ParticipantInfo.FORWARDED,
    "connector_whatsapp": models.ParticipantInfo.CONNECTOR_WHATSAPP,
    "connector_twilio": models.ParticipantInfo.CONNECTOR_TWILIO,
    "bridge_rtsp": models.ParticipantInfo.BRIDGE_RTSP,
    "simulation": models.ParticipantInfo.SIMULATION,
}
AGENT_KINDS = (models.ParticipantInfo.AGENT, models.ParticipantInfo.EGRESS)
"""Kinds of participants that programs are which the room has asked for."""


class Participant:
    """Who somebody is. What they publish and receive is kept by others and passed in where needed."""

    def __init__(
        self, sid: str, claims: Claims, client: models.ClientInfo, joined_at: float, region: str = ""
    ) -> None:
        """``joined_at`` in seconds since the epoch; ``claims`` from :func:`rooms.join.admitted_claims`."""
        grant = claims.video or VideoGrant()
        self.sid = sid
        self.identity = claims.identity
        self.name = claims.name
        self.metadata = claims.metadata
        self.attributes = dict(claims.attributes)
        self.client = client
        self.joined_at = joined_at
        self.region = region
        self.state = models.ParticipantInfo.JOINING
        self.disconnect_reason = models.UNKNOWN_REASON
        self.version = 1
        """Rises with every change: clients drop what is older than what they have seen."""
        self.kind = _KINDS.get(claims.kind, models.ParticipantInfo.STANDARD)
        if grant.agent:
            self.kind = models.ParticipantInfo.AGENT
        details = (name.lower() for name in claims.kind_details)
        self.kind_details = [_KIND_DETAILS[name] for name in details if name in _KIND_DETAILS]
        self._claims = claims
        self.allow(grant)

    @property
    def api_key(self) -> str:
        """The API key that its token was signed with."""
        return self._claims.issuer

    @property
    def protocol(self) -> int:
        """The client protocol number that the client announced."""
        return int(self.client.protocol)

    @property
    def active(self) -> bool:
        """Whether its media is connected."""
        return bool(self.state == models.ParticipantInfo.ACTIVE)

    def allow(self, grant: VideoGrant) -> None:
        """Take a new grant in place of the token's."""
        self.grant = grant
        self.permission = permission_of(grant)
        self.hidden = bool(self.permission.hidden)
        """Whether the others must not learn of this participant."""
        self.recorder = bool(self.permission.recorder)
        self.dependent = is_dependent(self)
        """Whether it is there for the others' sake: not counted, and it keeps no room alive."""

    def claims(self) -> Claims:
        """The token's claims as they would be now, for a fresh token."""
        return replace(
            self._claims,
            name=self.name,
            metadata=self.metadata,
            attributes=dict(self.attributes),
            video=self.grant,
        )

    def info(
        self, tracks: Iterable[models.TrackInfo] = (), data_tracks: Iterable[models.DataTrackInfo] = ()
    ) -> models.ParticipantInfo:
        """A snapshot for clients."""
        info = models.ParticipantInfo(
            sid=self.sid,
            identity=self.identity,
            name=self.name,
            state=self.state,
            metadata=self.metadata,
            attributes=self.attributes,
            joined_at=int(self.joined_at),
            joined_at_ms=int(self.joined_at * 1000),
            version=self.version,
            permission=self.permission,
            region=self.region,
            kind=self.kind,
            kind_details=self.kind_details,
            client_protocol=self.client.client_protocol,
            capabilities=self.client.capabilities,
            disconnect_reason=self.disconnect_reason,
            tracks=tracks,
            data_tracks=data_tracks,
        )
        info.is_publisher = bool(info.tracks or info.data_tracks)
        return info


def is_dependent(who: Participant | models.ParticipantInfo) -> bool:
    """Whether somebody, or what is told of them, is there for the others' sake."""
    return who.kind in AGENT_KINDS or bool(who.permission.recorder)
