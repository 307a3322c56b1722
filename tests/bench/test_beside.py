"""Two real servers started and compared. Where LiveKit's is not installed, another of ours stands in for it."""

import shlex
import sys
from pathlib import Path

import pytest

from tests.bench import beside
from tests.bench.__main__ import _plain
from tests.bench.report import text
from tests.bench.results import document, rounded
from tests.bench.settings import media_config
from tests.bench.targets import TARGETS

SHORT = ("--load", "meeting", "--rounds", "1", "--duration", "1s")


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that takes what LiveKit's is given, but for its configuration."""
    program = tmp_path / "livekit-server"
    serve = f"{shlex.quote(sys.executable)} -m hubbub serve --tcp-port 0"
    program.write_text(f'#!/bin/sh\nexec {serve} "$1" "$2" "$3" "$6" "$7" "$8" "$9"\n')
    program.chmod(0o755)
    monkeypatch.setenv(beside.VARIABLE, str(program))


def test_a_server_is_compared_with_another(other: None) -> None:
    said: list[str] = []
    found = beside.measure(media_config(), said.append, SHORT)
    assert found is not None
    assert said[-1] == "done"
    assert any("Hubbub, 1 of 1" in one for one in said)
    (load,) = found.loads.values()
    assert 0.3 < load["ratio"] < 3, "it is the same program"
    for server in ("hubbub", "livekit"):
        assert load[server]["packets_per_s"] > 1000
    assert 0 < found.join_median_ms < 5000
    report = text(document({}) | {"beside": rounded(_plain(found))})
    assert f"{load['ratio']:.2f}" in report
    (target,) = [target for target in TARGETS if target.path == "beside.loads.meeting.ratio"]
    assert target.measured({"beside": _plain(found)}) == load["ratio"]


def test_without_livekit_it_says_what_would_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(beside.VARIABLE, raising=False)
    monkeypatch.setattr(beside.shutil, "which", lambda name: None)
    said: list[str] = []
    assert beside.measure(media_config(), said.append) is None
    assert beside.VARIABLE in said[0]


def test_a_program_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(beside.VARIABLE, "/nowhere/livekit-server")
    with pytest.raises(RuntimeError, match="/nowhere/livekit-server"):
        beside.livekit_server()


def test_a_server_that_does_not_start_shows_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "livekit-server"
    program.write_text("#!/bin/sh\necho it went wrong\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv(beside.VARIABLE, str(program))
    with pytest.raises(RuntimeError, match="it went wrong"):
        beside.measure(media_config(), lambda text: None, SHORT)
