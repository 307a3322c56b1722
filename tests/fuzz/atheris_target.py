"""One target under atheris: ``python -m tests.fuzz.atheris_target NAME [libFuzzer options]``. Never returns."""

import sys

import atheris

with atheris.instrument_imports(include=["auth", "rooms", "sfu", "signaling"]):
    from tests.fuzz.targets import TARGETS

name = sys.argv.pop(1)
atheris.Setup(sys.argv, TARGETS[name])
atheris.Fuzz()
