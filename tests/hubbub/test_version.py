"""One version."""

import tomllib
from pathlib import Path

from hubbub.version import VERSION


def test_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
