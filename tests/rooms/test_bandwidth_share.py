"""A participant's share of a connection limits the layers that it gets."""

from livekit.protocol import models, rtc

from sfu.control import SetLayers, Subscribe
from signaling.jsonws.connection import quality_for
from tests.harness.rooms import House


def test_shares_and_what_they_are_good_for() -> None:
    shares = (1.0, 0.5, 0.49, 0.2, 0.19, 0.0)
    expected = [models.HIGH, models.HIGH, models.MEDIUM, models.MEDIUM, models.LOW, models.OFF]
    assert [quality_for(share) for share in shares] == expected


def test_video_is_limited_and_audio_is_not() -> None:
    house = House()
    alice, bob = house.pair()
    layers = [models.VideoLayer(quality=quality) for quality in (models.LOW, models.MEDIUM, models.HIGH)]
    camera = alice.publish("c1", models.CAMERA, layers=layers)
    alice.publish("c2")
    house.media.commands.clear()
    for quality, spatial, enabled in ((models.LOW, 0, True), (models.OFF, 0, False), (models.HIGH, 2, True)):
        bob.session.subscriptions.limit(quality)
        (command,) = house.media.of(SetLayers)
        assert (command.track_id, command.spatial, command.enabled) == (camera, spatial, enabled)
        house.media.commands.clear()


def test_it_holds_for_what_comes_and_for_what_is_asked_later() -> None:
    house = House()
    alice, bob = house.pair()
    bob.session.subscriptions.limit(models.MEDIUM)
    layers = [models.VideoLayer(quality=quality) for quality in (models.LOW, models.MEDIUM, models.HIGH)]
    camera = alice.publish("c1", models.CAMERA, layers=layers)
    assert house.media.of(Subscribe)[-1].spatial == 1
    house.media.commands.clear()
    bob.request(track_setting=rtc.UpdateTrackSettings(track_sids=[camera], quality=models.HIGH))
    assert house.media.of(SetLayers) == []
    bob.request(track_setting=rtc.UpdateTrackSettings(track_sids=[camera], quality=models.LOW))
    assert house.media.of(SetLayers)[-1].spatial == 0
