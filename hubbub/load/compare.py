"""``hubbub compare``: the same loads against two servers in turns, each load in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import click

from hubbub.cli.options import read_duration
from hubbub.load.comparison import LOADS, Load, Row, document, figures, table
from hubbub.load.errors import LoadError

MISSED = 1
JOINS_PER_S = 20
SETTLE_S = 3
"""After the last join: a server that was busy with joins may have media waiting, which isn't to be measured."""


class Candidate(NamedTuple):
    """A server that runs on this machine."""

    name: str
    url: str
    api_key: str
    api_secret: str
    pid: int


@click.command()
@click.option("--url", required=True, help="Our server, such as ws://localhost:7880.")
@click.option("--api-key", default="devkey", show_default=True, help="API key.")
@click.option("--api-secret", default="secret", show_default=True, help="Its secret.")
@click.option("--server-pid", type=click.IntRange(1), required=True, help="Its process on this machine.")
@click.option("--name", default="Hubbub", show_default=True, help="What to call it.")
@click.option("--against-url", required=True, help="The server to compare with.")
@click.option("--against-key", default="devkey", show_default=True, help="API key of that one.")
@click.option("--against-secret", default="secret", show_default=True, help="Its secret.")
@click.option("--against-pid", type=click.IntRange(1), required=True, help="Its process on this machine.")
@click.option("--against-name", default="LiveKit", show_default=True, help="What to call it.")
@click.option(
    "--load",
    "names",
    multiple=True,
    type=click.Choice([load.name for load in LOADS]),
    help="Only this load; may be repeated.  [default: all]",
)
@click.option("--rounds", type=click.IntRange(1), default=2, show_default=True, help="Turns of each server.")
@click.option(
    "--duration",
    metavar="TIME",
    default="10s",
    show_default=True,
    callback=read_duration,
    help="How long to measure in each turn, once everybody has joined.",
)
@click.option("--join-rate", type=click.FloatRange(0, min_open=True), default=JOINS_PER_S, show_default=True)
@click.option("--cpu", type=click.IntRange(0), help="Core to keep the load generator on.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="File for all figures, as JSON."
)
def compare(
    *,
    names: tuple[str, ...],
    rounds: int,
    duration: float,
    join_rate: float,
    cpu: int | None,
    output: Path | None,
    **options: Any,
) -> None:
    """Compare two servers under the same loads, in turns, by packets sent per CPU-second, memory and time to join.

    Start both afresh, and leave the machine to them. A server that runs many threads costs more on several cores than
    on one: to compare them on one, start both with taskset, and keep the generator on another core by --cpu. Exits
    with 1 if a target is missed.

    \b
      hubbub serve --dev --tcp-port 0 & ours=$!
      livekit-server --dev --bind 127.0.0.1 --port 7980 --udp-port 7982 & other=$!
      hubbub compare --url ws://localhost:7880 --server-pid $ours \\
        --against-url ws://localhost:7980 --against-pid $other
    """
    ours = Candidate(
        options["name"], options["url"], options["api_key"], options["api_secret"], options["server_pid"]
    )
    other = Candidate(*(options[f"against_{what}"] for what in ("name", "url", "key", "secret", "pid")))
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    loads = [load for load in LOADS if not names or load.name in names]
    at = datetime.now(UTC).isoformat(timespec="seconds")
    servers = {one.name: _describe(one) for one in (ours, other)}
    arguments = ("--duration", f"{duration:g}s", "--join-rate", str(join_rate))
    rows = [_turns(load, ours, other, rounds, arguments) for load in loads]
    both = ours.name, other.name
    click.echo(table(rows, both))
    click.echo("\n".join(f"{name} may use {len(one['cores'])} cores" for name, one in servers.items()))
    if output is not None:
        output.write_text(json.dumps(document(rows, both, servers, at), indent=1, ensure_ascii=False) + "\n")
    if any(row.ratio < row.load.ratio for row in rows):
        sys.exit(MISSED)


def _turns(load: Load, ours: Candidate, other: Candidate, rounds: int, arguments: tuple[str, ...]) -> Row:
    summaries: dict[str, list[Mapping[str, Any]]] = {ours.name: [], other.name: []}
    for turn in range(rounds):
        for one in (ours, other):
            click.echo(f"{load.title}: {one.name}, {turn + 1} of {rounds}", err=True)
            summaries[one.name].append(_measure(load, one, arguments))
    return Row(load, figures(summaries[ours.name]), figures(summaries[other.name]), summaries)


def _measure(load: Load, one: Candidate, arguments: tuple[str, ...]) -> Mapping[str, Any]:
    """One load against one server. Raises LoadError when it gives no figures."""
    command = [sys.executable, "-m", "hubbub", "load", "--url", one.url, "--json", "--no-progress"]
    command += ["--settle", f"{SETTLE_S}s"]
    command += ["--api-key", one.api_key, "--api-secret", one.api_secret, "--server-pid", str(one.pid)]
    command += [*load.options, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    try:
        summary = json.loads(ended.stdout)
    except json.JSONDecodeError:
        raise LoadError(f"{one.name}: {ended.stderr.strip() or 'the load ended without figures'}") from None
    assert isinstance(summary, dict)
    if not summary["received"]["packets"] or not summary["server"]["cpu_s"]:
        raise LoadError(f"{one.name} sent nothing: {summary['failures']}")
    return summary


def _describe(one: Candidate) -> dict[str, Any]:
    """What runs there. Raises LoadError for a process that isn't there."""
    folder = Path("/proc") / str(one.pid)
    try:
        command = folder.joinpath("cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        cores = sorted(os.sched_getaffinity(one.pid))
    except OSError:
        raise LoadError(f"there is no process {one.pid} of {one.name} on this machine") from None
    return {"url": one.url, "program": Path(os.fsdecode(command[0])).name, "cores": cores}
