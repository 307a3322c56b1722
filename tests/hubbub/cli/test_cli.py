"""The command line, run as a process or through click."""

import json
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from auth.keys import MIN_SECRET_CHARS, KeyRing
from auth.tokens import verify
from hubbub.cli import COMMANDS, hubbub
from hubbub.errors import ConfigError, HubbubError
from hubbub.version import VERSION

SECRET = "0123456789abcdef0123456789abcdef"
PAIR = f"api: {SECRET}"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "HUBBUB_KEYS",
        "LIVEKIT_KEYS",
        "LIVEKIT_API_KEY",
        "LIVEKIT_API_SECRET",
        "HUBBUB_CONFIG_FILE",
    ):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(hubbub, arguments)


def succeed(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def run_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hubbub", *arguments], capture_output=True, text=True, check=False
    )


def fail(*arguments: str) -> HubbubError:
    error = run(*arguments).exception
    assert isinstance(error, HubbubError), error
    return error


# --- as a process ---


def test_help_is_quick_for_it_imports_nothing_heavy() -> None:
    help_then_modules = "hubbub(['--help'], standalone_mode=False)\nprint(*sys.modules)"
    script = f"import sys\nfrom hubbub.cli import hubbub\n{help_then_modules}"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.splitlines()[-1].split())
    assert not loaded & {
        "pydantic",
        "aiohttp",
        "aiortc",
        "av",
        "numpy",
        "google.protobuf",
        "jwt",
        "yaml",
        "asyncio",
    }


