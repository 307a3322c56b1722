"""Two servers side by side: ratios, targets, and what spoils the figures."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from hubbub.cli import hubbub
from hubbub.load.comparison import LOADS, Row, document, figures, table
from hubbub.load.errors import LoadError
from hubbub.load.summary import OwnCost, Rate, Server, Spread, Summary

NAMES = ("ours", "theirs")


def summary(*, packets: int = 100_000, cpu_s: float = 1.0, **changes: Any) -> dict[str, Any]:
    one = Summary(
        url="ws://x",
        interrupted=False,
        planned=201,
        joined=201,
        failures=changes.get("failures", {}),
        join=Spread(201, 0.02, 0.03, 0.2, 0.3),
        first_packet=Spread(400, 0.15, 0.3, 0.35, 0.4),
        streams=changes.get("streams", 400),
        streams_expected=400,
        measured_s=10.0,
        received=Rate(packets, packets / 10, 5_400_000.0),
        sent=Rate(1000, 100.0, 800_000.0),
        retransmissions=0,
        lost=changes.get("lost", 0),
        loss_percent=0.0,
        duplicates=0,
        authenticated=200,
        forged=0,
        tester=OwnCost(changes.get("busy", 20.0), changes.get("drops", 0), 0.01, 0),
        server=Server(cpu_s, 10 * cpu_s, packets / cpu_s, 100 << 20, changes.get("memory", 100 << 10)),
    )
    data = json.loads(json.dumps(one.to_json()))
    assert isinstance(data, dict)
    return data


def row(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> Row:
    return Row(LOADS[0], figures(ours), figures(theirs), {"ours": ours, "theirs": theirs})


def test_rounds_are_summed_and_memory_is_the_first_rounds() -> None:
    rounds = [summary(cpu_s=1.0, memory=1000), summary(cpu_s=3.0, memory=10, lost=1)]
    one = figures(rounds)
    assert one.packets_per_cpu_s == 50_000
    assert one.packets_per_s == 10_000
    assert one.memory_per_participant_bytes == 1000
    assert one.loss_percent == pytest.approx(100 / 200_001)
    assert (one.join_median_s, one.join_p99_s) == (0.02, 0.2)
    assert one.notes == ()


def test_what_spoils_the_figures_is_told() -> None:
    notes = figures([summary(failures={"DTLS timed out": 2}, streams=396, drops=7, busy=95.0)]).notes
    assert notes == (
        "2 × DTLS timed out",
        "396 of 400 streams",
        "7 datagrams dropped by the generator",
        "the generator was the bottleneck",
    )


def test_targets_met_and_missed() -> None:
    good = row([summary(memory=100 << 10)], [summary(cpu_s=4.0, memory=1000 << 10)])
    assert good.ratio == 4.0
    assert good.memory_ratio == pytest.approx(0.1)
    lines = table([good], NAMES).splitlines()
    assert lines[1].split()[-6:] == ["100,000", "25,000", "4.00", "≥", "4", "met"]
    assert lines[2].endswith("met")
    assert "20 (200) ms" in lines[3]
    bad = table([row([summary(memory=101 << 10)], [summary(cpu_s=3.9, memory=1000 << 10)])], NAMES)
    assert [line.split()[-1] for line in bad.splitlines()[1:4]] == ["missed", "missed", "met"]


def test_memory_that_shrank_has_no_ratio() -> None:
    one = row([summary(memory=None)], [summary()])
    assert one.memory_ratio is None
    assert "memory" not in table([one], NAMES)


def test_the_document_has_the_machine_and_every_round() -> None:
    rows = [row([summary(), summary()], [summary(), summary()])]
    data = json.loads(
        json.dumps(document(rows, NAMES, {"ours": {"cores": [0]}}, "2026-01-01T00:00:00+00:00"))
    )
    assert data["machine"]["cores"] >= 1
    assert data["loads"][0]["ratio"] == 1.0
    assert data["loads"][0]["ours"]["packets_per_cpu_s"] == 100_000
    assert len(data["loads"][0]["rounds"]["theirs"]) == 2
    assert data["targets"]["200"] == 4.0


def test_a_process_that_is_not_there_is_told() -> None:
    gone = str(2**22 + 1)  # beyond the largest pid that Linux gives
    both = ("--url", "ws://x", "--server-pid", gone, "--against-url", "ws://y", "--against-pid", gone)
    result = CliRunner().invoke(hubbub, ["compare", *both])
    assert isinstance(result.exception, LoadError)
    assert "no process" in str(result.exception)
