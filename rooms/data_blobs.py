"""Data blobs: not offered, and said so; clients that ask would wait for an answer."""

from typing import TYPE_CHECKING

from livekit.protocol import rtc

if TYPE_CHECKING:
    from .session import Session


def refuse(session: "Session", request: rtc.StoreDataBlobRequest | rtc.GetDataBlobRequest) -> None:
    """Answer either request as a LiveKit server does that has the feature switched off."""
    reason = rtc.RequestResponse.NOT_ALLOWED
    session.reply(reason, message="data blob not enabled", request_id=request.request_id)