def test_a_bad_configuration_is_told_in_lines_and_exits_with_2(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("prot: 1\nrtc: {udp_port: x}\n")
    ended = run_process("config", "check", str(file))
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.splitlines() == [
        "hubbub: prot: there is no such option; did you mean port?",
        "hubbub: rtc.udp_port: should be a valid integer, not 'x'",
        "hubbub: keys: there are none; make a pair with `hubbub keys generate`, or try things out with --dev",
    ]


@pytest.mark.parametrize(
    "arguments", [["serv"], ["serve", "--port", "x"], ["token", "create"], ["--frobnicate"]]
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    ended = run_process(*arguments)
    assert ended.returncode == 2
    assert "Error: " in ended.stderr
    assert "Traceback" not in ended.stderr


# --- help ---


def test_version() -> None:
    assert succeed("--version") == f"hubbub {VERSION}\n"


def test_help_names_every_command() -> None:
    text = succeed("--help")
    assert all(f"  {name} " in text for name in COMMANDS)
    assert "hubbub serve --dev" in text


@pytest.mark.parametrize(
    "arguments", [["serve"], ["token", "create"], ["keys", "generate"], ["config", "check"]]
)
def test_help_teaches_by_example(arguments: list[str]) -> None:
    assert "\n    hubbub " in succeed(*arguments, "--help")


def test_every_flag_of_serve_has_a_help_text() -> None:
    context = click.Context(hubbub)
    serve = hubbub.get_command(context, "serve")
    assert serve is not None
    assert all(option.help for option in serve.params if isinstance(option, click.Option))


# --- keys and config ---


def test_generated_keys_are_yaml() -> None:
    ((key, secret),) = yaml.safe_load(succeed("keys", "generate")).items()
    assert key.startswith("API")
    assert len(secret) >= MIN_SECRET_CHARS


def test_print_default_then_check(tmp_path: Path) -> None:
    file = tmp_path / "hubbub.yaml"
    file.write_text(succeed("config", "print-default"))
    assert succeed("config", "check", "--dev", str(file)) == f"{file} is good.\n"
    assert isinstance(fail("config", "check", str(file)), ConfigError)
    file.write_text(file.read_text() + f"keys: {{{PAIR}}}\nredis: {{address: x}}\n")
    assert succeed("config", "check", str(file)) == (
        f"warning: LiveKit's options that Hubbub ignores: redis\n{file} is good.\n"
    )


def test_check_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "can't be read: No such file" in str(fail("config", "check", str(tmp_path / "no")))
    assert "can't be read: Is a directory" in str(fail("config", "check", str(tmp_path)))


# --- token ---


def test_token_with_every_grant() -> None:
    text = succeed(
        *(
            "token",
            "create",
            "--keys",
            PAIR,
            "--room",
            "r",
            "--identity",
            "ann",
            "--name",
            "Ann",
            "--ttl",
            "5m",
        ),
        *("--metadata", "m", "--attribute", "a=1", "--attribute", "b=x=y", "--kind", "agent", "--no-publish"),
        *("--no-subscribe", "--no-publish-data", "--source", "camera", "--update-own-metadata", "--hidden"),
        *("--recorder", "--agent", "--admin", "--create", "--list", "--record"),
    )
    now = time.time()
    claims = verify(text.strip(), KeyRing({"api": SECRET}), now)
    assert (claims.identity, claims.name, claims.metadata, claims.kind) == ("ann", "Ann", "m", "agent")
    assert claims.attributes == {"a": "1", "b": "x=y"}
    assert claims.expires_at == pytest.approx(now + 300, abs=5)
    assert claims.video is not None
    assert claims.video.to_json() == {
        "roomJoin": True,
        "room": "r",
        "canPublish": False,
        "canPublishSources": ["camera"],
        "canPublishData": False,
        "canSubscribe": False,
        **dict.fromkeys(("canUpdateOwnMetadata", "hidden", "recorder", "agent"), True),
        **dict.fromkeys(("roomAdmin", "roomCreate", "roomList", "roomRecord"), True),
    }


def test_token_by_default_may_join_and_publish_everything() -> None:
    text = succeed("token", "create", "--dev", "--room", "r", "--identity", "ann")
    claims = verify(text.strip(), KeyRing({"devkey": "secret"}), time.time())
    assert claims.video is not None
    assert claims.video.to_json() == {"roomJoin": True, "room": "r"}


@pytest.mark.parametrize(
    ("url", "page"),
    [("ws://h:7880", "http://h:7880/"), ("wss://h/p/", "https://h/p/"), ("http://h", "http://h/")],
)
def test_join_link_keeps_the_token_out_of_requests(url: str, page: str) -> None:
    link = succeed("token", "create", "--dev", "--room", "r", "--identity", "ann", "--url", url).strip()
    start, token = link.split("#token=")
    assert start == page
    assert verify(token, KeyRing({"devkey": "secret"}), time.time()).identity == "ann"


def test_token_as_json() -> None:
    values = json.loads(
        succeed("token", "create", "--dev", "--room", "r", "--identity", "ann", "--ttl", "60", "--json")
    )
    assert (values["identity"], values["room"]) == ("ann", "r")
    assert values["expires_at"] == pytest.approx(time.time() + 60, abs=5)
    assert set(values) == {"token", "identity", "room", "expires_at"}


def test_token_is_signed_with_the_first_key_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def issuer(*arguments: str) -> str:
        text = succeed("token", "create", "--room", "r", "--identity", "ann", *arguments)
        keys = {"api": SECRET, "env": SECRET, "file": SECRET, "sdk": "short", "devkey": "secret"}
        return verify(text.strip(), KeyRing(keys), time.time()).issuer

    file = tmp_path / "c.yaml"
    file.write_text(f"keys: {{file: {SECRET}, api: {SECRET}}}")
    assert issuer("--config", str(file)) == "file"
    assert issuer("--config", str(file), "--keys", PAIR) == "api"
    monkeypatch.setenv("LIVEKIT_API_KEY", "sdk")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "short")
    assert issuer() == "sdk"
    monkeypatch.setenv("LIVEKIT_KEYS", f"env: {SECRET}")
    assert issuer() == "env"
    assert issuer("--dev") == "devkey"


def test_token_without_a_key() -> None:
    error = fail("token", "create", "--room", "r", "--identity", "ann")
    assert str(error).startswith("no API key: give --keys")
    assert error.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--identity", "ann"], "needs --room"),
        (["--room", "r"], "--identity"),
        (["--identity", "ann", "--room", "r", "--attribute", "a"], "'a' is not KEY=VALUE"),
        (["--identity", "ann", "--room", "r", "--ttl", "soon"], "500ms, 30s, 5m or 6h"),
    ],
)
def test_token_usage(arguments: list[str], text: str) -> None:
    result = run("token", "create", "--dev", *arguments)
    assert result.exit_code == 2
    assert text in result.stderr


def test_token_for_the_api_needs_no_room() -> None:
    text = succeed("token", "create", "--dev", "--identity", "ops", "--no-join", "--list")
    claims = verify(text.strip(), KeyRing({"devkey": "secret"}), time.time())
    assert claims.video is not None
    assert claims.video.to_json() == {"roomList": True}
