from livekit.protocol import models, rtc

from sfu.control import SetLayers, Subscribe, SubscriptionRefused, TrackId, TransportId, Unsubscribe
from tests.harness.rooms import Guest, House


def subscribe(guest: Guest, *tracks: str, wanted: bool = True) -> None:
    guest.request(subscription=rtc.UpdateSubscription(track_sids=tracks, subscribe=wanted))


def test_new_track_is_subscribed_after_its_update() -> None:
    house = House()
    alice, bob = house.pair()
    track = alice.publish("c1")
    assert bob.kinds() == ["update", "media_sections_requirement"]
    (command,) = house.media.of(Subscribe)
    assert command.transport_id == bob.primary
    assert command.stream_id == f"{alice.sid}|{track}"
    bob.offer()
    assert bob.last("answer").mid_to_track_id == {"0": track}
    assert alice.last("track_subscribed").track_sid == track


def test_publisher_is_told_of_its_first_subscriber_once() -> None:
    house = House()
    alice, bob = house.pair()
    carol = house.join("carol").connect()
    alice.publish("c1")
    bob.offer()
    carol.offer()
    assert len(alice.of("track_subscribed")) == 1


def test_manual_subscription() -> None:
    house = House()
    alice = house.join("alice").connect()
    track = alice.publish("c1")
    bob = house.join("bob", auto_subscribe=False).connect()
    assert not house.media.of(Subscribe)
    # As the Python SDK sends it: the same track in both lists.
    both = rtc.UpdateSubscription(
        track_sids=[track],
        subscribe=True,
        participant_tracks=[models.ParticipantTracks(participant_sid=alice.sid, track_sids=[track])],
    )
    bob.request(subscription=both)
    assert len(house.media.of(Subscribe)) == 1
    subscribe(bob, track, wanted=False)
    assert house.media.of(Unsubscribe) == [Unsubscribe(TransportId(bob.primary), TrackId(track))]


def test_tracks_named_only_by_participant_count_too() -> None:
    house = House()
    alice = house.join("alice").connect()
    track = alice.publish("c1")
    bob = house.join("bob", auto_subscribe=False).connect()
    group = models.ParticipantTracks(participant_sid=alice.sid, track_sids=[track])
    bob.request(subscription=rtc.UpdateSubscription(participant_tracks=[group], subscribe=True))
    assert len(house.media.of(Subscribe)) == 1


def test_unsubscribing_by_hand_survives_new_tracks() -> None:
    house = House()
    alice, bob = house.pair()
    first = alice.publish("c1")
    subscribe(bob, first, wanted=False)
    second = alice.publish("c2", models.CAMERA)
    assert [command.track_id for command in house.media.of(Subscribe)] == [first, second]
    subscribe(bob, first)
    assert [command.track_id for command in house.media.of(Subscribe)] == [first, second, first]


def test_track_may_be_asked_for_before_it_exists() -> None:
    house = House()
    alice = house.join("alice").connect()
    bob = house.join("bob", auto_subscribe=False).connect()
    alice.add_track("c1", source=models.MICROPHONE)
    track = alice.last("track_published").track.sid
    subscribe(bob, track)
    house.advance(59)
    assert not bob.of("subscription_response")
    alice.offer("c1")
    assert [command.track_id for command in house.media.of(Subscribe)] == [track]
    house.advance(10)
    assert not bob.of("subscription_response")


def test_unknown_track_is_not_found_after_a_minute() -> None:
    house = House()
    bob = house.join("bob").connect()
    subscribe(bob, "TR_AMunknown")
    house.advance(59.9)
    assert not bob.of("subscription_response")
    house.advance(0.2)
    response = bob.last("subscription_response")
    assert (response.track_sid, response.err) == ("TR_AMunknown", models.SE_TRACK_NOTFOUND)


def test_taking_back_an_unknown_wish_takes_back_the_error() -> None:
    house = House()
    bob = house.join("bob").connect()
    subscribe(bob, "TR_AMunknown")
    subscribe(bob, "TR_AMunknown", wanted=False)
    house.advance(100)
    assert not bob.of("subscription_response")


def test_unknown_wishes_are_bounded() -> None:
    house = House()
    bob = house.join("bob").connect()
    subscribe(bob, *(f"TR_{number}" for number in range(1100)))
    assert len(bob.of("subscription_response")) == 100


def test_nobody_subscribes_to_themselves_or_without_permission() -> None:
    house = House()
    alice = house.join("alice").connect()
    track = alice.publish("c1")
    subscribe(alice, track)
    deaf = house.join("deaf", grant={"can_subscribe": False}).connect()
    subscribe(deaf, track)
    assert not house.media.of(Subscribe)


def test_client_without_the_codec_is_told_and_left_alone() -> None:
    house = House()
    alice, bob = house.pair()
    track = alice.publish("c1", models.CAMERA)
    house.event(SubscriptionRefused(TransportId(bob.primary), TrackId(track)))
    response = bob.last("subscription_response")
    assert (response.track_sid, response.err) == (track, models.SE_CODEC_UNSUPPORTED)
    house.media.commands.clear()
    alice.request(mute=rtc.MuteTrackRequest(sid=track, muted=True))
    bob.request(sync_state=rtc.SyncState())
    assert not house.media.of(Subscribe)
    subscribe(bob, track)
    assert len(house.media.of(Subscribe)) == 1


