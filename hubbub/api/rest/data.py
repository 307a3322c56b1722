"""``/api/rooms/{room}/data``, and ``/api/health``."""

import base64
import binascii

from livekit.protocol import models as livekit

from hubbub.api.errors import Code
from hubbub.version import VERSION
from rooms.administration import Administration

from . import models
from .endpoint import Call, Endpoint
from .errors import InvalidField


class DataEndpoints:
    """Messages from the server."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    def endpoints(self) -> list[Endpoint]:
        """In the order of the document."""
        return [
            Endpoint(
                "POST", "/api/rooms/{room}/data", "Send data to everybody in a room, or to some", "Data",
                self.send, None, models.Data, status=204, needs="roomAdmin", errors=(Code.NOT_FOUND,),
            ),
            Endpoint("GET", "/api/health", "Whether the server is there", "Server", health, models.Health),
        ]  # fmt: skip

    def send(self, call: Call) -> None:
        """Needs roomAdmin of the room."""
        room = call.administered_room()
        body: models.Data = call.body
        packet = livekit.UserPacket(payload=_payload(body), topic=body.topic or None)
        self._administration.send_data(room, packet, lossy=not body.reliable, identities=body.to)


def _payload(body: models.Data) -> bytes:
    if body.text is not None:
        return body.text.encode()
    try:
        return base64.b64decode(body.base64 or "", validate=True)
    except binascii.Error:
        raise InvalidField("base64", "is not base64") from None


def health(call: Call) -> models.Health:  # noqa: ARG001
    """Nobody needs a token for it."""
    return models.Health(version=VERSION)
