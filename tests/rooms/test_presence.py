from dataclasses import replace

import pytest
from livekit.protocol import models, rtc

from rooms.administration import Administration, ProfileChange
from rooms.errors import InvalidRequest, NotNow, ParticipantNotFound
from sfu.control import MuteTrack, Speakers, Subscribe, TrackId, Unsubscribe
from tests.harness.rooms import Guest, House


class Scene:
    """Alice and bob in one room, carol in another, which alice is forwarded to."""

    def __init__(self, *, publish: bool = True) -> None:
        self.house = House()
        self.admin = Administration(self.house.service)
        self.alice, self.bob = self.house.pair()
        self.carol = self.house.join("carol", "other").connect()
        self.track = self.alice.publish("a") if publish else ""
        self.carol.clear()
        self.house.media.commands.clear()
        self.admin.forward_participant("room", "alice", "other")
        self.house.pump()

    def shown(self) -> models.ParticipantInfo:
        """What carol was told of alice last."""
        (info,) = self.carol.last("update").participants
        return info


def subscribed(house: House, guest: Guest) -> list[str]:
    legs = guest.session.legs.all()
    return [command.track_id for command in house.media.of(Subscribe) if command.transport_id in legs]


def test_the_other_room_sees_the_person_and_gets_the_tracks() -> None:
    scene = Scene()
    info = scene.shown()
    assert (info.identity, info.state) == ("alice", models.ParticipantInfo.ACTIVE)
    assert info.sid != scene.alice.sid
    assert list(info.kind_details) == [models.ParticipantInfo.FORWARDED]
    assert [track.sid for track in info.tracks] == [scene.track]
    assert subscribed(scene.house, scene.carol) == [scene.track]
    (command,) = scene.house.media.of(Subscribe)
    assert command.stream_id == f"{info.sid}|{scene.track}"
    assert scene.house.observer.heard[-2:] == [("participant_joined", "alice"), ("track_published", "alice")]


def test_its_own_room_notices_nothing() -> None:
    scene = Scene()
    scene.bob.clear()
    scene.admin.forward_participant("room", "alice", "other")
    assert scene.bob.kinds() == []
    assert len(scene.admin.list_participants("other")) == 2


def test_tracks_come_and_go() -> None:
    scene = Scene(publish=False)
    track = scene.alice.publish("a")
    assert [info.sid for info in scene.shown().tracks] == [track]
    assert track in scene.carol.session.subscriptions.active
    scene.alice.request(mute=rtc.MuteTrackRequest(sid=track, muted=True))
    assert scene.shown().tracks[0].muted
    scene.alice.unpublish("a")
    assert not scene.shown().tracks
    assert scene.house.media.of(Unsubscribe)[-1].track_id == track
    assert not scene.house.service.room("other").forwarded


def test_the_profile_goes_along() -> None:
    scene = Scene()
    scene.admin.update_participant("room", "alice", ProfileChange(name="Al", attributes={"a": "b"}))
    info = scene.shown()
    assert (info.name, info.attributes) == ("Al", {"a": "b"})


def test_who_may_subscribe_is_the_publishers_choice_there_too() -> None:
    scene = Scene()
    scene.alice.request(subscription_permission=rtc.SubscriptionPermission(all_participants=False))
    assert not scene.carol.session.subscriptions.active
    scene.alice.request(subscription_permission=rtc.SubscriptionPermission(all_participants=True))
    assert scene.track in scene.carol.session.subscriptions.active


def test_what_is_wanted_there_counts_for_dynacast() -> None:
    scene = Scene(publish=False)
    track = scene.alice.publish("v", models.CAMERA)
    scene.house.media.connect(scene.carol.primary)
    scene.bob.request(track_setting=rtc.UpdateTrackSettings(track_sids=[track], disabled=True))
    low = rtc.UpdateTrackSettings(track_sids=[track], quality=models.LOW)
    scene.carol.request(track_setting=low)
    scene.house.advance(6)
    told = scene.alice.last("subscribed_quality_update").subscribed_qualities
    assert [quality.enabled for quality in told] == [True, False, False]
    scene.admin.remove_participant("other", "alice")
    scene.house.advance(6)
    told = scene.alice.last("subscribed_quality_update").subscribed_qualities
    assert not any(quality.enabled for quality in told)


