"""Publishing tracks: AddTrack, mute, track updates, and what the data plane says of them."""

from collections import deque
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from sfu.control import DropTrack, ExpectTrack, LayerStarted, MuteTrack, TrackEnded, TrackStarted

from .limits import smallest
from .permissions import may_publish
from .publication import Publication
from .track_info import apply_layer, apply_started, requested_track, set_audio_features, track_sid
from .updates import announce

if TYPE_CHECKING:
    from .context import Context
    from .session import Session

_MAX_REQUEST_BYTES = 16 * 1024
"""Most of a request is repeated to everybody in the room."""
_MAX_QUEUED_PER_CID = 3


def add_track(session: "Session", request: rtc.AddTrackRequest) -> None:
    """Promise a track: TrackPublished at once, the track itself when SDP brings it."""
    refusal = _refusal(session, request)
    if refusal is not None:
        reason, message = refusal
        session.reply(reason, message=message, add_track=request)
        return

    def decided(objection: str | None) -> None:
        if objection is None:
            _promise(session, request)
        else:
            session.reply(rtc.RequestResponse.NOT_ALLOWED, message=objection, add_track=request)

    session.context.gate.publish(session, request, session.held.until(decided))


def _promise(session: "Session", request: rtc.AddTrackRequest) -> None:
    publications = session.publications
    if publications.holds_cid(request.cid):
        publications.queued.setdefault(request.cid, deque()).append(request)
        session.reply(rtc.RequestResponse.QUEUED, add_track=request)
        return
    sid = track_sid(request, session.context.ids)
    publication = Publication(session, request.cid, requested_track(sid, request))
    publications.pending[sid] = publication
    session.context.directory.publications[publication.track_id] = publication
    published = rtc.TrackPublishedResponse(cid=request.cid, track=publication.info)
    session.signal.send(rtc.SignalResponse(track_published=published))
    session.context.media.execute(ExpectTrack(session.legs.publishing, publication.spec(request)))


def _refusal(
    session: "Session", request: rtc.AddTrackRequest
) -> tuple[rtc.RequestResponse.Reason, str] | None:
    publications = session.publications
    if not may_publish(session.participant.permission, request.source):
        return rtc.RequestResponse.NOT_ALLOWED, ""
    if request.type not in (models.AUDIO, models.VIDEO):
        return rtc.RequestResponse.UNSUPPORTED_TYPE, ""
    if request.sid:
        # A further codec for a published track: the one thing here that isn't offered (backup codecs).
        known = publications.find(request.sid) is not None
        return rtc.RequestResponse.UNSUPPORTED_TYPE if known else rtc.RequestResponse.NOT_FOUND, ""
    excess = _excess(session, request)
    return None if excess is None else (rtc.RequestResponse.LIMIT_EXCEEDED, excess)


def _excess(session: "Session", request: rtc.AddTrackRequest) -> str | None:
    """Which limit the track would exceed, in words."""
    publications, config = session.publications, session.context.config
    if len(publications.pending) + publications.queued_count() >= config.max_pending_tracks:
        return f"{config.max_pending_tracks} announced tracks may wait for their media"
    own = config.limits_of(session.participant.api_key).participant_tracks
    limit = smallest(config.max_tracks, own)
    if publications.count() >= limit:
        return f"a participant may have {limit} tracks"
    if request.ByteSize() > _MAX_REQUEST_BYTES:
        return f"a request may have {_MAX_REQUEST_BYTES} bytes"
    if len(publications.queued.get(request.cid, ())) >= _MAX_QUEUED_PER_CID:
        return f"{_MAX_QUEUED_PER_CID} requests of one cid may wait"
    return session.room.check_track()


def mute(session: "Session", request: rtc.MuteTrackRequest) -> None:
    """The client muted or unmuted a track of its own."""
    publication = session.publications.find(request.sid)
    if publication is None:
        session.reply(rtc.RequestResponse.NOT_FOUND, mute=request)
    else:
        set_muted(publication, request.muted)


def set_muted(publication: Publication, muted: bool) -> None:
    """Stop or resume forwarding, and tell everybody."""
    if publication.info.muted == muted:
        return
    session = publication.publisher
    publication.info.muted = muted
    publication.touch()
    if publication.sid in session.publications.published:
        session.context.media.execute(MuteTrack(publication.track_id, muted))
        announce(session)


