"""Key files, and that secrets stay secret."""

import pytest

from auth.errors import InvalidKeyFile, UnknownKey
from auth.keys import MIN_SECRET_CHARS, KeyRing, generate


def test_key_file() -> None:
    keys = KeyRing.parse("# ours\nkey1: secret1\n\n  \"key2\":'sec:ret2'\r\nkey3:secret3")
    assert list(keys) == ["key1", "key2", "key3"]
    assert keys.secret("key2") == "sec:ret2"
    assert keys.first() == ("key1", "secret1")
    assert len(keys) == 3
    assert "key1" in keys


@pytest.mark.parametrize("line", ["key", "key:", ": s3cr3t", "key s3cr3t", '"": s3cr3t'])
def test_bad_line_is_named_without_its_content(line: str) -> None:
    with pytest.raises(InvalidKeyFile, match=r"^line 2: expected") as caught:
        KeyRing.parse(f"a: b\n{line}")
    assert "s3cr3t" not in str(caught.value)


def test_key_twice() -> None:
    with pytest.raises(InvalidKeyFile, match="line 2: API key 'a' is there twice"):
        KeyRing.parse("a: b\na: c")


@pytest.mark.parametrize("pairs", [{"": "x"}, {"key": ""}])
def test_empty_secret_would_let_anybody_in(pairs: dict[str, str]) -> None:
    with pytest.raises(InvalidKeyFile):
        KeyRing(pairs)


def test_unknown_key() -> None:
    with pytest.raises(UnknownKey):
        KeyRing({}).secret("a")
    with pytest.raises(UnknownKey):
        KeyRing({}).first()


def test_repr_shows_no_secret() -> None:
    assert repr(KeyRing({"a": "hush"})) == "KeyRing(a)"


def test_short_secrets_are_listed_by_key() -> None:
    assert KeyRing({"a": "x" * (MIN_SECRET_CHARS - 1), "b": "x" * MIN_SECRET_CHARS}).short_secrets() == ["a"]


def test_generated_pairs_differ_and_are_long_enough() -> None:
    pairs = dict(generate() for _ in range(100))
    assert len(pairs) == 100
    assert KeyRing(pairs).short_secrets() == []
    assert all(key.startswith("API") and key.isalnum() for key in pairs)


def test_layers_are_exchanged_under_those_who_hold_the_ring() -> None:
    ring = KeyRing({"own": "secret"})
    ring.replace("more", {"other": ("new", "old"), "own": ("shadowed",)})
    assert ring.secrets("other") == ("new", "old")
    assert ring.secret("other") == "new"
    assert ring.secret("own") == "secret"
    assert list(ring) == ["own", "other"]
    assert len(ring) == 2
    ring.replace("more", {})
    assert "other" not in ring