def test_settings_choose_the_layer() -> None:
    house = House()
    alice, bob = house.pair()
    layers = [
        models.VideoLayer(quality=quality, width=width, height=height)
        for quality, width, height in ((0, 320, 180), (1, 640, 360), (2, 1280, 720))
    ]
    track = alice.publish("c1", models.CAMERA, layers=layers, width=1280, height=720)
    leg = TransportId(bob.primary)

    def settings(**fields) -> SetLayers | None:
        house.media.commands.clear()
        bob.request(track_setting=rtc.UpdateTrackSettings(track_sids=[track], **fields))
        commands = house.media.of(SetLayers)
        return commands[0] if commands else None

    assert settings(quality=models.HIGH) is None
    assert settings(quality=models.LOW) == SetLayers(leg, TrackId(track), True, 0, 3)
    assert settings(width=640, height=360) == SetLayers(leg, TrackId(track), True, 1, 3)
    assert settings(width=640, height=360, fps=15) == SetLayers(leg, TrackId(track), True, 1, 1)
    disabled = settings(disabled=True)
    assert disabled is not None
    assert not disabled.enabled


def test_settings_before_the_subscription_are_kept() -> None:
    house = House()
    alice = house.join("alice").connect()
    bob = house.join("bob", auto_subscribe=False).connect()
    track = alice.publish("c1", models.CAMERA)
    bob.request(track_setting=rtc.UpdateTrackSettings(track_sids=[track], disabled=True))
    subscribe(bob, track)
    (command,) = house.media.of(Subscribe)
    assert not command.enabled


def test_adaptive_stream_begins_small() -> None:
    house = House()
    alice = house.join("alice").connect()
    house.join("bob", adaptive_stream=True).connect()
    layers = [models.VideoLayer(quality=quality, height=90 * 2**quality) for quality in range(3)]
    alice.publish("c1", models.CAMERA, layers=layers)
    (command,) = house.media.of(Subscribe)
    assert (command.enabled, command.spatial) == (True, 0)


def permit(guest: Guest, **fields) -> None:
    guest.request(subscription_permission=rtc.SubscriptionPermission(**fields))


def test_publisher_narrows_and_widens_who_may_subscribe() -> None:
    house = House()
    alice, bob = house.pair()
    carol = house.join("carol").connect()
    track = alice.publish("c1")
    carol.clear()
    bob.clear()
    entry = rtc.TrackPermission(participant_identity="bob", track_sids=[track])
    permit(alice, track_permissions=[entry])
    assert house.media.of(Unsubscribe) == [Unsubscribe(TransportId(carol.primary), TrackId(track))]
    update = carol.last("subscription_permission_update")
    assert (update.participant_sid, update.track_sid, update.allowed) == (alice.sid, track, False)
    assert not bob.of("subscription_permission_update")
    house.media.commands.clear()
    permit(alice, all_participants=True)
    assert [command.transport_id for command in house.media.of(Subscribe)] == [carol.primary]
    assert carol.last("subscription_permission_update").allowed


def test_permission_by_participant_sid_and_for_all_tracks() -> None:
    house = House()
    alice, bob = house.pair()
    permit(alice, track_permissions=[rtc.TrackPermission(participant_sid=bob.sid, all_tracks=True)])
    alice.publish("c1")
    assert len(house.media.of(Subscribe)) == 1


def test_recorder_is_exempt_from_subscription_permission() -> None:
    house = House()
    alice = house.join("alice").connect()
    recorder = house.join("recorder", grant={"recorder": True}).connect()
    permit(alice)
    alice.publish("c1")
    assert [command.transport_id for command in house.media.of(Subscribe)] == [recorder.primary]


def test_newcomer_without_permission_is_told_after_its_join() -> None:
    house = House()
    alice = house.join("alice").connect()
    alice.publish("c1")
    permit(alice)
    bob = house.join("bob")
    kinds = bob.kinds()
    assert kinds[0] == "join"
    assert "subscription_permission_update" in kinds
    assert not house.media.of(Subscribe)


def test_tracks_of_the_departed_are_unsubscribed() -> None:
    house = House()
    alice, bob = house.pair()
    track = alice.publish("c1")
    bob.offer()
    alice.request(leave=rtc.LeaveRequest())
    assert house.media.of(Unsubscribe) == [Unsubscribe(TransportId(bob.primary), TrackId(track))]
    bob.offer()
    assert bob.last("answer").mid_to_track_id == {}


def test_dual_pc_may_subscribe_late_when_allowed_late() -> None:
    house = House()
    alice = house.join("alice").connect()
    old = house.join("old", v0=True, protocol=2).connect()
    track = alice.publish("c1")
    (command,) = house.media.of(Subscribe)
    assert command.transport_id == old.session.legs.subscribing
    assert old.last("offer").mid_to_track_id in ({}, {"0": track})
    assert old.session.legs.primary == old.session.legs.publishing
