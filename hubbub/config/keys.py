"""API keys from the configuration, and which of them are good enough. No problem quotes a secret."""

import os
from pathlib import Path

from auth.errors import InvalidKeyFile
from auth.keys import MIN_SECRET_CHARS, KeyRing

from .model import DEV_KEY, DEV_SECRET
from .options import KEY_FILE, KEYS


def read_keys(value: object, key_file: object) -> tuple[KeyRing, list[str]]:
    """Keys from a map, a text or a file, which wins where there are both; and what is wrong with them."""
    try:
        if key_file is not None:
            return read_key_file(str(key_file)), []
        if isinstance(value, str):
            return KeyRing.parse(value), []
    except InvalidKeyFile as error:
        return KeyRing({}), [f"{KEY_FILE if key_file is not None else KEYS}: {error}"]
    if not isinstance(value, dict | None):
        return KeyRing({}), [f"{KEYS}: should be lines of `key: secret` below it"]
    pairs = value or {}
    problems = [
        f"{KEYS}.{key}: the secret should be a text that is not empty; put digits in quotes"
        for key, secret in pairs.items()
        if not isinstance(secret, str) or not secret
    ]
    return KeyRing({} if problems else {str(key): secret for key, secret in pairs.items()}), problems


def weak_keys(keys: KeyRing) -> list[str]:
    """What forbids serving others with these keys: there are none, or one can be guessed."""
    if not keys:
        return [
            f"{KEYS}: there are none; make a pair with `hubbub keys generate`, or try things out with --dev"
        ]
    problems = []
    for key in keys.short_secrets():
        secret = keys.secret(key)
        if (key, secret) == (DEV_KEY, DEV_SECRET):
            problems.append(f"{KEYS}.{key}: is the pair that everybody knows, for --dev only")
        else:
            problems.append(
                f"{KEYS}.{key}: the secret has {len(secret)} characters and needs {MIN_SECRET_CHARS}; "
                "make a pair with `hubbub keys generate`"
            )
    return problems


def key_file_path(name: str) -> Path:
    """A key file's place, with variables and ``~`` resolved."""
    return Path(os.path.expandvars(name)).expanduser()


def read_key_file(name: str) -> KeyRing:
    """The keys in a file. Raises InvalidKeyFile."""
    path = key_file_path(name)
    try:
        if path.stat().st_mode & 0o007:
            raise InvalidKeyFile(
                f"{path} can be read by everybody on this machine; `chmod o= {path}` ends that"
            )
        return KeyRing.parse(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidKeyFile(f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidKeyFile(f"{path} is not a text file") from None
