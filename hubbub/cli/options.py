"""Options that several subcommands have."""

import os
from pathlib import Path

import click

from hubbub.errors import ConfigError

CONFIG_FILE = click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="HUBBUB_CONFIG_FILE",
    help="YAML file with the configuration; LiveKit's own files will do.  [env: HUBBUB_CONFIG_FILE]",
)
KEYS = click.option(
    "--keys", metavar="'KEY: SECRET'", help="API key and secret.  [env: HUBBUB_KEYS, LIVEKIT_KEYS]"
)
KEY_FILE = click.option(
    "--key-file",
    metavar="FILE",
    help="File with lines of `key: secret`.  [env: HUBBUB_KEY_FILE, LIVEKIT_KEY_FILE]",
)

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def config_text(file: Path | None) -> str:
    """The YAML text: of the file, else of a variable (as in containers), else none. Raises ConfigError."""
    if file is None:
        return os.environ.get("HUBBUB_CONFIG") or os.environ.get("LIVEKIT_CONFIG") or ""
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise ConfigError([f"{file} can't be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{file} is not a text file"]) from None


def read_duration(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """Callback of an option that takes seconds, or a text such as 30s, 5m or 6h."""
    from hubbub.config.check import seconds

    try:
        duration = seconds(f"{value}s" if value.isdecimal() else value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None
    assert isinstance(duration, float)
    return duration


def signing_pair(
    config_file: Path | None, *, keys: str | None, key_file: str | None, dev: bool
) -> tuple[str, str]:
    """The first API key of what is given, and its secret: flags, variables, file. Raises ConfigError."""
    from hubbub.config import DEV_KEY, DEV_SECRET, load_keys

    flags = {path: value for path, value in (("keys", keys), ("key_file", key_file)) if value is not None}
    if dev and not flags:
        return DEV_KEY, DEV_SECRET
    ring = load_keys(config_text(config_file), env=os.environ, flags=flags)
    if ring:
        return ring.first()
    pair = os.environ.get("LIVEKIT_API_KEY", ""), os.environ.get("LIVEKIT_API_SECRET", "")
    if all(pair):
        return pair
    raise ConfigError(["no API key: give --keys, --key-file or --config, or --dev for `hubbub serve --dev`"])
