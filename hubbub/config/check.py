"""Check values one by one against the types and bounds of their options, all at once."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, get_origin
from urllib.parse import urlsplit

import yaml
from google.protobuf import json_format
from livekit.protocol.room import RoomConfiguration
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
)

from hubbub.webhooks.config import EVENTS, WebhookTarget
from rooms.limits import KeyLimits
from rooms.presets import Preset
from rooms.roles import Role

from .options import MAY_BE_ZERO, NO_LIMIT, UNLIMITED_AT_ZERO, Option, options

MAXIMA = {"audio.active_level": 127, "audio.min_percentile": 100}
MAX_PORT = 65_535
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def check(values: Mapping[str, object], origins: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Those values that hold, by option path, and what is wrong with the others.

    `origins` names the variables that values came from.
    """
    try:
        model = _model()(**values)
    except ValidationError as error:
        return {}, [_problem(detail, origins) for detail in error.errors(include_url=False)]
    settings: dict[str, Any] = {
        path: getattr(model, _attribute(path))
        for path in options()
        if _attribute(path) in model.model_fields_set
    }
    for path in UNLIMITED_AT_ZERO & settings.keys():
        settings[path] = settings[path] or NO_LIMIT
    return settings, []


def seconds(value: object) -> object:
    """A duration in seconds from a text such as ``500ms``, ``1.5h`` or ``1h30m``; anything else as it is.

    Raises ValueError for any other text.
    """
    if not isinstance(value, str):
        return value
    parts = DURATION.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        raise ValueError("should be a number of seconds, or a text such as 500ms, 30s, 5m or 6h")
    return sum(float(number) * UNITS_S[unit] for number, unit in parts)


@cache
def _model() -> type[BaseModel]:
    """One flat model of all options, so that an error's location is the option's path."""
    fields: dict[str, Any] = {
        _attribute(option.path): (_checked(option), Field(default=option.default, alias=option.path))
        for option in options().values()
    }
    return create_model("Options", __config__=ConfigDict(extra="forbid"), **fields)


def _attribute(path: str) -> str:
    return path.replace(".", "__")


def _checked(option: Option) -> Any:
    """The option's type with its bounds, for pydantic."""
    if option.path in _CUSTOM:
        return _CUSTOM[option.path]
    least = 0 if option.path in MAY_BE_ZERO else 1
    most = MAX_PORT if option.path.endswith("port") else MAXIMA.get(option.path)
    if option.kind is int:
        return Annotated[int, Field(strict=True, ge=least, le=most)]
    if option.kind is float:
        bound: dict[str, Any] = {"gt": 0} if least else {"ge": 0}
        return Annotated[float, Field(strict=True, allow_inf_nan=False, **bound), BeforeValidator(seconds)]
    if get_origin(option.kind) is tuple:
        return tuple[Annotated[str, Field(strict=True)], ...]
    return Annotated[option.kind, Field(strict=True)] if option.kind in (bool, str) else option.kind


def _each(check_item: Callable[[str], str]) -> Any:
    return tuple[Annotated[str, Field(strict=True), AfterValidator(check_item)], ...]


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text.strip()))


def _addresses(text: str) -> str:
    addresses = [ipaddress.ip_address(part.strip()) for part in text.split(",")]
    if len({address.version for address in addresses}) != len(addresses):
        raise ValueError("should be one IPv4 address, one IPv6 address, or one of each with a comma between")
    return ",".join(str(address) for address in addresses)


def _network(text: str) -> str:
    return str(ipaddress.ip_network(text.strip(), strict=False))


def _without_empty(value: object) -> object:
    """LiveKit's files say ``- ""`` for all addresses."""
    return [item for item in value if item != ""] if isinstance(value, list | tuple) else value


def _first_port(value: object) -> object:
    """LiveKit takes a range here; one port is enough for Hubbub, so it takes the first."""
    if isinstance(value, str) and (match := re.fullmatch(r"\s*(\d+)\s*(?:-\s*\d+\s*)?", value)):
        return int(match[1])
    return value


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("should be a URL that begins with http:// or https://")
    if parts.username or parts.password:
        raise ValueError("should have no user name in it; what is sent is signed instead")
    return text


def _event(text: str) -> str:
    if text not in EVENTS:
        raise ValueError(f"is no event; there are {', '.join(EVENTS)}")
    return text


