"""What a token says: who somebody is and what they may do.

The names are those of LiveKit's access tokens in snake case; ``from_json`` and ``to_json`` turn them into the
camel case of the JWT. A claim that is absent or ``null`` has its default; one of another type is a
:class:`~auth.errors.MalformedClaims`, whatever it is; claims that nobody knows are skipped.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

from .errors import MalformedClaims

Json = Mapping[str, object]
"""A JSON object as parsed."""

SERVICES = ("sip", "agent", "inference", "observability", "agentEndpoint", "agentThread")
"""Claims that grant something at another service; kept as they are."""


@dataclass(frozen=True, slots=True)
class VideoGrant:
    """The ``video`` claim: what its holder may do in rooms."""

    room_join: bool = False
    """Join :attr:`room` as a participant."""
    room: str = ""
    """The one room that joining and administration are limited to."""
    room_create: bool = False
    """Create and delete rooms; lets a join create its room where rooms aren't created on demand."""
    room_list: bool = False
    room_record: bool = False
    """Start and stop egress."""
    room_admin: bool = False
    """Administer :attr:`room` and its participants."""
    can_publish: bool | None = None
    """Absent means yes."""
    can_publish_sources: tuple[str, ...] = ()
    """Sources that may be published, such as ``camera`` or ``screen_share_audio``; empty means all."""
    can_subscribe: bool | None = None
    """Absent means yes."""
    can_publish_data: bool | None = None
    """Absent means the same as :attr:`can_publish`."""
    can_update_own_metadata: bool = False
    """Change one's own name, metadata and attributes, at join and later."""
    can_subscribe_metrics: bool = False
    can_manage_agent_session: bool = False
    hidden: bool = False
    """Invisible to the others in the room."""
    recorder: bool = False
    agent: bool = False
    """Register as an agent worker."""
    ingress_admin: bool = False
    destination_room: str = ""
    """Where the holder may forward or move participants to."""

    @classmethod
    def from_json(cls, raw: Json) -> Self:
        """Read the ``video`` claim."""
        return cls(**_read_fields(cls, raw, "video."))

    def to_json(self) -> dict[str, object]:
        """Write the ``video`` claim; what has its default is left out."""
        return _write_fields(self)

    def may_publish(self, source: str | None = None) -> bool:
        """Whether a track of this source (lower-case name) may be published; without one, whether any may."""
        if self.can_publish is False:
            return False
        return source is None or not self.can_publish_sources or source in self.can_publish_sources

    def may_subscribe(self) -> bool:
        """Whether media of others may be received."""
        return self.can_subscribe is not False

    def may_publish_data(self) -> bool:
        """Whether data packets and data tracks may be sent."""
        return self.may_publish() if self.can_publish_data is None else self.can_publish_data

    def limited_to(self, other: "VideoGrant") -> "VideoGrant":
        """Of a participant's rights those that another grant has too."""
        sources = list(self.can_publish_sources or other.can_publish_sources)
        if self.can_publish_sources and other.can_publish_sources:
            sources = [source for source in sources if source in other.can_publish_sources]
        publish = self.may_publish() and other.may_publish() and bool(sources or not self.can_publish_sources)
        rights = self.may_publish(), self.may_publish_data()
        data = self.may_publish_data() and other.may_publish_data()
        return replace(
            self,
            can_publish=self.can_publish if publish == rights[0] else publish,
            can_publish_sources=tuple(sources),
            can_subscribe=self.can_subscribe if other.may_subscribe() else False,
            can_publish_data=self.can_publish_data if (publish, data) == rights else data,
            can_update_own_metadata=self.can_update_own_metadata and other.can_update_own_metadata,
            can_subscribe_metrics=self.can_subscribe_metrics and other.can_subscribe_metrics,
            can_manage_agent_session=self.can_manage_agent_session and other.can_manage_agent_session,
            room_admin=self.room_admin and other.room_admin,
        )

    def may_administer(self, room: str) -> bool:
        """Whether this very room may be administered. There are no wildcards."""
        return self.room_admin and bool(room) and self.room == room


