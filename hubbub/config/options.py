"""Every option: where it stands in the YAML file, which setting it fills, what it means.

Options are read off the settings' dataclasses. One that LiveKit has too stands where LiveKit has it; any
other stands in its dataclass's section under its own name.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, get_type_hints

from hubbub.database.config import DatabaseConfig
from hubbub.history.config import HistoryConfig
from hubbub.webhooks.config import WebhookConfig
from rooms.agents.config import AgentsConfig
from rooms.config import RoomConfig
from rooms.limits import Limits
from sfu.config import MediaConfig
from signaling.config import SignalingConfig

from .model import Config, LoggingConfig, MetricsConfig, TokenEndpointConfig

KEYS = "keys"
KEY_FILE = "key_file"

SECTIONS: dict[type, str] = {
    Config: "",
    LoggingConfig: "logging.",
    MediaConfig: "rtc.",
    RoomConfig: "room.",
    Limits: "limit.",
    SignalingConfig: "signal.",
    AgentsConfig: "agents.",
    DatabaseConfig: "database.",
    HistoryConfig: "history.",
    WebhookConfig: "webhook.",
    TokenEndpointConfig: "token_endpoint.",
    MetricsConfig: "prometheus.",
}

LIVEKIT_PLACES: dict[tuple[type, str], str] = {
    (Config, "max_request_body_bytes"): "limit.max_api_request_body_size",
    (MediaConfig, "interface_includes"): "rtc.interfaces.includes",
    (MediaConfig, "interface_excludes"): "rtc.interfaces.excludes",
    (MediaConfig, "ip_includes"): "rtc.ips.includes",
    (MediaConfig, "ip_excludes"): "rtc.ips.excludes",
    (MediaConfig, "audio_active_level"): "audio.active_level",
    (MediaConfig, "audio_min_percentile"): "audio.min_percentile",
    (MediaConfig, "audio_update_interval_ms"): "audio.update_interval",
    (MediaConfig, "audio_smooth_intervals"): "audio.smooth_intervals",
    (RoomConfig, "empty_timeout_s"): "room.empty_timeout",
    (RoomConfig, "departure_timeout_s"): "room.departure_timeout",
    (RoomConfig, "playout_delay_enabled"): "room.playout_delay.enabled",
    (RoomConfig, "playout_delay_min_ms"): "room.playout_delay.min",
    (RoomConfig, "playout_delay_max_ms"): "room.playout_delay.max",
    (RoomConfig, "enable_data_blobs"): "enable_participant_data_blob",
    (RoomConfig, "max_data_blob_key_bytes"): "limit.max_data_blob_key_length",
    (RoomConfig, "max_data_blobs_bytes"): "limit.max_data_blobs_size",
    (RoomConfig, "max_metadata_bytes"): "limit.max_metadata_size",
    (RoomConfig, "max_attributes_bytes"): "limit.max_attributes_size",
    (RoomConfig, "max_name_chars"): "limit.max_participant_name_length",
    (RoomConfig, "max_identity_chars"): "limit.max_participant_identity_length",
    (RoomConfig, "max_room_name_chars"): "limit.max_room_name_length",
    (SignalingConfig, "max_message_bytes"): "limit.signal_message_size_limit",
    (SignalingConfig, "region"): "region",
    (RoomConfig, "max_rooms"): "limit.max_rooms",
    (RoomConfig, "max_tracks"): "limit.max_tracks",
    (RoomConfig, "max_data_tracks"): "limit.max_data_tracks",
    (RoomConfig, "max_pending_tracks"): "limit.max_pending_tracks",
    (RoomConfig, "key_limits"): "limit.keys",
    (RoomConfig, "roles"): "roles",
    (RoomConfig, "presets"): "room.room_configurations",
    (WebhookConfig, "include_events"): "webhook.filter_params.include_events",
    (WebhookConfig, "exclude_events"): "webhook.filter_params.exclude_events",
    (WebhookConfig, "full_room"): "room.enable_full_room_in_webhooks",
    (AgentsConfig, "max_message_bytes"): "limit.agent_signal_message_size_limit",
}

NO_LIMIT = 2**31
"""What 0 stands for in a size limit of LiveKit's."""

UNLIMITED_AT_ZERO = frozenset(
    {
        "limit.max_api_request_body_size",
        "limit.max_data_blob_key_length",
        "limit.max_data_blobs_size",
        "limit.max_metadata_size",
        "limit.max_attributes_size",
        "limit.max_participant_name_length",
        "limit.max_participant_identity_length",
        "limit.max_room_name_length",
        "limit.signal_message_size_limit",
        "limit.agent_signal_message_size_limit",
    }
)

KEY_LIMITS = frozenset("limit." + item.name for item in fields(Limits))
"""What each API key may have."""

MAY_BE_ZERO = (
    UNLIMITED_AT_ZERO
    | KEY_LIMITS
    | {
        "port",
        "prometheus.port",
        "rtc.udp_port",
        "rtc.announced_udp_port",
        "rtc.coalesce_s",
        "rtc.tcp_port",
        "room.empty_timeout",
        "room.departure_timeout",
        "room.max_participants",
        "room.playout_delay.min",
        "room.playout_delay.max",
        "room.signal_loss_grace_s",
        "room.reconnect_grace_s",
        "room.reliable_cache_s",
        "room.reliable_cache_bytes",
        "agents.job_wait_s",
        "agents.max_job_restarts",
        "agents.max_simulated_jobs",
        "agents.participant_return_s",
        "agents.worker_return_s",
        "agents.agent_return_s",
        "agents.leave_grace_s",
        "audio.active_level",
        "audio.min_percentile",
        "audio.smooth_intervals",
    }
)
"""Numbers that may be 0; no other may, and none may be less."""


@dataclass(frozen=True, slots=True)
class Option:
    """One setting and its place in the file."""

    path: str
    """Dotted, such as ``rtc.udp_port``."""
    owner: type
    """The dataclass that has it."""
    field: str
    kind: Any
    """Its type."""
    default: object
    doc: str


@cache
def options() -> dict[str, Option]:
    """All options but the API keys, by path, in the order of the reference file."""
    found = [option for owner in SECTIONS for option in _options_of(owner)]
    order = {"": 0} | {section: number for number, section in enumerate(_sections(found), start=1)}
    return {
        option.path: option for option in sorted(found, key=lambda option: order[section_of(option.path)])
    }


def section_of(path: str) -> str:
    """The top-level section of an option, empty where it stands at the top itself."""
    return path.partition(".")[0] if "." in path else ""


def _sections(found: list[Option]) -> list[str]:
    return list(dict.fromkeys(section_of(option.path) for option in found if "." in option.path))


def _options_of(owner: type) -> Iterator[Option]:
    kinds = get_type_hints(owner)
    docs = field_docs(owner)
    for item in fields(owner):
        kind = kinds[item.name]
        if kind in SECTIONS or item.name in (KEYS, KEY_FILE):
            continue
        path = LIVEKIT_PLACES.get((owner, item.name), SECTIONS[owner] + item.name)
        doc = docs[item.name] + (" 0 for no limit." if path in UNLIMITED_AT_ZERO else "")
        yield Option(path, owner, item.name, kind, item.default, doc)


def field_docs(owner: type) -> dict[str, str]:
    """The docstring under each field of a class, as one line."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(node, ast.ClassDef)
    docs: dict[str, str] = {}
    for statement, following in zip(node.body, node.body[1:], strict=False):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(doc))):
                docs[name] = " ".join(doc.split())
    return docs
