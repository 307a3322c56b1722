"""API keys and their secrets."""

import secrets
import string
from collections.abc import Iterator, Mapping
from typing import Self

from .errors import InvalidKeyFile, UnknownKey

MIN_SECRET_CHARS = 32
"""A shorter HMAC-SHA256 secret is weaker than the hash (RFC 7518 section 3.2)."""

OWN = "own"
"""The layer that a ring was made of."""

_ALPHABET = string.ascii_letters + string.digits


class KeyRing:
    """Which secret belongs to which API key. Neither its repr nor its errors show a secret.

    Everybody who checks tokens holds the same ring, and it may change while they do: it has layers, one for each
    source of keys, and :meth:`replace` exchanges one. The first layer is what the ring was made of.
    """

    __slots__ = ("_layers",)

    def __init__(self, pairs: Mapping[str, str]) -> None:
        """Raises InvalidKeyFile for an empty key or secret."""
        for key, secret in pairs.items():
            if not key or not secret:
                raise InvalidKeyFile(f"API key {key!r}: key and secret must not be empty")
        self._layers: dict[str, Mapping[str, tuple[str, ...]]] = {
            OWN: {key: (secret,) for key, secret in pairs.items()}
        }

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

    def replace(self, layer: str, keys: Mapping[str, tuple[str, ...]]) -> None:
        """Exchange the keys of one source; of several secrets the first one signs, all verify."""
        self._layers = self._layers | {layer: dict(keys)}

    def layer(self, name: str) -> Mapping[str, tuple[str, ...]]:
        """The keys of one source."""
        return self._layers.get(name, {})

    def secrets(self, key: str) -> tuple[str, ...]:
        """The secrets that verify what this API key signed. Raises UnknownKey."""
        for keys in self._layers.values():
            if key in keys:
                return keys[key]
        raise UnknownKey

    def secret(self, key: str) -> str:
        """The secret that signs for an API key. Raises UnknownKey."""
        return self.secrets(key)[0]

    def first(self) -> tuple[str, str]:
        """The pair named first, for tokens of the server's own. Raises UnknownKey when there is none."""
        for key in self:
            return key, self.secret(key)
        raise UnknownKey

    def short_secrets(self) -> list[str]:
        """API keys whose secret has less than MIN_SECRET_CHARS characters."""
        return [key for key in self if len(self.secret(key)) < MIN_SECRET_CHARS]

    def __contains__(self, key: object) -> bool:
        return any(key in keys for keys in self._layers.values())

    def __iter__(self) -> Iterator[str]:
        return iter({key: None for keys in self._layers.values() for key in keys})

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyRing) and self._layers == other._layers

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self)})"


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
