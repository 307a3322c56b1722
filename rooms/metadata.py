"""Name, metadata and attributes, changed by the participant itself or by the server API."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from livekit.protocol import rtc

from .errors import LimitExceeded
from .join import check_limits
from .roles import takes_liberties
from .updates import announce

if TYPE_CHECKING:
    from .session import Session


def update_metadata(session: "Session", request: rtc.UpdateParticipantMetadata) -> None:
    """The client's own change. It waits for the answer (Python) or for its own update (JavaScript)."""
    reason, message = rtc.RequestResponse.OK, ""
    if not session.participant.permission.can_update_metadata:
        reason, message = rtc.RequestResponse.NOT_ALLOWED, "does not have permission to update own metadata"
    elif takes_liberties(request.attributes, session.participant.attributes):
        reason, message = (
            rtc.RequestResponse.NOT_ALLOWED,
            "attributes that begin with hubbub. are the server's",
        )
    else:
        try:
            change(session, request.name, request.metadata, request.attributes)
        except LimitExceeded as error:
            reason, message = rtc.RequestResponse.LIMIT_EXCEEDED, str(error)
    session.reply(reason, message=message, request_id=request.request_id, update_metadata=request)


def change(session: "Session", name: str, metadata: str, attributes: Mapping[str, str]) -> None:
    """Lay changes over what there is and tell everybody once. Raises LimitExceeded.

    An empty name or metadata leaves what there is; an attribute with an empty value is deleted.
    """
    participant = session.participant
    merged = {**participant.attributes, **attributes}
    merged = {key: text for key, text in merged.items() if text}
    name, metadata = name or participant.name, metadata or participant.metadata
    if (name, metadata, merged) == (participant.name, participant.metadata, participant.attributes):
        return
    check_limits(name, metadata, merged, session.context.config)
    participant.name, participant.metadata, participant.attributes = name, metadata, merged
    announce(session)
    session.refresh_token()
