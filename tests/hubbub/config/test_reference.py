"""The reference file is what the settings' docstrings say, and says what the defaults are."""

from pathlib import Path

import yaml

from hubbub.config import load
from hubbub.config.livekit import IGNORED, MOVED
from hubbub.config.options import MAY_BE_ZERO, options
from hubbub.config.reference import render_default

REFERENCE = Path(__file__).parents[3] / "docs" / "config.reference.yaml"


def test_the_reference_in_the_docs_is_up_to_date() -> None:
    assert REFERENCE.read_text() == render_default(), (
        "run: hubbub config print-default > docs/config.reference.yaml"
    )


def test_loading_it_gives_the_defaults() -> None:
    for flags in ({"development": True}, {"keys": "k: " + "s" * 32}):
        assert load(render_default(), flags=flags) == load(flags=flags)


def test_every_option_is_in_it_with_its_docstring() -> None:
    text = render_default()
    shown = yaml.safe_load(text)
    for option in options().values():
        assert option.doc.endswith(".")
        node = shown
        *sections, name = option.path.split(".")
        for section in sections:
            node = node[section]
        assert option.default is None or name in node


def test_no_place_is_taken_twice() -> None:
    known = options().keys()
    assert len(known) == len({(option.owner, option.field) for option in options().values()})
    assert not known & IGNORED
    assert not known & MOVED.keys()
    assert known >= set(MOVED.values())
    assert known >= MAY_BE_ZERO
    assert not any(path.startswith(ignored + ".") for path in known for ignored in IGNORED)
