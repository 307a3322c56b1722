"""Logging: structlog for everything, coloured text for people or JSON lines for machines, on standard error.

No secret, token or whole IP address reaches the log, and nothing that a client chose (a name, an identity)
can forge a line or send control codes to a terminal.
"""

import ipaddress
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from .config.model import LoggingConfig

MAX_TEXT_CHARS = 4000
"""Longer texts are cut."""

SECRET_NAMES = frozenset(
    {"secret", "token", "access_token", "password", "credential", "authorization", "keys"}
)
"""Values under such a name are never shown."""

_TOKEN = re.compile(r"\beyJ[\w-]*\.[\w-]*\.?[\w-]*")
_ADDRESS = re.compile(
    r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\w)"  # IPv4
    r"|(?<![\w.:])::ffff:\d{1,3}(?:\.\d{1,3}){3}"  # IPv4 in IPv6
    r"|(?<![\w.:])[0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F:]*"  # IPv6
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

Event = MutableMapping[str, Any]


def set_up_logging(config: LoggingConfig, stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's records to `stream` (standard error)."""
    out = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        Redactor(show_addresses=config.show_addresses),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
        if config.json
        else structlog.dev.ConsoleRenderer(colors=out.isatty())
    )
    level = logging.getLevelNamesMapping()[config.level.upper()]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)


class Redactor:
    """A structlog processor that hides what must not be logged and defuses what clients wrote."""

    def __init__(self, *, show_addresses: bool = False) -> None:
        self._show_addresses = show_addresses

    def __call__(self, logger: object, method: str, event: Event) -> Event:  # noqa: ARG002
        for name, value in event.items():
            event[name] = self._redact(name, value)
        return event

    def _redact(self, name: str, value: Any, depth: int = 0) -> Any:
        if name.lower() in SECRET_NAMES and value:
            return "***"
        if isinstance(value, str):
            return self.clean(value, keep_lines=name == "exception")
        if value is None or isinstance(value, bool | int | float) or name.startswith("_"):
            return value
        if depth < 4 and isinstance(value, dict):
            return {str(key): self._redact(str(key), item, depth + 1) for key, item in value.items()}
        if depth < 4 and isinstance(value, list | tuple | set | frozenset):
            return [self._redact("", item, depth + 1) for item in value]
        return self.clean(str(value))

    def clean(self, text: str, *, keep_lines: bool = False) -> str:
        """The text without tokens, addresses and control characters."""
        if len(text) > MAX_TEXT_CHARS:
            text = text[:MAX_TEXT_CHARS] + "…"
        text = _TOKEN.sub("<token>", text)
        if not self._show_addresses:
            text = _ADDRESS.sub(_hide_address, text)
        if keep_lines:
            return "\n".join(_CONTROL.sub(_escape, line) for line in text.split("\n"))
        return _CONTROL.sub(_escape, text)


def hide_address(text: str) -> str:
    """An IP address without the part that tells one host from its neighbours: its /24, for IPv6 its /48."""
    address = ipaddress.ip_address(text)
    if address.is_loopback or address.is_unspecified:
        return text
    if isinstance(address, ipaddress.IPv4Address):
        return text.rpartition(".")[0] + ".*"
    if address.ipv4_mapped:
        return f"::ffff:{hide_address(str(address.ipv4_mapped))}"
    return str(ipaddress.ip_network((address, 48), strict=False).network_address).removesuffix("::") + ":*"


def _hide_address(match: re.Match[str]) -> str:
    try:
        return hide_address(match[0])
    except ValueError:
        return match[0]


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


class Seldom:
    """Holds back a line that could be repeated without end; the first one of each interval is due."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._told_at = float("-inf")

    def due(self, now: float) -> bool:
        """Whether to tell now; if so, it is told."""
        if now - self._told_at < self._every_s:
            return False
        self._told_at = now
        return True
