"""The bench itself works: a small load through a real engine in a process of its own."""

import pytest

from sfu.net import mmsg
from tests.bench.latency import ATTEMPTS, Delays, LeftOutError, Stopwatch, in_real_time
from tests.bench.loads import TWO_PEOPLE, Load, Microphone, Rooms
from tests.bench.measure import Saturation
from tests.bench.profile import profile, table
from tests.bench.scene import Scene
from tests.bench.settings import media_config

pytestmark = pytest.mark.skipif(not mmsg.supported(), reason="there is no sendmmsg")


def test_two_people_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bench.scene.WARM_UP_S", 0.2)
    monkeypatch.setattr("tests.bench.measure.CALIBRATION_S", 0.05)
    with Scene(TWO_PEOPLE, media_config(), lambda text: None) as scene:
        saturation = Saturation(scene)
        result = saturation.run(1, 0.1)
        found, _ = profile(saturation, 0.1, result.slices[0])
        delays = in_real_time(scene, 0.5, 1.0)
    assert result.lost == result.forged == result.holes == result.rejected == 0
    assert result.checked > 0
    assert result.ratio is not None
    assert 0 < result.ratio < 2
    assert sum(found.stages_us.values()) == pytest.approx(found.packet_us)
    assert "| ingress |" in table(found)
    assert delays.lost == 0
    assert 0 < delays.p50_ms <= delays.p99_ms <= delays.max_ms


def test_delays_are_measured_again_when_video_was_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bench.scene.WARM_UP_S", 0.2)
    run, failures = Stopwatch.run, ["1 was left out"]

    def disturbed(self: Stopwatch, among: None) -> Delays:
        if failures:
            raise LeftOutError(failures.pop())
        return run(self, among)

    monkeypatch.setattr(Stopwatch, "run", disturbed)
    said: list[str] = []
    with Scene(TWO_PEOPLE, media_config(), said.append) as scene:
        delays = in_real_time(scene, 0.5, 1.0)
        assert "once more, because 1 was left out" in said
        assert delays.lost == 0
        failures += ["again"] * ATTEMPTS
        with pytest.raises(LeftOutError):
            in_real_time(scene, 0.5, 1.0)


def test_publishers_without_subscribers_are_counted_on_their_way_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bench.scene.WARM_UP_S", 0.2)
    monkeypatch.setattr("tests.bench.measure.CALIBRATION_S", 0.05)
    load = Load("in", "two speakers", (Rooms(1, 2, microphone=Microphone()),))
    assert load.receive_only
    with Scene(load, media_config(), lambda text: None) as scene:
        result = Saturation(scene).run(1, 0.05)
    assert result.lost == 0
    assert result.ratio is None
    assert result.per_core > 0
