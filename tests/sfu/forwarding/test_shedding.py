"""Layers that are left out: whole, without holes in the numbers, and back with a key frame."""

import pytest

from sfu.compiled.relay import LEVEL
from sfu.forwarding.rendition import ALL_TEMPORAL, Rendition
from sfu.forwarding.shedding import Shedder
from sfu.forwarding.uptrack import Layer
from sfu.overload import STEPS, Overload
from tests.harness.forwarding import audio_track, media, video_track

NOW = 50.0


class Scene:
    """A layer with one rendition, before which the shedder stands."""

    def __init__(self, layer: Layer) -> None:
        self.overload = Overload()
        self.shedder = Shedder(self.overload)
        self.layer = layer
        self.rendition: Rendition = layer.rendition(temporal=ALL_TEMPORAL, plain=False)
        self._sequence = 0

    @property
    def decided_at(self) -> int:
        """The level of overload for which compiled loops know what to do."""
        level: int = self.layer.tables.layers.word[self.layer.row, LEVEL]
        return level

    def packet(self, timestamp: int, *, keyframe: bool = False) -> int | None:
        """The next packet comes; its number in the rendition, None when it was left out."""
        self._sequence += 1
        packet = media(timestamp=timestamp, keyframe=keyframe)
        if not self.shedder.idle and self.shedder.takes(self.layer, self._sequence, packet, NOW):
            return None
        taken = self.rendition.take(self._sequence, packet)
        assert taken is not None
        return taken[0]


@pytest.fixture
def camera() -> Scene:
    return Scene(video_track().layers[0])


def test_all_passes_while_all_is_well(camera: Scene) -> None:
    assert camera.shedder.idle
    assert [camera.packet(n) for n in range(3)] == [1, 2, 3]


def test_a_picture_that_has_begun_is_sent_to_its_end(camera: Scene) -> None:
    assert camera.packet(1, keyframe=True) == 1
    camera.overload.level = STEPS
    assert camera.packet(1) == 2
    assert camera.packet(2) is None
    assert camera.packet(2) is None
    assert camera.shedder.packets == 2


def test_it_goes_on_with_a_key_frame_and_without_a_hole(camera: Scene) -> None:
    camera.packet(1, keyframe=True)
    camera.overload.level = STEPS
    assert camera.packet(2, keyframe=True) is None
    assert not camera.layer.keyframes.waiting
    camera.overload.level = 0
    assert camera.packet(3) is None
    assert camera.layer.keyframes.waiting
    assert camera.packet(4, keyframe=True) == 2
    assert camera.packet(4) == 3
    camera.shedder.settle()
    assert camera.shedder.idle


def test_audio_always_passes() -> None:
    voice = Scene(audio_track().layers[0])
    voice.overload.level = STEPS
    assert [voice.packet(960 * n) for n in range(3)] == [1, 2, 3]


def test_a_level_between_leaves_out_some_layers_only() -> None:
    scenes = [Scene(video_track().layers[0]) for _ in range(64)]
    for number, scene in enumerate(scenes):
        scene.layer.spatial = number  # another stream each
        scene.overload.level = STEPS // 2
    left_out = sum(scene.packet(1) is None for scene in scenes)
    assert 0 < left_out < len(scenes)


def test_what_is_decided_holds_for_a_level(camera: Scene) -> None:
    """Compiled loops go by it while the level stays, and ask again when it doesn't."""
    camera.packet(1, keyframe=True)
    assert (camera.decided_at, camera.shedder.idle) == (0, True)
    camera.overload.level = STEPS
    camera.packet(1)
    assert camera.decided_at == 0, "a picture that has begun decides nothing"
    camera.packet(2)
    assert camera.decided_at == STEPS
    camera.overload.level = STEPS - 1
    camera.packet(3)
    assert camera.decided_at == STEPS - 1
    camera.overload.level = 0
    camera.shedder.settle()
    assert not camera.shedder.idle, "it is to come back with a key frame"
    camera.packet(4, keyframe=True)
    camera.shedder.settle()
    assert (camera.decided_at, camera.shedder.idle) == (0, True)


def test_what_was_decided_for_a_level_that_is_over_is_forgotten(camera: Scene) -> None:
    """Also of layers that were not left out, or have sent nothing since."""
    other = Scene(video_track().layers[0])
    camera.layer.decide(3, cut=False)
    camera.shedder._decided.add(camera.layer)
    other.overload.level = STEPS
    assert other.packet(1) is None
    camera.shedder.settle()
    assert (camera.decided_at, camera.shedder.idle) == (0, True)


def test_layers_that_nobody_wants_any_more_are_forgotten(camera: Scene) -> None:
    camera.overload.level = STEPS
    camera.packet(1)
    camera.overload.level = 0
    camera.shedder.settle()
    assert not camera.shedder.idle
    camera.layer.renditions.clear()
    camera.shedder.settle()
    assert camera.shedder.idle
