"""What must not be logged is not, and nothing that a client wrote can forge a line."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from hubbub.config import LoggingConfig
from hubbub.logging import MAX_TEXT_CHARS, Redactor, Seldom, set_up_logging

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJkZXZrZXkifQ.abc-DEF_123"


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:], logging.root.level = handlers, level
    structlog.reset_defaults()


def logged(config: LoggingConfig, event: str, **values: Any) -> str:
    out = io.StringIO()
    set_up_logging(config, out)
    structlog.get_logger().info(event, **values)
    return out.getvalue()


def test_json_line() -> None:
    line = logged(LoggingConfig(json=True), "joined", room="küche", tracks=3, up=True, gone=None)
    values = json.loads(line)
    assert (values["event"], values["level"], values["room"], values["tracks"]) == (
        "joined",
        "info",
        "küche",
        3,
    )
    assert values["up"] is True
    assert values["gone"] is None
    assert line.count("\n") == 1


def test_console_line_has_no_colour_where_there_is_no_terminal() -> None:
    line = logged(LoggingConfig(), "joined", room="r")
    assert "joined" in line
    assert "room=r" in line
    assert "\x1b" not in line


def test_level() -> None:
    assert logged(LoggingConfig(level="warn"), "joined") == ""


@pytest.mark.parametrize("as_json", [True, False])
def test_records_of_other_libraries_are_treated_alike(as_json: bool) -> None:
    out = io.StringIO()
    set_up_logging(LoggingConfig(json=as_json), out)
    logging.getLogger("aiohttp").warning("from %s with %s\nforged", "203.0.113.77", TOKEN)
    assert "203.0.113.*" in out.getvalue()
    assert "<token>" in out.getvalue()
    assert out.getvalue().count("\n") == 1


@pytest.mark.parametrize("name", ["secret", "Token", "access_token", "password", "authorization"])
def test_secrets_by_name(name: str) -> None:
    assert "hush" not in logged(LoggingConfig(), "x", **{name: "hush"}, nested={"a": [{name: "hush"}]})


def test_secrets_in_tracebacks() -> None:
    out = io.StringIO()
    set_up_logging(LoggingConfig(json=True), out)
    try:
        raise ValueError(f"bad {TOKEN} of 203.0.113.77")
    except ValueError:
        structlog.get_logger().exception("failed")
    values = json.loads(out.getvalue())
    assert "bad <token> of 203.0.113.*" in values["exception"]
    assert "\n" in values["exception"]


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (f"GET /rtc?access_token={TOKEN}&x=1", "GET /rtc?access_token=<token>&x=1"),
        ("from 203.0.113.77:4711", "from 203.0.113.*:4711"),
        ("udp:10.1.2.3", "udp:10.1.2.*"),
        ("[2001:db8:1:2::3]:443", "[2001:db8:1:*]:443"),
        ("('fe80::1', 5)", "('fe80:*', 5)"),
        ("::ffff:203.0.113.77", "::ffff:203.0.113.*"),
        ("on 127.0.0.1, ::1, 0.0.0.0 and ::", "on 127.0.0.1, ::1, 0.0.0.0 and ::"),
        ("at 12:34:56, std::string, 1.2.3, 999.1.1.1, aa:bb:cc:dd:ee:ff", None),
        ("ann\nlevel=error\x1b[31m\u202e", r"ann\nlevel=error\x1b[31m\u202e"),
    ],
)
def test_clean(text: str, hidden: str | None) -> None:
    assert Redactor().clean(text) == (text if hidden is None else hidden)


def test_addresses_in_full_when_asked_for() -> None:
    assert Redactor(show_addresses=True).clean("203.0.113.77") == "203.0.113.77"


def test_long_texts_are_cut_and_deep_ones_flattened() -> None:
    assert len(Redactor().clean("x" * 100_000)) == MAX_TEXT_CHARS + 1
    deep: list[Any] = []
    for _ in range(50):
        deep = [deep]
    assert Redactor()(None, "info", {"event": "x", "deep": deep})["event"] == "x"


def test_set_up_does_not_touch_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LoggingConfig(), sys.stderr)
    structlog.get_logger().info("hello")
    assert capsys.readouterr().out == ""


def test_what_repeats_is_told_once_in_a_while() -> None:
    seldom = Seldom(60.0)
    assert [seldom.due(now) for now in (5.0, 6.0, 64.9, 65.0, 66.0)] == [True, False, False, True, False]
