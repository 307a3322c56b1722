"""Every example of docs/api.md runs as it is, against a server with the key that it names."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hubbub.testing.server import HubbubServer

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "api.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```(python|sh)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
IN_THE_TEXT = "127.0.0.1:7880"


@pytest.fixture
def server(start_hubbub: Any) -> HubbubServer:
    options = {"keys": {"devkey": "secret"}, "token_endpoint.path": "/api/token"}
    server: HubbubServer = start_hubbub(options=options)
    return server


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    command = tmp_path / "bin" / "hubbub"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m hubbub "$@"\n')
    command.chmod(0o755)
    path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}


def test_there_are_examples_of_both_kinds() -> None:
    assert {language for language, _ in EXAMPLES} == {"python", "sh"}


@pytest.mark.parametrize(("language", "code"), EXAMPLES, ids=[str(n) for n, _ in enumerate(EXAMPLES, 1)])
def test_an_example(
    language: str, code: str, server: HubbubServer, environment: dict[str, str], tmp_path: Path
) -> None:
    code = code.replace(IN_THE_TEXT, f"127.0.0.1:{server.port}")
    file = tmp_path / "test_example.py"
    file.write_text(code)
    if language == "sh":
        command = ["bash", "-euc", code]
    elif "def test_" in code:
        plugin = ["-p", "hubbub.testing.plugin", "-o", "asyncio_mode=auto", "-p", "no:cacheprovider"]
        command = [sys.executable, "-m", "pytest", *plugin, "--rootdir", str(tmp_path), str(file)]
    else:
        command = [sys.executable, str(file)]
    ended = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, f"{code}\n{ended.stdout}\n{ended.stderr}"
    assert "Traceback" not in ended.stderr
