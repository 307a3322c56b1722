"""Who may do what: pure rules over a token's grant and a publisher's wishes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from livekit.protocol import models, rtc

from auth.grants import VideoGrant

_SOURCES = {
    "camera": models.CAMERA,
    "microphone": models.MICROPHONE,
    "screen_share": models.SCREEN_SHARE,
    "screen_share_audio": models.SCREEN_SHARE_AUDIO,
}


def permission_of(grant: VideoGrant) -> models.ParticipantPermission:
    """What a grant allows, as told to clients: they refuse to publish without it (LiveKit's JavaScript SDK).

    A list of sources that names none we know allows nothing; on the wire an empty list would mean all.
    """
    sources = [_SOURCES[name] for name in grant.can_publish_sources if name in _SOURCES]
    can_publish = grant.may_publish() and (bool(sources) or not grant.can_publish_sources)
    return models.ParticipantPermission(
        can_subscribe=grant.may_subscribe(),
        can_publish=can_publish,
        can_publish_data=grant.may_publish_data(),
        can_publish_sources=sources,
        hidden=grant.hidden,
        recorder=grant.recorder,
        can_update_metadata=grant.can_update_own_metadata,
        agent=grant.agent,
        can_subscribe_metrics=grant.can_subscribe_metrics,
        can_manage_agent_session=grant.can_manage_agent_session,
    )


def grant_of(permission: models.ParticipantPermission, grant: VideoGrant) -> VideoGrant:
    """A grant that allows what a permission says, and is otherwise as it was."""
    names = {source: name for name, source in _SOURCES.items()}
    return replace(
        grant,
        can_subscribe=permission.can_subscribe,
        can_publish=permission.can_publish,
        can_publish_data=permission.can_publish_data,
        can_publish_sources=tuple(names.get(source, "unknown") for source in permission.can_publish_sources),
        hidden=permission.hidden,
        recorder=permission.recorder,
        can_update_own_metadata=permission.can_update_metadata,
        agent=permission.agent,
        can_subscribe_metrics=permission.can_subscribe_metrics,
        can_manage_agent_session=permission.can_manage_agent_session,
    )


def may_publish(permission: models.ParticipantPermission, source: models.TrackSource) -> bool:
    """Whether a track of this source may be published."""
    if not permission.can_publish:
        return False
    return not permission.can_publish_sources or source in permission.can_publish_sources


@dataclass(frozen=True, slots=True)
class SubscriptionPolicy:
    """Who may subscribe to the tracks of one publisher; everybody until the publisher says otherwise."""

    everybody: bool = True
    all_tracks: frozenset[str] = frozenset()
    """Identities and participant sids that may have every track."""
    tracks: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Track sids by identity or participant sid."""

    @classmethod
    def from_request(cls, request: rtc.SubscriptionPermission) -> Self:
        """Read what a publisher sent. Entries for the same subscriber add up."""
        everything: set[str] = set()
        tracks: dict[str, frozenset[str]] = {}
        for entry in request.track_permissions:
            for subscriber in (entry.participant_identity, entry.participant_sid):
                if not subscriber:
                    continue
                if entry.all_tracks:
                    everything.add(subscriber)
                tracks[subscriber] = tracks.get(subscriber, frozenset()) | frozenset(entry.track_sids)
        return cls(request.all_participants, frozenset(everything), tracks)

    def allows(self, identity: str, participant_sid: str, track_sid: str) -> bool:
        """Whether this subscriber may have this track."""
        if self.everybody:
            return True
        return any(
            subscriber in self.all_tracks or track_sid in self.tracks.get(subscriber, ())
            for subscriber in (identity, participant_sid)
        )