class _Target(BaseModel):
    """A webhook target as written in the file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    url: Annotated[str, AfterValidator(_url)]
    name: Annotated[str, Field(max_length=256)] = ""
    api_key: str = ""
    include_events: list[Annotated[str, AfterValidator(_event)]] = []
    exclude_events: list[Annotated[str, AfterValidator(_event)]] = []
    rooms: list[str] = []

    def target(self) -> WebhookTarget:
        lists = {name: tuple(getattr(self, name)) for name in ("include_events", "exclude_events", "rooms")}
        return WebhookTarget(self.url, self.name, self.api_key, **lists)


def _parsed(value: object) -> object:
    """A text is YAML or JSON, as in a variable."""
    try:
        return yaml.safe_load(value) if isinstance(value, str) else value
    except yaml.YAMLError:
        raise ValueError("should be a list, or a text with a list as YAML or JSON") from None


def _targets(targets: list[_Target]) -> tuple[WebhookTarget, ...]:
    return tuple(target.target() for target in targets)


_Whole = Annotated[int, Field(ge=0)]
_PerSecond = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class _KeyLimits(BaseModel):
    """An API key with limits of its own, as written in the file; see ``rooms.limits.Limits``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    key: Annotated[str, Field(min_length=1)]
    key_rooms: _Whole = 0
    key_participants: _Whole = 0
    room_participants: _Whole = 0
    room_tracks: _Whole = 0
    participant_tracks: _Whole = 0
    participant_messages_per_s: _PerSecond = 0
    participant_bytes_per_s: _PerSecond = 0
    room_messages_per_s: _PerSecond = 0
    room_bytes_per_s: _PerSecond = 0


def _key_limits(keys: list[_KeyLimits]) -> tuple[KeyLimits, ...]:
    return tuple(
        KeyLimits(each.key, tuple(each.model_dump(exclude={"key"}, exclude_unset=True).items()))
        for each in keys
    )


class _Role(BaseModel):
    """A role as written in the file; see ``rooms.roles.Role``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    room_admin: bool = False
    can_publish: bool = True
    can_publish_sources: list[Literal["camera", "microphone", "screen_share", "screen_share_audio"]] = []
    can_subscribe: bool = True
    can_publish_data: bool | None = None
    can_update_own_metadata: bool = False
    can_subscribe_metrics: bool = False
    can_manage_agent_session: bool = False
    hidden: bool = False
    recorder: bool = False


def _by_name(value: object) -> object:
    """None at all may be an empty list, too, as the reference file has it."""
    return _parsed(value) or {}


def _roles(roles: dict[str, _Role]) -> tuple[Role, ...]:
    return tuple(
        Role(name, **role.model_dump() | {"can_publish_sources": tuple(role.can_publish_sources)})
        for name, role in roles.items()
    )


def _presets(presets: dict[str, dict[str, Any]]) -> tuple[Preset, ...]:
    """Room configurations as LiveKit's own files have them: fields of its message, by their names there."""
    return tuple(Preset(name, _configuration(fields)) for name, fields in presets.items())


def _configuration(fields: dict[str, Any]) -> RoomConfiguration:
    try:
        return json_format.ParseDict(fields, RoomConfiguration())
    except json_format.ParseError as error:
        raise ValueError(str(error)) from error


_RoleName = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9_.-]{1,64}$")]

_CUSTOM: dict[str, Any] = {
    "roles": Annotated[dict[_RoleName, _Role], BeforeValidator(_by_name), AfterValidator(_roles)],
    "room.room_configurations": Annotated[
        dict[_RoleName, dict[str, Any]], BeforeValidator(_by_name), AfterValidator(_presets)
    ],
    "token_endpoint.path": Annotated[str, Field(strict=True, pattern=r"^(/[A-Za-z0-9._~-]+)*$")],
    **{
        f"limit.{whose}_{what}_per_s": _PerSecond
        for whose in ("participant", "room")
        for what in ("messages", "bytes")
    },
    "limit.keys": Annotated[list[_KeyLimits], BeforeValidator(_parsed), AfterValidator(_key_limits)],
    "webhook.urls": _each(_url),
    "webhook.filter_params.include_events": _each(_event),
    "webhook.filter_params.exclude_events": _each(_event),
    "webhook.targets": Annotated[list[_Target], BeforeValidator(_parsed), AfterValidator(_targets)],
    "bind_addresses": Annotated[_each(_address), BeforeValidator(_without_empty)],
    "rtc.bind_addresses": Annotated[_each(_address), Field(min_length=1)],
    "rtc.ips.includes": _each(_network),
    "rtc.ips.excludes": _each(_network),
    "rtc.node_ip": Annotated[str, Field(strict=True), AfterValidator(_addresses)],
    "rtc.udp_port": Annotated[int, Field(strict=True, ge=0, le=MAX_PORT), BeforeValidator(_first_port)],
}


def _problem(detail: Any, origins: Mapping[str, str]) -> str:
    path, *rest = detail["loc"]
    origin = f" (from {origins[path]})" if path in origins else ""
    parts = [f"item {part + 1}" if isinstance(part, int) else str(part) for part in rest]
    item = "".join(f", {part}" for part in parts)
    text = detail["msg"].removeprefix("Value error, ").replace("Input should", "should")
    shown = _shown(detail["input"])
    return f"{path}{origin}{item}: {text}" + ("" if shown in text else f", not {shown}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
