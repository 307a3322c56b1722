"""The first message of a session: JoinResponse, or ReconnectResponse."""

from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from .context import SERVER_VERSION
from .updates import others

if TYPE_CHECKING:
    from .session import Session

_VIDEO_MIMES = ("video/VP8", "video/H264", "video/VP9", "video/AV1", "video/H265")
_AUDIO_MIMES = ("audio/PCMU", "audio/PCMA", "audio/opus", "audio/red")
ENABLED_PUBLISH_CODECS = tuple(models.Codec(mime=mime) for mime in (*_VIDEO_MIMES, *_AUDIO_MIMES))
"""As told at join: the JavaScript SDK chooses among them by itself and then publishes without waiting."""
ENABLED_CODECS = tuple(models.Codec(mime=mime) for mime in (*_AUDIO_MIMES, *_VIDEO_MIMES, "video/rtx"))
"""As told of a room."""


def join_response(session: "Session") -> rtc.JoinResponse:
    """Everything that a client needs to begin."""
    context = session.context
    return rtc.JoinResponse(
        room=session.room.info(),
        participant=session.info(),
        other_participants=others(session),
        server_version=SERVER_VERSION,
        server_region=context.server.region,
        server_info=context.server.info(),
        ice_servers=_ice_servers(session),
        subscriber_primary=session.legs.subscriber_primary,
        ping_interval=context.server.ping_interval_s,
        ping_timeout=context.server.ping_timeout_s,
        enabled_publish_codecs=ENABLED_PUBLISH_CODECS,
        fast_publish=session.participant.permission.can_publish,
    )


def reconnect_response(session: "Session") -> rtc.ReconnectResponse:
    """What a client needs to go on; it sends reliable data again from the sequence number after the last."""
    return rtc.ReconnectResponse(
        ice_servers=_ice_servers(session),
        server_info=session.context.server.info(),
        last_message_seq=session.data.last_sequence,
    )


def _ice_servers(session: "Session") -> list[rtc.ICEServer]:
    participant = session.participant
    return list(session.context.ice_servers.for_participant(participant.claims(), participant.sid))
