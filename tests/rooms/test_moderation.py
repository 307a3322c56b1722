from dataclasses import replace

from livekit.protocol import models, rtc

from auth.grants import VideoGrant
from rooms import moderation
from sfu.control import DropTrack, MuteTrack, Subscribe, TrackId, Unsubscribe
from tests.harness.rooms import Guest, House


def grant(guest: Guest, **changes) -> None:
    old: VideoGrant = guest.session.participant.grant
    moderation.change_grant(guest.session, replace(old, **changes))
    guest.house.pump()


def test_losing_a_source_ends_its_tracks() -> None:
    house = House()
    alice, bob = house.pair()
    microphone = alice.publish("c1")
    camera = alice.publish("c2", models.CAMERA)
    alice.clear()
    grant(alice, can_publish_sources=("microphone",))
    assert [kind for kind in alice.kinds() if kind != "subscribed_quality_update"] == [
        "update",
        "track_unpublished",
        "update",
        "refresh_token",
    ]
    assert alice.last("track_unpublished").track_sid == camera
    (info,) = bob.last("update").participants
    assert [track.sid for track in info.tracks] == [microphone]
    assert list(info.permission.can_publish_sources) == [models.MICROPHONE]
    assert house.media.of(DropTrack)[0].track_id == camera
    assert house.media.of(Unsubscribe)[0].track_id == camera
    assert house.minter.claims[-1].video.can_publish_sources == ("microphone",)


def test_losing_all_publishing_drops_what_is_only_promised_too() -> None:
    house = House()
    alice, _ = house.pair()
    alice.add_track("c1", source=models.MICROPHONE)
    grant(alice, can_publish=False)
    assert len(alice.of("track_unpublished")) == 1
    alice.offer("c1")
    assert not alice.session.publications.published


def test_publishing_again_after_a_ban() -> None:
    house = House()
    alice, bob = house.pair()
    alice.publish("c1")
    grant(alice, can_publish=False)
    grant(alice, can_publish=True)
    track = alice.publish("c1")
    assert [info.sid for info in bob.last("update").participants[0].tracks] == [track]


def test_can_subscribe_lost_and_regained() -> None:
    house = House()
    alice, bob = house.pair()
    track = alice.publish("c1")
    house.media.commands.clear()
    grant(bob, can_subscribe=False)
    assert [command.track_id for command in house.media.of(Unsubscribe)] == [track]
    grant(bob, can_subscribe=True)
    assert [command.track_id for command in house.media.of(Subscribe)] == [track]


def test_can_publish_data_lost() -> None:
    house = House()
    alice, bob = house.pair()
    alice.request(publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=1, name="dt"))
    grant(alice, can_publish_data=False)
    assert not bob.last("update").participants[0].data_tracks
    house.media.commands.clear()
    alice.send_data(models.DataPacket().SerializeToString())
    assert house.media.commands == []


def test_hiding_is_leaving_and_coming_back_is_joining() -> None:
    house = House()
    alice, bob = house.pair()
    track = alice.publish("c1")
    bob.clear()
    grant(alice, hidden=True)
    (gone,) = bob.last("update").participants
    assert (gone.sid, gone.state) == (alice.sid, models.ParticipantInfo.DISCONNECTED)
    assert house.media.of(Unsubscribe)[0].track_id == track
    assert alice.last("update").participants[0].permission.hidden
    grant(alice, hidden=False)
    (back,) = bob.last("update").participants
    assert (back.sid, back.state) == (alice.sid, models.ParticipantInfo.ACTIVE)
    assert back.version > gone.version
    assert len(house.media.of(Subscribe)) == 2


def test_becoming_a_recorder_is_told() -> None:
    house = House()
    alice, bob = house.pair()
    grant(alice, recorder=True)
    assert bob.of("room_update")[0].room.active_recording


def test_mute_by_the_server() -> None:
    house = House()
    alice, bob = house.pair()
    track = alice.publish("c1")
    info = moderation.mute_track(alice.session, track, True)
    assert info is not None
    assert info.muted
    assert alice.last("mute") == rtc.MuteTrackRequest(sid=track, muted=True)
    assert house.media.of(MuteTrack) == [MuteTrack(TrackId(track), True)]
    assert bob.last("update").participants[0].tracks[0].muted
    alice.clear()
    assert moderation.mute_track(alice.session, "TR_unknown", True) is None
    assert alice.kinds() == []


def test_removal() -> None:
    house = House()
    alice, bob = house.pair()
    moderation.remove(alice.session)
    assert alice.last("leave").reason == models.PARTICIPANT_REMOVED
    assert bob.last("update").participants[0].disconnect_reason == models.PARTICIPANT_REMOVED
