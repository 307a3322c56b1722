import math

import pytest
from livekit.protocol import agent

from rooms.agents.config import AgentsConfig
from rooms.agents.errors import WorkerRefused
from rooms.agents.job import Job
from rooms.agents.registration import Registration
from rooms.agents.worker import Worker
from tests.harness.agents import RecordingWorkerSink


def worker(**config: float) -> Worker:
    registration = Registration.read(agent.RegisterWorkerRequest())
    return Worker("AW_1", registration, "devkey", RecordingWorkerSink(), AgentsConfig(**config))  # type: ignore[arg-type]


def job(name: str = "AJ_1") -> Job:
    return Job(name, "room", worker().registration.key)


@pytest.mark.parametrize(
    ("said", "believed"),
    [(0.3, 0.3), (0.0, 0.0), (-5.0, 0.0), (7.0, 1.0), (math.nan, 1.0), (math.inf, 1.0), (-math.inf, 1.0)],
)
def test_loads_that_make_no_sense_win_nothing(said: float, believed: float) -> None:
    one = worker()
    one.update(agent.UpdateWorkerStatus(load=said))
    assert one.load == pytest.approx(believed)
    assert one.available


def test_full_and_draining_workers_are_not_available() -> None:
    one = worker()
    one.update(agent.UpdateWorkerStatus(status=agent.WS_FULL))
    assert not one.available
    one.update(agent.UpdateWorkerStatus(load=0.1))
    assert not one.available, "a status that isn't said stays"
    one.update(agent.UpdateWorkerStatus(status=agent.WS_AVAILABLE))
    assert one.available
    one.update(agent.UpdateWorkerStatus(status=agent.WS_AVAILABLE, draining=True))
    assert not one.available


def test_a_status_that_was_overtaken_is_skipped() -> None:
    one = worker()
    one.update(agent.UpdateWorkerStatus(load=0.5, seq=2))
    one.update(agent.UpdateWorkerStatus(load=0.1, seq=1))
    assert one.load == pytest.approx(0.5)


def test_offers_and_jobs_are_limited() -> None:
    one = worker(max_offers=1, max_jobs=2)
    one.ask(job())
    assert not one.available
    assert one.answer("AJ_1") is not None
    assert one.available
    one.jobs = {name: job(name) for name in ("AJ_1", "AJ_2")}
    assert not one.available


def test_answers_for_jobs_that_were_never_its_own_end_it() -> None:
    one = worker(max_stray_answers=2)
    assert one.answer("AJ_x") is None
    assert one.job("AJ_x") is None
    with pytest.raises(WorkerRefused, match="not its own"):
        one.answer("AJ_y")


def test_late_words_about_its_own_jobs_are_no_fault() -> None:
    one = worker(max_stray_answers=0)
    asked = job()
    one.ask(asked)
    one.miss(asked)
    assert one.answer("AJ_1") is None
    assert one.unanswered == 1
    one.jobs["AJ_2"] = job("AJ_2")
    one.release(one.jobs["AJ_2"])
    assert one.job("AJ_2") is None
