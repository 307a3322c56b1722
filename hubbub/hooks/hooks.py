"""What a hook is given, and how it objects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class Refuse(Exception):
    """Raise it from a hook to say no. The text is told to the client."""


@dataclass(frozen=True, slots=True)
class JoinAttempt:
    """Somebody with a valid token wants to come in."""

    room: str
    identity: str
    name: str
    metadata: str
    attributes: Mapping[str, str]
    grants: Mapping[str, Any]
    """The token's video grant, in LiveKit's spelling (``canPublish``)."""
    client: str
    """The SDK and its version, such as ``JS 2.23.0``."""
    address: str
    """Where the connection comes from."""


@dataclass(frozen=True, slots=True)
class PublishAttempt:
    """A participant wants to publish a track that its token allows."""

    room: str
    identity: str
    kind: str
    """``audio`` or ``video``."""
    source: str
    """``camera``, ``microphone``, ``screen_share``, ``screen_share_audio`` or ``unknown``."""
    name: str
    width: int
    height: int
    mime_type: str
    """Of the codec that the client means to use first, if it says so."""


@dataclass(frozen=True, slots=True)
class DataAttempt:
    """A participant wants to send data: a message, chat, a piece of a stream, or an RPC."""

    room: str
    identity: str
    kind: str
    """LiveKit's name of it: ``user``, ``chat_message``, ``stream_header``, ``rpc_request`` and so on."""
    topic: str
    payload: bytes
    """Of a ``user`` packet; other kinds are in :attr:`packet`."""
    reliable: bool
    destinations: tuple[str, ...]
    """Identities that it is for; empty for everybody."""
    packet: Any = field(repr=False)
    """The ``livekit.protocol.models.DataPacket``, not to be changed."""


class Hooks:
    """Override what you want to be asked. Return to agree, raise :class:`Refuse` to object.

    A hook that raises anything else, or takes longer than ``hook_timeout_s``, refuses what it was asked about and
    nothing else. Hooks run in the server's event loop: await what takes time, never block.
    """

    async def find_secret(self, api_key: str) -> str | None:  # noqa: ARG002
        """The secret of an API key that neither the configuration nor the database has; None for one unknown here too.

        An answer is remembered for a minute, and that a key is unknown for five seconds.
        """
        return None

    async def on_join(self, join: JoinAttempt) -> None:
        """Before somebody joins. The same person may be asked about again: SDKs repeat a join that was refused."""

    async def on_publish(self, publish: PublishAttempt) -> None:
        """Before a track is published; the participant's further requests wait for the answer."""

    async def on_data(self, data: DataAttempt) -> None:
        """Before data is sent on; the participant's further data waits for the answer."""
