"""API keys and their secrets."""

import secrets
import string
from collections.abc import Iterator, Mapping
from typing import Self

from .errors import InvalidKeyFile, UnknownKey

MIN_SECRET_CHARS = 32
"""A shorter HMAC-SHA256 secret is weaker than the hash (RFC 7518 section 3.2)."""

_ALPHABET = string.ascii_letters + string.digits


class KeyRing:
    """Which secret belongs to which API key. Neither its repr nor its errors show a secret."""

    __slots__ = ("_secrets",)

    def __init__(self, pairs: Mapping[str, str]) -> None:
        """Raises InvalidKeyFile for an empty key or secret."""
        for key, secret in pairs.items():
            if not key or not secret:
                raise InvalidKeyFile(f"API key {key!r}: key and secret must not be empty")
        self._secrets = dict(pairs)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the lines of a key file, ``key: secret`` each; blank lines and ``#`` comments are skipped.

        This is also the form of the ``LIVEKIT_KEYS`` variable. Raises InvalidKeyFile with the line's number.
        """
        pairs: dict[str, str] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            stripped = line.strip()
            if not stripped or stripped.startswith("#"):
                continue
            key, colon, secret = (_unquote(part) for part in stripped.partition(":"))
            if not (colon and key and secret):
                raise InvalidKeyFile(f"line {number}: expected `key: secret`")
            if key in pairs:
                raise InvalidKeyFile(f"line {number}: API key {key!r} is there twice")
            pairs[key] = secret
        return cls(pairs)

    def secret(self, key: str) -> str:
        """The secret of an API key. Raises UnknownKey."""
        try:
            return self._secrets[key]
        except KeyError:
            raise UnknownKey from None

    def first(self) -> tuple[str, str]:
        """The pair named first, for tokens of the server's own. Raises UnknownKey when there is none."""
        for pair in self._secrets.items():
            return pair
        raise UnknownKey

    def short_secrets(self) -> list[str]:
        """API keys whose secret has less than MIN_SECRET_CHARS characters."""
        return [key for key, secret in self._secrets.items() if len(secret) < MIN_SECRET_CHARS]

    def __contains__(self, key: object) -> bool:
        return key in self._secrets

    def __iter__(self) -> Iterator[str]:
        return iter(self._secrets)

    def __len__(self) -> int:
        return len(self._secrets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyRing) and self._secrets == other._secrets

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._secrets)})"


def generate() -> tuple[str, str]:
    """A new API key (``API`` and 12 letters or digits) and its secret (43, 256 bits)."""
    return "API" + _random_text(12), _random_text(43)


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _unquote(part: str) -> str:
    part = part.strip()
    if len(part) > 1 and part[0] == part[-1] and part[0] in "\"'":
        return part[1:-1]
    return part
