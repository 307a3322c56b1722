from livekit.protocol import models, rtc

from rooms.config import RoomConfig
from sfu.control import DropTrack, ExpectTrack, LayerInfo, LayerStarted, MediaKind, MuteTrack, TrackId
from tests.harness.rooms import House

Reason = rtc.RequestResponse


def test_track_is_promised_at_once_and_visible_when_sdp_brings_it() -> None:
    house = House()
    alice, bob = house.pair()
    alice.add_track("c1", source=models.MICROPHONE, name="mic")
    published = alice.last("track_published")
    assert published.cid == "c1"
    assert published.track.sid.startswith("TR_AM")
    assert bob.kinds() == []
    (expected,) = house.media.of(ExpectTrack)
    assert (expected.spec.kind, expected.spec.cids) == (MediaKind.AUDIO, ("c1",))
    assert expected.spec.measure_level
    alice.offer("c1")
    for guest in (alice, bob):
        (info,) = guest.last("update").participants
        assert [track.sid for track in info.tracks] == [published.track.sid]
        assert info.is_publisher
    assert info.tracks[0].mime_type == "audio/red"
    assert info.tracks[0].mid


def test_refusals_repeat_the_request() -> None:
    house = House()
    alice = house.join("alice", grant={"can_publish_sources": ("microphone",)})
    alice.add_track("c1", source=models.CAMERA, type=models.VIDEO)
    alice.add_track("c2", source=models.MICROPHONE, type=models.DATA)
    alice.add_track("c3", source=models.MICROPHONE, sid="TR_unknown")
    refusals = alice.of("request_response")
    assert [refusal.reason for refusal in refusals] == [
        Reason.NOT_ALLOWED,
        Reason.UNSUPPORTED_TYPE,
        Reason.NOT_FOUND,
    ]
    assert [refusal.add_track.cid for refusal in refusals] == ["c1", "c2", "c3"]
    assert not house.media.of(ExpectTrack)


def test_no_publishing_without_permission() -> None:
    house = House()
    nobody = house.join("nobody", grant={"can_publish": False})
    nobody.add_track("c1", source=models.MICROPHONE)
    assert nobody.last("request_response").reason == Reason.NOT_ALLOWED
    assert not nobody.last("join").fast_publish


def test_a_cid_in_use_is_queued_and_published_afterwards() -> None:
    house = House()
    alice = house.join("alice").connect()
    first = alice.publish("c1")
    alice.add_track("c1", source=models.MICROPHONE, name="second")
    assert alice.last("request_response").reason == Reason.QUEUED
    alice.offer()
    again = alice.last("track_published").track
    assert again.name == "second"
    assert again.sid != first


def test_requests_are_bounded() -> None:
    house = House(RoomConfig(max_pending_tracks=3))
    alice = house.join("alice")
    for number in range(4):
        alice.add_track(f"c{number}", source=models.MICROPHONE)
    assert alice.last("request_response").reason == Reason.LIMIT_EXCEEDED
    assert len(alice.of("track_published")) == 3


def test_queue_of_one_cid_is_bounded() -> None:
    house = House()
    alice = house.join("alice")
    for _ in range(5):
        alice.add_track("c1", source=models.MICROPHONE)
    reasons = [response.reason for response in alice.of("request_response")]
    assert reasons == [Reason.QUEUED] * 3 + [Reason.LIMIT_EXCEEDED]


def test_published_tracks_are_bounded() -> None:
    house = House(RoomConfig(max_tracks=2))
    alice = house.join("alice").connect()
    alice.publish("c1")
    alice.publish("c2")
    alice.add_track("c3", source=models.MICROPHONE)
    assert alice.last("request_response").reason == Reason.LIMIT_EXCEEDED


def test_an_oversized_request_is_refused() -> None:
    house = House()
    alice = house.join("alice")
    alice.add_track("c1", source=models.MICROPHONE, name="n" * 20_000)
    assert alice.last("request_response").reason == Reason.LIMIT_EXCEEDED


def test_mute_stops_forwarding_and_is_told() -> None:
    house = House()
    alice, bob = house.pair()
    track = alice.publish("c1")
    alice.request(mute=rtc.MuteTrackRequest(sid=track, muted=True))
    assert house.media.of(MuteTrack) == [MuteTrack(TrackId(track), True)]
    assert bob.last("update").participants[0].tracks[0].muted
    bob.clear()
    alice.request(mute=rtc.MuteTrackRequest(sid=track, muted=True))
    assert bob.kinds() == []
    alice.request(mute=rtc.MuteTrackRequest(sid=track, muted=False))
    assert not bob.last("update").participants[0].tracks[0].muted


