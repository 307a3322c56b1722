"""Where the database is."""

import pytest

from hubbub.database import DatabaseConfig, database_path


@pytest.mark.parametrize(
    ("path", "development", "place"),
    [
        ("", False, "data/hubbub.db"),
        ("", True, ":memory:"),
        ("other.db", False, "data/other.db"),
        ("other.db", True, "data/other.db"),
        ("/var/lib/hubbub/a.db", False, "/var/lib/hubbub/a.db"),
        (":memory:", False, ":memory:"),
    ],
)
def test_the_place(path: str, development: bool, place: str) -> None:
    assert database_path(DatabaseConfig(path=path), "data", development=development) == place


def test_variables_are_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/hubbub")
    place = database_path(DatabaseConfig(), "$STATE_DIRECTORY", development=False)
    assert place == "/var/lib/hubbub/hubbub.db"
