"""LiveKit's messages about rooms, people and tracks, as the JSON that clients get."""

from typing import Any

from livekit.protocol import models, rtc

Json = dict[str, Any]


def room(info: models.Room) -> Json:
    """A room."""
    return {
        "room_id": info.name,
        "sid": info.sid,
        "metadata": info.metadata,
        "num_participants": info.num_participants,
    }


def participant(info: models.ParticipantInfo) -> Json:
    """Somebody, with their tracks."""
    return {
        "identity": info.identity,
        "sid": info.sid,
        "name": info.name,
        "metadata": info.metadata,
        "attributes": dict(info.attributes),
        "permissions": permissions(info.permission),
        "tracks": [track(each) for each in info.tracks],
    }


def permissions(permission: models.ParticipantPermission) -> Json:
    """What somebody may do."""
    return {
        "publish": permission.can_publish,
        "subscribe": permission.can_subscribe,
        "send_data": permission.can_publish_data,
        "update_metadata": permission.can_update_metadata,
    }


def track(info: models.TrackInfo) -> Json:
    """A published track."""
    return {
        "track_id": info.sid,
        "kind": models.TrackType.Name(info.type).lower(),
        "source": models.TrackSource.Name(info.source).lower(),
        "name": info.name,
        "muted": info.muted,
        "width": info.width,
        "height": info.height,
    }


def ice_server(server: rtc.ICEServer) -> Json:
    """As RTCPeerConnection takes it."""
    login = {"username": server.username, "credential": server.credential} if server.username else {}
    return {"urls": list(server.urls), **login}
