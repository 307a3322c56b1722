"""Data blobs: pieces of data that a participant leaves under a key for the others to fetch by signalling.

Off unless configured, as in LiveKit. They are gone with the session; a resume keeps them. Texts and reasons of refusals
are LiveKit's 1.13.5.
"""

from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

if TYPE_CHECKING:
    from .session import Session


class DataBlobs:
    """What one participant has stored."""

    def __init__(self) -> None:
        self._contents: dict[bytes, bytes] = {}

    def store(self, blob: models.DataBlob, max_bytes: int) -> bool:
        """Store or replace; False where keys and contents would be more than ``max_bytes`` in all."""
        contents = {**self._contents, _index(blob.key): blob.contents}
        if sum(len(key) + len(content) for key, content in contents.items()) > max_bytes:
            return False
        self._contents = contents
        return True

    def get(self, key: models.DataBlobKey) -> models.DataBlob | None:
        """What is stored under a key."""
        contents = self._contents.get(_index(key))
        return None if contents is None else models.DataBlob(key=key, contents=contents)


def store(session: "Session", request: rtc.StoreDataBlobRequest) -> None:
    """Store a blob of one's own."""
    refusal = _refusal(session, request.blob)
    if refusal is None and not session.data_blobs.store(
        request.blob, session.context.config.max_data_blobs_bytes
    ):
        refusal = rtc.RequestResponse.LIMIT_EXCEEDED, "data blobs exceed limit"
    if refusal is not None:
        reason, message = refusal
        session.reply(reason, message=message, request_id=request.request_id)
        return
    stored = rtc.StoreDataBlobResponse(request_id=request.request_id, key=request.blob.key)
    session.signal.send(rtc.SignalResponse(store_data_blob_response=stored))


def get(session: "Session", request: rtc.GetDataBlobRequest) -> None:
    """Fetch a blob of somebody in the room."""
    owner = session.room.sessions.get(request.participant_identity)
    if owner is not None and owner.participant.hidden and owner is not session:
        owner = None
    blob = None if owner is None else owner.data_blobs.get(request.key)
    if blob is not None:
        found = rtc.GetDataBlobResponse(request_id=request.request_id, blob=blob)
        session.signal.send(rtc.SignalResponse(get_data_blob_response=found))
        return
    reason = rtc.RequestResponse.NOT_FOUND
    message = "participant not found" if owner is None else "data blob not found"
    if not session.context.config.enable_data_blobs:
        reason, message = rtc.RequestResponse.NOT_ALLOWED, "data blob not enabled"
    elif not request.HasField("key"):
        reason, message = rtc.RequestResponse.INVALID_REQUEST, "data blob key is required"
    session.reply(reason, message=message, request_id=request.request_id)


def _refusal(session: "Session", blob: models.DataBlob) -> tuple[rtc.RequestResponse.Reason, str] | None:
    config = session.context.config
    if not config.enable_data_blobs:
        return rtc.RequestResponse.NOT_ALLOWED, "data blob not enabled"
    named = blob.key.generic or blob.key.schema_id.name
    if not named or blob.key.ByteSize() > config.max_data_blob_key_bytes:
        return rtc.RequestResponse.INVALID_REQUEST, "data blob is invalid"
    encoding = blob.key.schema_id.encoding
    if encoding.WhichOneof("value") == "custom" and not encoding.custom:
        return rtc.RequestResponse.INVALID_REQUEST, "custom encoding identifier is empty"
    if not blob.contents:
        return rtc.RequestResponse.INVALID_REQUEST, "data blob is empty"
    return None


def _index(key: models.DataBlobKey) -> bytes:
    return key.SerializeToString(deterministic=True)
