"""What a client knows of the people in a room, so that it can be told what changed instead of how everything is."""

from collections.abc import Iterator

from livekit.protocol import models

from . import shapes
from .shapes import Json


class View:
    """One room as one client has been told of it."""

    def __init__(self) -> None:
        self._people: dict[str, Json] = {}
        """By sid, without their tracks."""
        self._tracks: dict[str, dict[str, Json]] = {}
        """By sid of their publisher, then by their own."""

    def publisher(self, track_sid: str) -> Json | None:
        """Who publishes a track."""
        for sid, tracks in self._tracks.items():
            if track_sid in tracks:
                return self._people[sid]
        return None

    def track(self, track_sid: str) -> Json | None:
        """A track."""
        return next((tracks[track_sid] for tracks in self._tracks.values() if track_sid in tracks), None)

    def enter(self, info: models.ParticipantInfo) -> None:
        """Somebody of whom the client is told otherwise."""
        shape = shapes.participant(info)
        self._tracks[info.sid] = {each["track_id"]: each for each in shape.pop("tracks")}
        self._people[info.sid] = shape

    def update(self, info: models.ParticipantInfo, *, own: bool) -> Iterator[Json]:
        """What there is to tell of somebody, who may be gone."""
        known = self._people.get(info.sid)
        if info.state == models.ParticipantInfo.DISCONNECTED:
            if known is not None:
                yield from self._gone(info, known)
            return
        shape = shapes.participant(info)
        tracks = {each["track_id"]: each for each in shape.pop("tracks")}
        self._people[info.sid] = shape
        if known is None and not own:
            yield {"type": "participant_joined", "participant": shape}
        elif known != shape:
            yield {"type": "participant_updated", "participant": shape}
        before = self._tracks.get(info.sid, {})
        self._tracks[info.sid] = tracks
        if not own:
            yield from _changes(shape["identity"], before, tracks)

    def _gone(self, info: models.ParticipantInfo, known: Json) -> Iterator[Json]:
        tracks = self._tracks.pop(info.sid, {})
        del self._people[info.sid]
        yield from _changes(known["identity"], tracks, {})
        reason = models.DisconnectReason.Name(info.disconnect_reason).lower()
        yield {
            "type": "participant_left",
            "identity": known["identity"],
            "sid": info.sid,
            "reason": reason,
        }


def _changes(publisher: str, before: dict[str, Json], after: dict[str, Json]) -> Iterator[Json]:
    for track_id in before.keys() - after.keys():
        yield {"type": "track_unpublished", "publisher": publisher, "track_id": track_id}
    for track_id, track in after.items():
        if track_id not in before:
            yield {"type": "track_published", "publisher": publisher, "track_id": track_id, "track": track}
        elif before[track_id] != track:
            yield {"type": "track_updated", "publisher": publisher, "track_id": track_id, "track": track}