def test_speaking_is_heard_there() -> None:
    scene = Scene()
    router = scene.house.service.room("room").router_id
    scene.house.event(Speakers(router, {TrackId(scene.track): 0.5}))
    (speaker,) = scene.carol.last("speakers_changed").speakers
    assert (speaker.sid, speaker.level, speaker.active) == (scene.shown().sid, 0.5, True)
    scene.house.event(Speakers(router, {}))
    (speaker,) = scene.carol.last("speakers_changed").speakers
    assert not speaker.active


@pytest.mark.parametrize("end", ["leaves", "removed there", "hides", "moves"])
def test_how_it_ends(end: str) -> None:
    scene = Scene()
    match end:
        case "leaves":
            scene.alice.session.leave(models.CLIENT_INITIATED)
        case "removed there":
            scene.admin.remove_participant("other", "alice")
        case "hides":
            permission = models.ParticipantPermission(hidden=True, can_publish=True)
            scene.admin.update_participant("room", "alice", ProfileChange(permission=permission))
        case "moves":
            scene.admin.move_participant("room", "alice", "third")
    assert scene.shown().state == models.ParticipantInfo.DISCONNECTED
    assert [
        command.track_id
        for command in scene.house.media.of(Unsubscribe)
        if command.transport_id == scene.carol.primary
    ] == [scene.track]
    assert not scene.alice.session.presences
    assert not scene.house.service.room("other").forwarded
    with pytest.raises(ParticipantNotFound):
        scene.admin.participant("other", "alice")
    if end == "removed there":
        assert [info.sid for info in scene.admin.participant("room", "alice").tracks] == [scene.track]
        scene.alice.request(mute=rtc.MuteTrackRequest(sid=scene.track, muted=True))
        assert scene.house.media.of(MuteTrack)


def test_the_end_of_either_room_ends_it() -> None:
    for name in ("room", "other"):
        scene = Scene()
        scene.admin.delete_room(name)
        assert not scene.alice.session.presences
        assert not scene.house.media.of(MuteTrack)


def test_somebody_who_joins_there_takes_the_place() -> None:
    scene = Scene()
    double = scene.house.join("alice", "other").connect()
    assert not scene.alice.session.presences
    assert scene.house.service.room("other").sessions["alice"] is double.session


def test_nobody_resumes_as_it() -> None:
    scene = Scene()
    double = scene.house.join("alice", "third").connect()
    claims = replace(double.request_.claims, video=replace(double.request_.claims.video, room="other"))
    sink = double.resume(claims=claims, participant_sid="")
    assert sink.kinds() == ["leave"]


def test_what_it_is_not_asked_for() -> None:
    scene = Scene()
    for refused in (
        lambda: scene.admin.mute_track("other", "alice", scene.track, True),
        lambda: scene.admin.update_participant("other", "alice", ProfileChange(name="n")),
        lambda: scene.admin.update_subscriptions("other", "alice", rtc.UpdateSubscription()),
        lambda: scene.admin.move_participant("other", "alice", "third"),
        lambda: scene.admin.forward_participant("other", "alice", "third"),
        lambda: scene.admin.start_rpc("other", "alice", "m", "", 1.0, lambda _: None),
    ):
        with pytest.raises(NotNow):
            refused()


def test_who_is_not_forwarded() -> None:
    scene = Scene()
    spy = scene.house.join("spy", grant={"hidden": True}).connect()
    scene.house.join("bob", "other").connect()
    for error, identity, destination in (
        (InvalidRequest, "bob", "room"),
        (NotNow, spy.identity, "other"),
        (NotNow, "bob", "other"),
    ):
        with pytest.raises(error):
            scene.admin.forward_participant("room", identity, destination)
