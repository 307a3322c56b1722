"""The configuration as the program sees it."""

from dataclasses import dataclass, field
from typing import Literal

from auth.keys import KeyRing
from hubbub.database.config import DatabaseConfig
from hubbub.history.config import HistoryConfig
from hubbub.webhooks.config import WebhookConfig
from rooms.agents.config import AgentsConfig
from rooms.config import RoomConfig
from sfu.config import MediaConfig
from signaling.config import SignalingConfig

DEV_KEY = "devkey"
DEV_SECRET = "secret"  # noqa: S105
"""The pair that everybody knows, as LiveKit has it; only for ``--dev``."""


@dataclass(frozen=True, slots=True)
class LoggingConfig:
    """What is logged, and how. Logs go to standard error."""

    level: Literal["debug", "info", "warn", "error"] = "info"
    """Least severity that is logged: debug, info, warn or error."""
    json: bool = False
    """One JSON object a line, for machines, instead of coloured text."""
    show_addresses: bool = False
    """Log IP addresses of clients in full; otherwise their last part is hidden."""


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Numbers for Prometheus. Off until it has a port."""

    port: int = 0
    """Port at which Prometheus finds the metrics, at any path, on the addresses of the web server. 0 for none."""
    username: str = ""
    """Name that Prometheus must give (basic_auth). Empty: whoever reaches the port can read the metrics."""
    password: str = field(default="", repr=False)
    """Password that goes with it."""


@dataclass(frozen=True, slots=True)
class TokenEndpointConfig:
    """Who gets tokens without having an API key. Off until it is configured."""

    path: str = ""
    """Path, such as /api/token, at which the SDKs' token sources get tokens to join. Empty: there is none."""
    connection_details: bool = False
    """Answer /api/connection-details, from which LiveKit Meet's page gets its tokens."""
    authorization: str = field(default="", repr=False)
    """What callers must send as Authorization: Bearer. Empty: whoever reaches the server gets a token."""
    rooms: tuple[str, ...] = ("*",)
    """Rooms that tokens are given for; * stands for any text."""
    server_url: str = ""
    """URL that clients are told to connect to. Empty for the one that they asked at."""
    ttl_s: float = 900.0
    """How long a token lets its holder join."""
    can_publish: bool = True
    """Whether the tokens let their holders publish."""
    allow_room_config: bool = False
    """Let callers say what the room shall be like, and which agents shall come."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that the server is told at start."""

    port: int = 7880
    """Port for HTTP and WebSocket. TLS is for a proxy in front. 0 takes any free one."""
    bind_addresses: tuple[str, ...] = ()
    """IP addresses that the web server listens on. Empty for all; with --dev only this machine's own."""
    development: bool = False
    """Same as --dev: well-known keys, this machine only. Never where others can reach it."""
    hooks: str = ""
    """Your Python code to ask before people join, publish or send data: module:function, which returns hubbub.Hooks."""
    hook_timeout_s: float = 5.0
    """How long a hook may take; after that it counts as a refusal."""
    cors_origins: tuple[str, ...] = ("*",)
    """Origins whose pages may use the server, such as https://meet.example.org; * for all."""
    max_request_body_bytes: int = 10 * 1024 * 1024
    """Longest body of a request to the server API."""
    data_directory: str = "data"
    """Where files are kept that outlive the process. Relative to where the server was started."""
    key_file: str = ""
    """Where the keys come from, if from a file: it is read again when it changes."""
    key_reload_s: float = 2.0
    """How often the key file and the database are looked at for changed API keys."""
    keys: KeyRing = field(default_factory=lambda: KeyRing({}))
    database: DatabaseConfig = field(default_factory=DatabaseConfig)
    history: HistoryConfig = field(default_factory=HistoryConfig)
    logging: LoggingConfig = field(default_factory=LoggingConfig)
    media: MediaConfig = field(default_factory=MediaConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    rooms: RoomConfig = field(default_factory=RoomConfig)
    signaling: SignalingConfig = field(default_factory=SignalingConfig)
    webhooks: WebhookConfig = field(default_factory=WebhookConfig)
    token_endpoint: TokenEndpointConfig = field(default_factory=TokenEndpointConfig)
    agents: AgentsConfig = field(default_factory=AgentsConfig)
