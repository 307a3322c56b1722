"""Two results are told apart by their ratios, not by how fast the machine was that day."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bench.compare import Change, changes, differences, main
from tests.bench.report import BEGIN, END, inserted, text
from tests.bench.results import complaints, garbage, rounded
from tests.bench.sampler import Pause
from tests.bench.targets import TARGETS, Target


def _load(per_core: int, ratio: float | None) -> dict[str, Any]:
    return {
        "title": "a load",
        "packets_per_core_s": per_core,
        "packet_us": 1e6 / per_core,
        "floor_us": None if ratio is None else ratio * 1e6 / per_core,
        "ratio_to_floor": ratio,
        "media_only_us": 1.0,
        "user_share": 0.5,
        "busy": 0.99,
        "others": 0.0,
        "per_call": 100.0,
        "per_message": 2.0,
        "largest_burst": 50,
        "lost": 0,
        "forged": 0,
        "holes": 0,
        "rejected": 0,
        "dropped": 0,
        "kernel_drops": 0,
        "garbage": garbage([Pause(0, 0.001, 3), Pause(2, 0.02, 0)], 1.0),
        "profile": {"stages_us": {"protect": 0.7, "send": 1.3}, "packet_us": 2.0},
        "delays": None,
    }


def _document(**loads: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": 1,
        "made_at": "2026-01-01T00:00:00+00:00",
        "commit": "0" * 40,
        "changed": False,
        "machine": {
            "cpu": "a CPU",
            "cores": 2,
            "kernel": "6.1",
            "python": "3.11.1",
            "numpy": "2.0",
            "libsrtp": "2.7.0",
            "openssl": "3.5.4",
            "gso": True,
        },
        "options": {"quick": False, "gso": True, "batch": True},
        "loads": loads,
    }


@pytest.fixture
def files(tmp_path: Path) -> Any:
    def write(*documents: dict[str, Any]) -> list[str]:
        paths = []
        for number, document in enumerate(documents):
            path = tmp_path / f"{number}.json"
            path.write_text(json.dumps(document))
            paths.append(str(path))
        return paths

    return write


def test_a_slower_machine_is_no_regression(files: Any) -> None:
    assert main(files(_document(x=_load(300_000, 0.8)), _document(x=_load(150_000, 0.79)))) == 0


def test_a_lower_ratio_is(files: Any, capsys: pytest.CaptureFixture[str]) -> None:
    pair = files(_document(x=_load(300_000, 0.8)), _document(x=_load(300_000, 0.7)))
    assert main(pair) == 1
    assert "WORSE  x.ratio_to_floor" in capsys.readouterr().out
    assert main([*pair, "--tolerance", "0.2"]) == 0


def test_a_load_without_floor_is_judged_by_its_speed_on_the_same_machine(files: Any) -> None:
    slow, fast = _document(x=_load(100_000, None)), _document(x=_load(120_000, None))
    assert main(files(fast, slow)) == 1
    assert main(files(slow, fast)) == 0
    slow["machine"]["cpu"] = "another"
    assert main(files(fast, slow)) == 2


def test_more_memory_is_a_regression(files: Any) -> None:
    old, new = _document(x=_load(1000, 0.5)), _document(x=_load(1000, 0.5))
    old["memory"], new["memory"] = (
        {"idle": 36_000, "subscribed": 60_000},
        {"idle": 36_000, "subscribed": 70_000},
    )
    assert main(files(old, new)) == 1
    assert main(files(new, old)) == 0


def test_what_can_not_be_compared_is_refused(files: Any) -> None:
    assert main(files(_document(x=_load(1000, 0.5)), _document(y=_load(1000, 0.5)))) == 2
    assert main(files({"format": 0}, _document(x=_load(1000, 0.5)))) == 2


def test_other_circumstances_are_named() -> None:
    old, new = _document(), _document()
    new["machine"]["kernel"] = "6.2"
    new["options"]["gso"] = False
    assert differences(old, new) == ["kernel: 6.1 → 6.2", "gso: True → False"]


def test_the_ratio_comes_first() -> None:
    pair = _document(x=_load(300_000, 0.8)), _document(x=_load(330_000, 0.8))
    names = [(change.name, change.judged) for change in changes(*pair)]
    assert names == [("x.ratio_to_floor", True), ("x.packets_per_core_s", False), ("x.lost", True)]


@pytest.mark.parametrize(
    ("old", "new", "better_up", "gain"),
    [(100, 110, True, 0.1), (110, 100, False, 0.1), (0, 0, True, 0), (0, 5, False, -1), (5, 0, True, -1)],
)
def test_gain(old: float, new: float, better_up: bool, gain: float) -> None:
    assert Change("", old, new, better_up, True).gain == pytest.approx(gain)


def test_the_report_says_what_is_reached_and_what_is_not() -> None:
    document = _document(**{"video-50": _load(310_000, 0.7)})
    found = text(document)
    assert "310,000/s | ≥ 300,000/s | ✓" in found
    assert "70% |       ≥ 80% | ✗" in found
    assert "| – |" in found, "what was not measured has no mark"


def test_the_report_puts_stages_side_by_side() -> None:
    before, after = _document(x=_load(1000, 0.5)), _document(x=_load(1000, 0.5))
    before["loads"]["x"]["profile"] = {"stages_us": {"protect": 0.9, "expand": 0.5}, "packet_us": 3.0}
    found = text(after, before)
    assert "0.90 → 0.70" in found
    assert "0.50 → 0.00" in found
    assert "3.00 → 2.00" in found


def test_tables_go_where_the_page_wants_them() -> None:
    page = f"above\n{BEGIN}\nold\n{END}\nbelow\n"
    once = inserted(page, "| new |")
    assert once == f"above\n{BEGIN}\n\n| new |\n\n{END}\nbelow\n"
    assert inserted(once, "| new |") == once
    with pytest.raises(ValueError, match="has no"):
        inserted("nothing", "")


def test_doubtful_figures_are_named() -> None:
    load = _load(1000, 0.5) | {"lost": 3, "others": 0.2, "note": "no delays"}
    assert complaints(_document(x=load)) == [
        "a load: 3 packets were lost",
        "a load: no delays",
        "a load: others took 20% of the engine's core",
    ]


def test_a_target_is_met_from_its_goal_on() -> None:
    target = Target("", "a.b", 10, at_most=True)
    assert target.met({"a": {"b": 10}}) is True
    assert target.met({"a": {"b": 10.1}}) is False
    assert target.met({"a": {}}) is None
    assert target.met({"a": {"b": None}}) is None


def test_who_loses_packets_has_reached_nothing() -> None:
    target = Target("", "broadcast.engine", 2, at_most=True)
    assert target.met({"broadcast": {"engine": 1.0, "lost": 0}}) is True
    assert target.met({"broadcast": {"engine": 1.0, "lost": 3}}) is False
    nested = Target("", "loads.x.delays.p99_ms", 5, at_most=True)
    assert nested.met({"loads": {"x": {"lost": 0, "delays": {"p99_ms": 1, "lost": 0}}}}) is True
    assert nested.met({"loads": {"x": {"lost": 2, "delays": {"p99_ms": 1, "lost": 0}}}}) is False


def test_loss_is_a_regression(files: Any) -> None:
    lossy = _load(400_000, 0.9) | {"lost": 1}
    assert main(files(_document(x=_load(300_000, 0.8)), _document(x=lossy))) == 1


def test_targets_are_about_loads_that_exist() -> None:
    from tests.bench.loads import LOADS

    names = {target.path.split(".")[1] for target in TARGETS if target.path.startswith("loads.")}
    assert names <= {load.name for load in LOADS}


def test_garbage_is_summed_up() -> None:
    found = garbage([Pause(0, 0.001, 3), Pause(2, 0.02, 1)], 2.0)
    assert found["collections"] == [1, 0, 1]
    assert found["longest_ms"] == pytest.approx(20)
    assert found["share"] == pytest.approx(0.0105)


def test_figures_have_as_many_digits_as_they_deserve() -> None:
    assert rounded({"a": 1.23456, "b": [123456.7, 3], "c": None}) == {
        "a": 1.235,
        "b": [123500.0, 3],
        "c": None,
    }
