"""Compiling for the types in annotations, and calling C functions by address."""

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sfu.compiled
from sfu.compiled.arrays import Bytes2, Floats, Words, Words2
from sfu.compiled.jit import call, compiled, part


@part
def _twice(number: int) -> int:
    return 2 * number


@compiled
def _total(words: Words2, factors: Floats, chosen: bool, at: int, by: float) -> float:
    return _twice(words[at, 0]) * factors[0] * by if chosen else 0.0


@compiled
def _called(address: int, first: int, second: int, third: int) -> int:
    return call(address, (first, second, third))


@compiled
def _set(memory: Bytes2, totals: Words) -> None:
    memory[0, 0] = totals[0]


def test_it_computes_what_python_would():
    words, factors = np.array([[1, 2], [3, 4]], np.int64), np.array([0.5])
    assert _total(words, factors, True, 1, 10.0) == 30.0
    assert _total(words, factors, False, 1, 10.0) == 0.0
    memory = np.zeros((1, 2), np.uint8)
    assert _set(memory, np.array([7], np.int64)) is None
    assert memory.tolist() == [[7, 0]]


@pytest.mark.parametrize(
    "words",
    [
        np.zeros((2, 2), np.int32),
        np.zeros(2, np.int64),
        np.zeros((2, 2), np.int64, order="F"),
        np.zeros((2, 4), np.int64)[:, ::2],
        [[1, 2], [3, 4]],
    ],
    ids=["narrow", "flat", "by column", "in steps", "list"],
)
def test_other_arrays_than_it_was_compiled_for_are_refused(words: Words2):
    with pytest.raises(TypeError):
        _total(words, np.array([0.5]), True, 1, 1.0)


def test_c_functions_are_called_by_address():
    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
    def minus(first: int, second: int, third: int) -> int:
        return first - second - third

    address = ctypes.cast(minus, ctypes.c_void_p).value
    assert address is not None
    assert _called(address, 5, 10, 2) == -7


# --- where machine code is kept ---

ROOT = Path(sfu.compiled.__path__[0]).parents[1]


def _start(package: Path, cache: Path) -> str:
    """Import something compiled in a process of its own; returns what that said."""
    program = "import sfu.compiled.sorting"
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(package)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=package,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of what is compiled, never started before."""
    for file in ("__init__", "compiled/__init__", "compiled/arrays", "compiled/jit", "compiled/sorting"):
        target = tmp_path / "copy" / "sfu" / f"{file}.py"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "sfu" / f"{file}.py", target)
    return tmp_path / "copy"


def test_it_is_compiled_once_and_again_when_the_source_changes(package: Path, tmp_path: Path):
    assert "happens once" in _start(package, tmp_path)
    assert _start(package, tmp_path) == ""
    source = package / "sfu" / "compiled" / "sorting.py"
    source.write_text(source.read_text() + "\n# changed\n")
    assert "happens once" in _start(package, tmp_path)


def test_it_is_kept_with_the_users_caches_where_the_package_cannot_be_written(package: Path, tmp_path: Path):
    (package / "sfu" / "compiled" / "__pycache__").write_text("in the way")
    assert "happens once" in _start(package, tmp_path / "cache")
    assert list((tmp_path / "cache" / "hubbub").glob("*/**/*.nbi"))
    assert _start(package, tmp_path / "cache") == ""


def test_it_works_where_nothing_can_be_kept(package: Path):
    (package / "sfu" / "compiled" / "__pycache__").write_text("in the way")
    assert "at each start" in _start(package, Path("/proc/nowhere"))
