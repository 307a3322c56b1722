"""The invariants of a forwarded stream (media-plane 5.23, 1 to 5) under scripts made up by hypothesis."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.testing.netem import Conditions
from sfu import control
from sfu.control import TrackId
from tests.harness.invariants import check_all, check_numbers, check_switches, check_timestamps, flow
from tests.harness.lab import Lab
from tests.harness.rtp_source import simulcast

layers = st.tuples(st.just("layers"), st.integers(0, 2), st.integers(0, 3))
mute = st.tuples(st.just("mute"), st.booleans())
look = st.tuples(st.just("look"), st.booleans())
pause = st.tuples(st.just("pause"), st.integers(0, 2))
resume = st.tuples(st.just("resume"), st.integers(0, 2))
keyframe = st.tuples(st.just("keyframe"), st.integers(0, 2))
steps = st.lists(
    st.tuples(st.one_of(layers, layers, mute, look, pause, resume, keyframe), st.floats(0.02, 0.8)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40)
@given(steps, st.integers(0, 1000))
async def test_on_a_clean_network(script: list, seed: int) -> None:
    lab = Lab(seed)
    try:
        alice, viewer = _play(lab, script, Conditions(latency_s=0.02), seed)
        check_all(alice, viewer, filtered=True)
    finally:
        lab.close()


@settings(max_examples=25)
@given(steps, st.integers(0, 1000))
async def test_on_a_lossy_and_shuffling_one(script: list, seed: int) -> None:
    lab = Lab(seed)
    try:
        network = Conditions(latency_s=0.02, loss=0.05, reorder=0.05, duplicate=0.02)
        alice, viewer = _play(lab, script, network, seed)
        found = flow(alice, viewer)
        check_numbers(found, filtered=True, lossy=True)
        check_timestamps(found)
        check_switches(found)
        assert not viewer.duplicates
    finally:
        lab.close()


def _play(lab: Lab, script: list, network: Conditions, seed: int):
    alice, bob = lab.join("alice", up=network), lab.join("bob")
    source = simulcast(seed=seed)
    for layer in source.layers:
        layer.bitrate_bps /= 4
    alice.publish("TR_camera", source)
    alice.negotiate()
    bob.watch("TR_camera")
    viewer = bob.viewer("TR_camera")
    viewer.asks = False
    lab.run(1)
    for (what, *arguments), wait_s in script:
        match what:
            case "layers":
                bob.peer.set_layers("TR_camera", spatial=arguments[0], temporal=arguments[1])
            case "look":
                bob.peer.set_layers("TR_camera", spatial=2, enabled=arguments[0])
            case "mute":
                lab.engine.execute(control.MuteTrack(TrackId("TR_camera"), arguments[0]))
            case "pause":
                source.layers[arguments[0]].pause()
            case "resume":
                source.layers[arguments[0]].resume(alice.media_time(lab.now))
            case "keyframe":
                source.layers[arguments[0]].keyframe()
        lab.run(wait_s)
    alice.up.change(Conditions(latency_s=0.02), lab.now)
    lab.run(0.3)
    return alice, viewer