def test_mute_of_an_unknown_or_foreign_track_is_not_found() -> None:
    house = House()
    alice, bob = house.pair()
    track = alice.publish("c1")
    bob.request(mute=rtc.MuteTrackRequest(sid=track, muted=True))
    assert bob.last("request_response").reason == Reason.NOT_FOUND
    assert bob.last("request_response").mute.sid == track
    assert not house.media.of(MuteTrack)


def test_mute_before_the_track_starts_holds_when_it_does() -> None:
    house = House()
    alice = house.join("alice").connect()
    alice.add_track("c1", source=models.MICROPHONE)
    track = alice.last("track_published").track.sid
    alice.request(mute=rtc.MuteTrackRequest(sid=track, muted=True))
    assert not house.media.of(MuteTrack)
    alice.offer("c1")
    assert house.media.of(MuteTrack) == [MuteTrack(TrackId(track), True)]
    assert alice.last("update").participants[0].tracks[0].muted


def test_unpublish_is_seen_as_a_shorter_list() -> None:
    house = House()
    alice, bob = house.pair()
    alice.publish("c1")
    camera = alice.publish("c2", models.CAMERA)
    alice.unpublish("c1")
    (info,) = bob.last("update").participants
    assert [track.sid for track in info.tracks] == [camera]
    alice.unpublish("c2")
    (info,) = bob.last("update").participants
    assert not info.tracks
    assert not info.is_publisher


def test_simulcast_layers_take_rids_and_ssrcs_by_quality() -> None:
    house = House()
    house.media.layers["cam"] = (LayerInfo(0, "q", 0), LayerInfo(1, "h", 0))
    alice = house.join("alice").connect()
    layers = [
        models.VideoLayer(quality=models.HIGH, width=1280, height=720),
        models.VideoLayer(quality=models.LOW, width=320, height=180),
    ]
    track = alice.publish("cam", models.CAMERA, layers=layers)
    info = alice.last("update").participants[0].tracks[0]
    assert [(layer.quality, layer.rid, layer.spatial_layer) for layer in info.layers] == [
        (models.LOW, "q", 0),
        (models.HIGH, "h", 1),
    ]
    assert info.simulcast
    house.event(LayerStarted(TrackId(track), LayerInfo(1, "h", 4711)))
    bob = house.join("bob")
    (seen,) = bob.last("join").other_participants[0].tracks
    assert [layer.ssrc for layer in seen.layers] == [0, 4711]


def test_audio_features_and_dimensions_are_told() -> None:
    house = House()
    alice, bob = house.pair()
    microphone = alice.publish("c1", stereo=True)
    camera = alice.publish("c2", models.CAMERA)
    features = [models.TF_NO_DTX, models.TF_NO_DTX, models.TF_ECHO_CANCELLATION]
    alice.request(update_audio_track=rtc.UpdateLocalAudioTrack(track_sid=microphone, features=features))
    tracks = {track.sid: track for track in bob.last("update").participants[0].tracks}
    assert list(tracks[microphone].audio_features) == [models.TF_NO_DTX, models.TF_ECHO_CANCELLATION]
    assert tracks[microphone].disable_dtx
    assert not tracks[microphone].stereo
    alice.request(update_video_track=rtc.UpdateLocalVideoTrack(track_sid=camera, width=640, height=360))
    tracks = {track.sid: track for track in bob.last("update").participants[0].tracks}
    assert (tracks[camera].width, tracks[camera].height) == (640, 360)
    alice.request(update_audio_track=rtc.UpdateLocalAudioTrack(track_sid="TR_AMunknown"))
    alice.request(update_video_track=rtc.UpdateLocalVideoTrack(track_sid="TR_VCunknown"))
    assert [response.reason for response in alice.of("request_response")] == [Reason.NOT_FOUND] * 2


def test_encryption_is_copied() -> None:
    house = House()
    alice = house.join("alice").connect()
    alice.publish("c1", encryption=models.Encryption.GCM)
    bob = house.join("bob")
    assert bob.last("join").other_participants[0].tracks[0].encryption == models.Encryption.GCM


def test_observer_hears_of_tracks() -> None:
    house = House()
    alice = house.join("alice").connect()
    alice.publish("c1")
    alice.unpublish("c1")
    assert house.observer.heard == [
        ("room_started", "room"),
        ("participant_joined", "alice"),
        ("track_published", "alice"),
        ("track_unpublished", "alice"),
    ]


def test_a_track_that_nobody_knows_is_ignored() -> None:
    house = House()
    house.event(LayerStarted(TrackId("TR_gone"), LayerInfo(0, "", 1)))
    assert not house.media.of(DropTrack)