@dataclass(frozen=True, slots=True)
class Claims:
    """A whole token. Times are seconds since the epoch."""

    issuer: str = ""
    """The API key that signed it."""
    identity: str = ""
    """``sub``, or ``jti`` in tokens of old SDKs."""
    name: str = ""
    kind: str = ""
    """``standard`` (or empty), ``ingress``, ``egress``, ``sip``, ``agent``, ``connector`` or ``bridge``."""
    kind_details: tuple[str, ...] = ()
    metadata: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    sha256: str = ""
    """Hash of the body that a webhook's token belongs to, base64."""
    video: VideoGrant | None = None
    services: Mapping[str, Json] = field(default_factory=dict)
    """Grants of other services as they stand in the token, by claim name (see :data:`SERVICES`)."""
    room_config: Json | None = None
    """RoomConfiguration in protobuf's JSON form, for a room that the join creates."""
    room_preset: str = ""
    not_before: float | None = None
    expires_at: float | None = None
    """Never None in claims that ``verify`` returned."""

    @classmethod
    def from_json(cls, raw: Json) -> Self:
        """Read a token's payload. Whether it is valid now is for ``auth.tokens.verify`` to say."""
        video = read_object(raw, "video")
        return cls(
            issuer=_read_text(raw, "iss"),
            identity=_read_text(raw, "sub") or _read_text(raw, "jti"),
            name=_read_text(raw, "name"),
            kind=_read_text(raw, "kind"),
            kind_details=_read_texts(raw, "kindDetails"),
            metadata=_read_text(raw, "metadata"),
            attributes=_read_attributes(raw),
            sha256=_read_text(raw, "sha256"),
            video=None if video is None else VideoGrant.from_json(video),
            services={name: grant for name in SERVICES if (grant := read_object(raw, name)) is not None},
            room_config=read_object(raw, "roomConfig"),
            room_preset=_read_text(raw, "roomPreset"),
            not_before=read_time(raw, "nbf"),
            expires_at=read_time(raw, "exp"),
        )

    def to_json(self) -> dict[str, object]:
        """Write a token's payload; what is empty is left out."""
        payload: dict[str, object] = {
            "iss": self.issuer,
            "sub": self.identity,
            "name": self.name,
            "kind": self.kind,
            "kindDetails": list(self.kind_details),
            "metadata": self.metadata,
            "attributes": dict(self.attributes),
            "sha256": self.sha256,
            **self.services,
            "roomPreset": self.room_preset,
        }
        payload = {name: value for name, value in payload.items() if value}
        optional = {
            "video": None if self.video is None else self.video.to_json(),
            "roomConfig": self.room_config,
            "nbf": self.not_before,
            "exp": self.expires_at,
        }
        return payload | {name: value for name, value in optional.items() if value is not None}


def read_object(raw: Json, name: str) -> Json | None:
    """A claim that must be an object, or None where there is none."""
    value = raw.get(name)
    if value is not None and not isinstance(value, dict):
        raise MalformedClaims(name)
    return value


def read_time(raw: Json, name: str) -> float | None:
    """A NumericDate (RFC 7519 section 2) in seconds, or None where there is none."""
    value = raw.get(name)
    if value is None:
        return None
    # NaN, infinity and what is past the year 280 million are no times: the comparison refuses all three.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        raise MalformedClaims(name)
    return float(value)


def _read_text(raw: Json, name: str, prefix: str = "") -> str:
    value = raw.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedClaims(prefix + name)
    return value


def _read_flag(raw: Json, name: str, default: bool | None, prefix: str) -> bool | None:
    value = raw.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise MalformedClaims(prefix + name)
    return value


def _read_texts(raw: Json, name: str, prefix: str = "") -> tuple[str, ...]:
    value = raw.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise MalformedClaims(prefix + name)
    return tuple(value)


def _read_attributes(raw: Json) -> dict[str, str]:
    attributes = read_object(raw, "attributes") or {}
    texts = {key: value for key, value in attributes.items() if isinstance(value, str)}
    if len(texts) != len(attributes):
        raise MalformedClaims("attributes")
    return texts


def _read_fields(grant: type[VideoGrant], raw: Json, prefix: str) -> dict[str, Any]:
    """Every field of a grant from its claim; a field's default tells its type."""
    values: dict[str, Any] = {}
    for item in fields(grant):
        name = _camel(item.name)
        match item.default:
            case str():
                values[item.name] = _read_text(raw, name, prefix)
            case tuple():
                values[item.name] = _read_texts(raw, name, prefix)
            case bool() | None as default:
                values[item.name] = _read_flag(raw, name, default, prefix)
    return values


def _write_fields(grant: VideoGrant) -> dict[str, object]:
    values = {item: getattr(grant, item.name) for item in fields(grant)}
    return {
        _camel(item.name): list(value) if isinstance(value, tuple) else value
        for item, value in values.items()
        if value != item.default
    }


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
