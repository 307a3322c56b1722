"""An intruder that took the name of one of our packages is named before anything of it runs."""

import os
import subprocess
import sys
from pathlib import Path

from hubbub.packages import HOME, check_packages


def test_ours_are_ours() -> None:
    check_packages()


def run_with_intruder(place: Path) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": f"{place}{os.pathsep}{HOME}"}
    return subprocess.run(
        [sys.executable, "-m", "hubbub", "--help"],
        env=env,
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )


def test_intruding_package(tmp_path: Path) -> None:
    (tmp_path / "auth").mkdir()
    (tmp_path / "auth" / "__init__.py").write_text("raise SystemExit('the intruder ran')")
    ended = run_with_intruder(tmp_path)
    assert ended.returncode == 1
    assert f"Python finds {tmp_path / 'auth'}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_intruding_module(tmp_path: Path) -> None:
    (tmp_path / "rooms.py").write_text("raise SystemExit('the intruder ran')")
    ended = run_with_intruder(tmp_path)
    assert ended.returncode == 1
    assert f"Python finds {tmp_path / 'rooms.py'}" in ended.stderr
