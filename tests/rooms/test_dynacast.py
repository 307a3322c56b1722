from livekit.protocol import models, rtc

from tests.harness.rooms import Guest, House

LAYERS = [models.VideoLayer(quality=quality, height=180 * 2**quality) for quality in range(3)]


def told(guest: Guest) -> list[list[bool]]:
    """Low, medium, high of each update since the last look."""
    updates = guest.of("subscribed_quality_update")
    guest.clear()
    return [[quality.enabled for quality in update.subscribed_qualities] for update in updates]


def settings(guest: Guest, track: str, **fields) -> None:
    guest.request(track_setting=rtc.UpdateTrackSettings(track_sids=[track], **fields))


def test_first_subscriber_is_told_at_once() -> None:
    house = House()
    alice, _ = house.pair()
    alice.publish("c1", models.CAMERA, layers=LAYERS)
    update = alice.last("subscribed_quality_update")
    (codec,) = update.subscribed_codecs
    assert codec.codec == "vp8"
    assert codec.qualities == update.subscribed_qualities
    assert [quality.quality for quality in codec.qualities] == [models.LOW, models.MEDIUM, models.HIGH]
    assert told(alice) == [[True, True, True]]


def test_without_subscribers_everything_is_off_after_a_while() -> None:
    house = House()
    alice = house.join("alice").connect()
    alice.publish("c1", models.CAMERA, layers=LAYERS)
    house.advance(9.9)
    assert told(alice) == []
    house.advance(0.2)
    assert told(alice) == [[False, False, False]]
    house.join("bob").connect()
    assert told(alice) == [[True, True, True]]


def test_downgrades_wait_and_upgrades_do_not() -> None:
    house = House()
    alice, bob = house.pair()
    track = alice.publish("c1", models.CAMERA, layers=LAYERS)
    told(alice)
    settings(bob, track, quality=models.LOW)
    house.advance(4.9)
    assert told(alice) == []
    house.advance(0.2)
    assert told(alice) == [[True, False, False]]
    settings(bob, track, quality=models.HIGH)
    assert told(alice) == [[True, True, True]]


def test_a_short_downgrade_is_never_told() -> None:
    house = House()
    alice, bob = house.pair()
    track = alice.publish("c1", models.CAMERA, layers=LAYERS)
    told(alice)
    settings(bob, track, disabled=True)
    house.advance(3)
    settings(bob, track, quality=models.HIGH)
    house.advance(30)
    assert told(alice) == []


def test_most_demanding_subscriber_counts() -> None:
    house = House()
    alice, bob = house.pair()
    carol = house.join("carol").connect()
    track = alice.publish("c1", models.CAMERA, layers=LAYERS)
    settings(bob, track, quality=models.LOW)
    settings(carol, track, quality=models.MEDIUM)
    house.advance(6)
    assert told(alice)[-1] == [True, True, False]
    carol.request(leave=rtc.LeaveRequest())
    house.advance(6)
    assert told(alice)[-1] == [True, False, False]


def test_quality_is_no_higher_than_what_is_published() -> None:
    house = House()
    alice, _ = house.pair()
    alice.publish("c1", models.CAMERA, layers=LAYERS[:2])
    assert told(alice) == [[True, True, False]]


def test_audio_has_none_and_ended_tracks_are_left_alone() -> None:
    house = House()
    alice, _ = house.pair()
    alice.publish("c1")
    alice.publish("c2", models.CAMERA)
    told(alice)
    alice.unpublish("c2")
    house.advance(30)
    assert told(alice) == []
