"""The report, and whether all went well."""

import json
from collections import Counter
from dataclasses import replace

from hubbub.load.progress import render
from hubbub.load.summary import OwnCost, Rate, Server, Spread, Summary, spread, text

GOOD = Summary(
    url="ws://x",
    interrupted=False,
    planned=3,
    joined=3,
    failures={},
    join=Spread(3, 0.0251, 0.1, 0.15, 0.2),
    first_packet=Spread(4, 0.15, 0.3, 0.35, 0.4),
    streams=4,
    streams_expected=4,
    measured_s=10.0,
    received=Rate(12_345, 1234.5, 5_400_000.0),
    sent=Rate(1000, 100.0, 800_000.0),
    retransmissions=0,
    lost=3,
    loss_percent=0.0243,
    duplicates=0,
    authenticated=200,
    forged=0,
    tester=OwnCost(12.0, 0, 0.01, 0),
    server=Server(2.0, 20.0, 6172.5, 100 << 20, 1 << 20),
)


def test_spread_is_median_and_nearest_rank() -> None:
    assert spread([]) == Spread(0, 0.0, 0.0, 0.0, 0.0)
    assert spread([3.0]) == Spread(1, 3.0, 3.0, 3.0, 3.0)
    assert spread([4.0, 1.0, 2.0, 3.0]) == Spread(4, 2.5, 4.0, 4.0, 4.0)
    assert spread([float(n) for n in range(1, 101)]) == Spread(100, 50.5, 95.0, 99.0, 100.0)


def test_all_is_well_only_if_everybody_joined_and_got_authentic_media() -> None:
    assert GOOD.ok
    assert not replace(GOOD, failures={"gone": 1}).ok
    assert not replace(GOOD, streams=3).ok
    assert not replace(GOOD, forged=1).ok
    assert replace(GOOD, streams=5).ok


def test_the_text_has_the_figures() -> None:
    report = text(GOOD)
    assert "3 of 3 joined" in report
    assert "median 25 ms, p95 100 ms, p99 150 ms" in report
    assert "1,234 packets/s, 5.4 Mbit/s (12,345 packets)" in report
    assert "0.024 % (3 packets)" in report
    assert "20 % of a core, 6,172 packets out per CPU-second" in report
    assert "100.0 MiB, 1,024 KiB per participant" in report
    assert "Interrupted" not in report
    assert "bottleneck" not in report


def test_the_text_says_what_is_wrong() -> None:
    bad = replace(
        GOOD,
        interrupted=True,
        failures={"DTLS timed out": 2},
        duplicates=1,
        retransmissions=5,
        tester=OwnCost(99.0, 7, 0.5, 3),
        server=None,
    )
    report = text(bad)
    assert report.startswith("Interrupted")
    assert "2 × DTLS timed out" in report
    assert "5 retransmitted, 1 duplicates" in report
    assert "7 datagrams dropped here" in report
    assert "3 frames not sent in time" in report
    assert "bottleneck" in report
    assert "server" not in report.replace("not by the server", "")


def test_json_round_trips() -> None:
    data = json.loads(json.dumps(GOOD.to_json()))
    assert data["ok"] is True
    assert data["join"] == {"measured": 3, "median_s": 0.0251, "p95_s": 0.1, "p99_s": 0.15, "max_s": 0.2}
    assert data["server"]["packets_out_per_cpu_s"] == 6172.5
    bad = replace(GOOD, server=None, failures=Counter(("gone", "gone")))
    data = json.loads(json.dumps(bad.to_json()))
    assert data["server"] is None
    assert data["failures"] == {"gone": 2}


def test_the_progress_bar_stays_in_its_bounds() -> None:
    assert render("joining", 1, 2, "1 of 2") == "joining   [###############...............] 1 of 2"
    assert render("x", 9, 2, "").count("#") == 30
    assert render("x", 0, 0, "").count("#") == 30
    assert render("x", -1, 2, "").count("#") == 0
