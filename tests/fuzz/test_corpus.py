"""Every seed of every target, and a few thousand damaged ones: what ``python -m tests.fuzz`` does, in short."""

import random
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.fuzz.mutate import MAX_LENGTH, mutations
from tests.fuzz.targets import CORPUS, TARGETS, seeds

MUTATIONS = 2000


@pytest.mark.parametrize("name", TARGETS)
def test_corpus(name: str) -> None:
    assert seeds(name)
    for data in seeds(name):
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_mutations(name: str) -> None:
    for data in islice(mutations(seeds(name), random.Random(name)), MUTATIONS):
        TARGETS[name](data)


def test_every_corpus_has_its_target() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)


def test_mutations_are_repeatable_and_bounded() -> None:
    first, second = (list(islice(mutations([b"abc", bytes(3000)], random.Random(1)), 500)) for _ in range(2))
    assert first == second
    assert max(map(len, first[3:])) <= MAX_LENGTH


def test_the_runner_saves_what_fails(tmp_path: Path) -> None:
    """A target that rejects everything is reported, and its input kept."""
    code = (
        "import sys, tests.fuzz.__main__ as runner\n"
        "runner.TARGETS['rtp'] = lambda data: 1 / len(data)\n"
        f"sys.argv = ['fuzz', '--mutator', '--seconds', '1', '--artifacts', {str(tmp_path)!r}, 'rtp']\n"
        "sys.exit(runner.main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "ZeroDivisionError" in done.stderr
    (saved,) = tmp_path.iterdir()
    assert saved.read_bytes() == b""
