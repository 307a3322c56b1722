"""SDP between the client and the data plane: passed through, with the ids that clients insist on."""

import json
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from sfu.control import (
    Answer,
    AnswerReady,
    NegotiationFailed,
    Offer,
    OfferReady,
    RestartIce,
    SectionsNeeded,
)

if TYPE_CHECKING:
    from .session import Session


def offer(session: "Session", request: rtc.SessionDescription) -> None:
    """The client's offer. Its id goes into the answer verbatim: Rust always says 0, JavaScript counts."""
    session.context.media.execute(Offer(session.legs.publishing, request.id, request.sdp))


def answer(session: "Session", request: rtc.SessionDescription) -> None:
    """The client's answer to the server's offer; Rust says id 0 for whichever it was. Others are late."""
    legs = session.legs
    waiting = legs.unanswered
    if waiting is None or legs.subscribing is None or request.id not in (0, waiting.id):
        return
    legs.unanswered = None
    session.lifetime.answered(legs.subscribing)
    session.context.media.execute(Answer(legs.subscribing, waiting.id, request.sdp))
    if legs.restart_when_answered:
        legs.restart_when_answered = False
        session.context.media.execute(RestartIce(legs.subscribing))


def trickle(session: "Session", request: rtc.TrickleRequest) -> None:
    """A candidate of the client. An ICE-lite server waits to be checked and needs none; nonsense is told."""
    try:
        candidate = json.loads(request.candidateInit)
    except (ValueError, RecursionError):
        candidate = None
    if not isinstance(candidate, dict):
        reason = rtc.RequestResponse.UNCLASSIFIED_ERROR
        session.reply(reason, message="candidateInit is not a JSON object", trickle=request)


def answer_ready(session: "Session", event: AnswerReady) -> None:
    """The data plane answered an offer."""
    session.lifetime.answered(event.transport_id)
    description = rtc.SessionDescription(
        type="answer", sdp=event.sdp, id=event.offer_id, mid_to_track_id=event.mid_to_track
    )
    session.signal.send(rtc.SignalResponse(answer=description))


def offer_ready(session: "Session", event: OfferReady) -> None:
    """The data plane wants to send something else on the subscribing transport."""
    description = rtc.SessionDescription(
        type="offer", sdp=event.sdp, id=event.offer_id, mid_to_track_id=event.mid_to_track
    )
    session.legs.unanswered = description
    session.signal.send(rtc.SignalResponse(offer=description))
    session.lifetime.offered()


def sections_needed(session: "Session", event: SectionsNeeded) -> None:
    """One peer connection: only the client can offer, so it is asked to, even with nothing to add."""
    requirement = rtc.MediaSectionsRequirement(num_audios=event.audios, num_videos=event.videos)
    session.signal.send(rtc.SignalResponse(media_sections_requirement=requirement))


def negotiation_failed(session: "Session", event: NegotiationFailed) -> None:  # noqa: ARG001
    """Both sides no longer agree on what there is: the client begins anew."""
    session.leave(models.STATE_MISMATCH, rtc.LeaveRequest.RECONNECT)
