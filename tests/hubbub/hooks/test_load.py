"""Finding the hooks that the configuration names."""

import sys
from pathlib import Path

import pytest

from hubbub.errors import StartError
from hubbub.hooks import Hooks, load_hooks

MODULE = """
from hubbub import Hooks

class House(Hooks):
    pass

def make():
    return House()

def broken():
    raise ValueError("no house today")

def nothing():
    return None
"""


@pytest.fixture(autouse=True)
def _house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "house_of_hooks.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "house_of_hooks", raising=False)


def test_a_module_of_the_working_directory() -> None:
    before = list(sys.path)
    assert isinstance(load_hooks("house_of_hooks:make"), Hooks)
    assert sys.path == before


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("house_of_hooks", "should be module:function"),
        (":make", "should be module:function"),
        ("no_such_house:make", "ModuleNotFoundError: No module named 'no_such_house'"),
        ("house_of_hooks:missing", "AttributeError"),
        ("house_of_hooks:broken", "ValueError: no house today"),
        ("house_of_hooks:nothing", r"should return a hubbub\.Hooks, not NoneType"),
    ],
)
def test_what_is_wrong_is_told(path: str, why: str) -> None:
    with pytest.raises(StartError, match=why):
        load_hooks(path)
