"""Put the sources together, check everything, and tell all problems at once."""

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar, get_type_hints

from auth.keys import KeyRing
from hubbub.database.config import database_path
from hubbub.errors import ConfigError
from sfu.config import MediaConfig

from .check import check
from .keys import read_keys, weak_keys
from .model import DEV_KEY, DEV_SECRET, Config
from .options import KEY_FILE, KEYS, SECTIONS, options
from .sources import Values, from_environment, from_yaml

T = TypeVar("T")

LOOPBACK = ("127.0.0.1", "::1")


def load(
    text: str = "", *, env: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None
) -> tuple[Config, tuple[str, ...]]:
    """The configuration and what to warn of: a file's text, variables over it, flags over both.

    `flags` are values by option path. Raises ConfigError with every problem found.
    """
    file = from_yaml(text)
    variables = from_environment(env or {})
    values = _merge(file.values, variables.values, flags or {})
    key_file = values.pop(KEY_FILE, None)
    keys, key_problems = read_keys(values.pop(KEYS, None), key_file)
    settings, problems = check(values, variables.origins)
    problems = file.problems + problems + key_problems
    if not key_problems and values.get("development") is not True:
        problems += weak_keys(keys)
    if problems:
        raise ConfigError(problems)
    config = _for_development(replace(_compose(settings, keys), key_file=str(key_file or "")))
    if conflicts := _conflicts(config):
        raise ConfigError(conflicts)
    return config, _warnings(config, values, file.ignored)


def configure(options: Mapping[str, object]) -> Config:
    """A configuration from options by path, such as ``{"rtc.udp_port": 0}``, and nothing else: no file, no variables.

    Raises ConfigError with every problem found.
    """
    config, _ = load(json.dumps(dict(options)))  # JSON is YAML, and a path is a key
    return config


def load_keys(
    text: str = "", *, env: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None
) -> KeyRing:
    """The API keys alone, for who signs tokens; there may be none. Raises ConfigError."""
    file = from_yaml(text)
    values = _merge(file.values, from_environment(env or {}).values, flags or {})
    keys, problems = read_keys(values.get(KEYS), values.get(KEY_FILE))
    if file.problems or problems:
        raise ConfigError(file.problems + problems)
    return keys


def load_database(text: str = "", *, env: Mapping[str, str] | None = None) -> str:
    """Where the database of a configuration is, for commands that work on it. Raises ConfigError."""
    config = _load_without_keys(text, env)
    return database_path(config.database, config.data_directory, development=config.development)


def load_url(text: str = "", *, env: Mapping[str, str] | None = None) -> str:
    """Where a server of this configuration is found on its own machine, for commands that talk to it.

    Raises ConfigError.
    """
    config = _load_without_keys(text, env)
    host = next((one for one in config.bind_addresses if not ipaddress.ip_address(one).is_unspecified), "")
    host = host or LOOPBACK[0]
    return f"http://{f'[{host}]' if ':' in host else host}:{config.port}"


def _load_without_keys(text: str, env: Mapping[str, str] | None) -> Config:
    file = from_yaml(text)
    values = _merge(file.values, from_environment(env or {}).values)
    settings, problems = check({k: v for k, v in values.items() if k not in (KEYS, KEY_FILE)}, {})
    if file.problems or problems:
        raise ConfigError(file.problems + problems)
    return _compose(settings, KeyRing({}))


def _merge(*sources: Mapping[str, object]) -> Values:
    """Values of all sources, the stronger last. Keys replace weaker ones, wherever each source has them."""
    merged: Values = {}
    for values in sources:
        if values.keys() & {KEYS, KEY_FILE}:
            merged = {path: value for path, value in merged.items() if path not in (KEYS, KEY_FILE)}
        merged |= values
    return merged


def _compose(settings: Mapping[str, Any], keys: KeyRing) -> Config:
    parts: dict[type, dict[str, Any]] = {owner: {} for owner in SECTIONS}
    for path, value in settings.items():
        option = options()[path]
        parts[option.owner][option.field] = value
    parts[Config]["keys"] = keys
    return _filled(Config, parts)


def _filled(owner: type[T], parts: Mapping[type, Mapping[str, Any]]) -> T:
    """An instance of a settings' dataclass, and of those in it."""
    kinds = get_type_hints(owner)
    inner = {name: _filled(kind, parts) for name, kind in kinds.items() if kind in SECTIONS}
    return owner(**parts[owner], **inner)


def _for_development(config: Config) -> Config:
    """With --dev: well-known keys where none are given, and this machine only where nothing else is said.

    The default said in so many words is not something else, or the reference file would open everything.
    """
    if not config.development:
        return config
    if config.bind_addresses == Config().bind_addresses:
        config = replace(config, bind_addresses=LOOPBACK)
    if config.media.bind_addresses == MediaConfig().bind_addresses:
        config = replace(config, media=replace(config.media, bind_addresses=config.bind_addresses))
    return config if config.keys else replace(config, keys=KeyRing({DEV_KEY: DEV_SECRET}))


def _conflicts(config: Config) -> list[str]:
    """Settings that are fine alone but not together."""
    problems = []
    if config.port and config.port == config.media.tcp_port:
        problems.append(f"rtc.tcp_port: {config.port} is the port of the web server already")
    metrics = config.metrics
    if metrics.port and metrics.port in (config.port, config.media.tcp_port):
        whose = "the web server" if metrics.port == config.port else "rtc.tcp_port"
        problems.append(f"prometheus.port: {metrics.port} is the port of {whose} already")
    if bool(metrics.username) != bool(metrics.password):
        problems.append("prometheus: username and password go together; set both, or none for no check")
    if config.signaling.ping_timeout_s <= config.signaling.ping_interval_s:
        problems.append("signal.ping_timeout_s: should be longer than signal.ping_interval_s")
    receivers = config.webhooks.receivers()
    problems += [
        f"webhook: the API key {key} of {target.name} is not among the keys"
        for target in receivers
        if (key := target.api_key) and key not in config.keys
    ]
    return problems


def _warnings(config: Config, values: Values, ignored: list[str]) -> tuple[str, ...]:
    warnings = []
    if ignored:
        warnings.append(f"LiveKit's options that Hubbub ignores: {', '.join(ignored)}")
    if isinstance(udp_port := values.get("rtc.udp_port"), str) and "-" in udp_port:
        warnings.append(f"rtc.udp_port: one port is enough for Hubbub, so of {udp_port} it uses the first")
    alone = config.bind_addresses and all(
        ipaddress.ip_address(ip).is_loopback for ip in config.bind_addresses
    )
    if DEV_KEY in config.keys and config.keys.secret(DEV_KEY) == DEV_SECRET and not alone:
        warnings.append("whoever can reach this machine has all rights here: the API key is the one of --dev")
    if config.metrics.port and not config.metrics.username and not alone:
        warnings.append(
            f"whoever can reach port {config.metrics.port} can read the metrics: no prometheus.username is set"
        )
    return tuple(warnings)