def update_audio_track(session: "Session", request: rtc.UpdateLocalAudioTrack) -> None:
    """Replace the audio features of a track."""
    publication = session.publications.find(request.track_sid)
    if publication is None:
        session.reply(rtc.RequestResponse.NOT_FOUND, update_audio_track=request)
        return
    set_audio_features(publication.info, list(dict.fromkeys(request.features)))
    _changed(publication)


def update_video_track(session: "Session", request: rtc.UpdateLocalVideoTrack) -> None:
    """The published picture has another size."""
    publication = session.publications.find(request.track_sid)
    if publication is None:
        session.reply(rtc.RequestResponse.NOT_FOUND, update_video_track=request)
        return
    publication.info.width = request.width
    publication.info.height = request.height
    _changed(publication)
    for subscriber in publication.subscriptions:
        subscriber.subscriptions.apply_settings(publication)


def _changed(publication: Publication) -> None:
    publication.touch()
    if publication.sid in publication.publisher.publications.published:
        announce(publication.publisher)


def track_started(session: "Session", event: TrackStarted) -> None:
    """SDP brought a promised track: it is visible now, and may be subscribed to."""
    publication = session.publications.pending.pop(event.track_id, None)
    if publication is None:
        return
    apply_started(publication.info, event)
    publication.touch()
    session.publications.published[publication.sid] = publication
    if publication.info.muted != publication.expected_muted:
        session.context.media.execute(MuteTrack(publication.track_id, publication.info.muted))
    # Before any SDP that carries it: clients drop a track whose publisher they have not been told of.
    announce(session)
    session.context.observer.track_published(session.room.info(), session.info(), copy(publication))
    for other in list(session.room.sessions.values()):
        other.subscriptions.reconcile(publication)
    publication.dynacast.start()
    session.room.counts_changed()


def layer_started(context: "Context", event: LayerStarted) -> None:
    """Note the SSRC of a layer; clients have no use for it, so it travels with the next update."""
    publication = context.directory.publications.get(event.track_id)
    if publication is not None:
        apply_layer(publication.info, event.layer)


def track_ended(session: "Session", event: TrackEnded) -> None:
    """The client stopped publishing a track. There is no request for that, only SDP."""
    publication = session.publications.published.get(event.track_id)
    if publication is not None:
        remove(publication)


def unpublish(publication: Publication) -> None:
    """Take a track away from its publisher, and tell it so."""
    session = publication.publisher
    session.context.media.execute(DropTrack(session.legs.publishing, publication.track_id))
    unpublished = rtc.TrackUnpublishedResponse(track_sid=publication.sid)
    session.signal.send(rtc.SignalResponse(track_unpublished=unpublished))
    remove(publication)


def remove(publication: Publication) -> None:
    """Forget a track, tell everybody, and let its cid be published again."""
    session = publication.publisher
    was_published = forget(publication)
    if was_published:
        announce(session)
        release_subscribers(publication)
        session.room.counts_changed()
    queue = session.publications.queued.pop(publication.cid, None)
    if queue:
        request = queue.popleft()
        if queue:
            session.publications.queued[publication.cid] = queue
        add_track(session, request)


def forget(publication: Publication) -> bool:
    """Drop a track from the books without telling anybody; whether it had been visible."""
    session = publication.publisher
    session.publications.pending.pop(publication.sid, None)
    directory = session.context.directory.publications
    if directory.get(publication.track_id) is publication:
        del directory[publication.track_id]
    if session.publications.published.pop(publication.sid, None) is None:
        return False
    publication.stop()
    session.context.observer.track_unpublished(session.room.info(), session.info(), copy(publication))
    return True


def release_subscribers(publication: Publication) -> None:
    """End every subscription of a track that is gone."""
    for subscriber in list(publication.subscriptions):
        subscriber.subscriptions.forget(publication)


def copy(publication: Publication) -> models.TrackInfo:
    """A snapshot of its TrackInfo."""
    info = models.TrackInfo()
    info.CopyFrom(publication.info)
    return info
