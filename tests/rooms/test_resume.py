from dataclasses import replace

import pytest
from livekit.protocol import models, rtc

from rooms.moderation import change_grant
from sfu.control import RestartIce, SetLayers, Subscribe
from tests.harness.rooms import Guest, House, RecordingSink


def leave_of(sink: RecordingSink) -> tuple[int, int]:
    assert sink.kinds() == ["leave"]
    assert sink.closed_with == 1000
    return sink.of("leave")[0].action, sink.of("leave")[0].reason


def test_order_of_the_first_messages() -> None:
    house = House()
    alice, _ = house.pair()
    alice.drop_signal()
    sink = alice.resume()
    assert sink.kinds() == ["reconnect", "update", "room_update", "refresh_token"]
    (update,) = sink.of("update")
    assert {info.identity for info in update.participants} == {"alice", "bob"}
    reconnect = sink.of("reconnect")[0]
    assert reconnect.server_info.version
    assert reconnect.last_message_seq == 0


def test_same_participant_with_rising_version() -> None:
    house = House()
    alice, _ = house.pair()
    before = alice.session.participant.version
    alice.drop_signal()
    sink = alice.resume()
    (me,) = [info for info in sink.of("update")[0].participants if info.identity == "alice"]
    assert me.sid == alice.sid
    assert me.version >= before


def test_dual_pc_gets_an_ice_restart_offer() -> None:
    house = House()
    alice = house.join("alice", v0=True).connect()
    first = alice.last("offer").id
    alice.drop_signal()
    sink = alice.resume()
    assert sink.kinds() == ["reconnect", "update", "room_update", "refresh_token", "offer"]
    assert sink.of("offer")[0].id == first + 1
    assert house.media.of(RestartIce) == [RestartIce(alice.session.legs.subscribing)]


def test_dual_pc_gets_an_offer_again_that_it_missed() -> None:
    house = House()
    alice = house.join("alice").connect()
    bob = house.join("bob", v0=True).connect()
    bob.drop_signal()
    track = alice.publish("c1")
    sink = bob.resume()
    (offer,) = sink.of("offer")
    assert list(offer.mid_to_track_id.values()) == [track]
    assert not house.media.of(RestartIce)
    bob.answer(offer.id)
    assert len(house.media.of(RestartIce)) == 1
    assert sink.of("offer")[-1].id == offer.id + 1


def test_last_sequence_is_told() -> None:
    house = House()
    alice, _ = house.pair()
    for sequence in (1, 2, 7):
        alice.send_data(models.DataPacket(sequence=sequence).SerializeToString())
    alice.drop_signal()
    assert alice.resume().of("reconnect")[0].last_message_seq == 7


def test_the_departed_are_reported() -> None:
    house = House()
    alice, bob = house.pair()
    alice.drop_signal()
    bob.request(leave=rtc.LeaveRequest())
    sink = alice.resume()
    gone, everybody = sink.of("update")
    assert [(info.identity, info.state) for info in gone.participants] == [
        ("bob", models.ParticipantInfo.DISCONNECTED)
    ]
    assert [info.identity for info in everybody.participants] == ["alice"]


def test_the_departed_are_remembered_up_to_a_limit() -> None:
    house = House()
    alice = house.join("alice").connect()
    alice.drop_signal()
    for number in range(1100):
        house.join(f"guest{number}").request(leave=rtc.LeaveRequest())
    gone = alice.resume().of("update")[:-1]
    assert sum(len(update.participants) for update in gone) == 1000


def test_while_the_first_connection_is_still_open() -> None:
    house = House()
    alice = house.join("alice")
    old = alice.sink
    sink = alice.resume()
    assert old.closed_with == 1000
    assert "leave" not in old.kinds()
    assert sink.kinds()[0] == "reconnect"


@pytest.mark.parametrize("v0", [True, False])
def test_unknown_session_starts_anew(v0: bool) -> None:
    house = House()
    stranger = house.join("stranger", v0=v0).connect()
    stranger.request(leave=rtc.LeaveRequest())
    sink = stranger.resume()
    assert leave_of(sink) == (rtc.LeaveRequest.RECONNECT, models.STATE_MISMATCH)
    assert sink.of("leave")[0].can_reconnect


def test_unknown_room_starts_anew() -> None:
    house = House()
    alice = house.join("alice").connect()
    house.service.room("room").close(models.ROOM_CLOSED)
    assert leave_of(alice.resume())[0] == rtc.LeaveRequest.RECONNECT


def test_session_whose_media_never_came_starts_anew() -> None:
    house = House()
    alice = house.join("alice")
    alice.drop_signal()
    assert leave_of(alice.resume())[0] == rtc.LeaveRequest.RECONNECT


def test_other_number_of_peer_connections_starts_anew() -> None:
    house = House()
    alice = house.join("alice").connect()
    alice.drop_signal()
    assert leave_of(alice.resume(single_pc=False))[0] == rtc.LeaveRequest.RECONNECT


def test_a_replaced_session_does_not_take_over_its_successor() -> None:
    house = House()
    old = house.join("alice").connect()
    old.drop_signal()
    new = house.join("alice").connect()
    sink = old.resume()
    assert leave_of(sink) == (rtc.LeaveRequest.DISCONNECT, models.DUPLICATE_IDENTITY)
    assert new.session.signal.connected
    assert not new.of("leave")


def test_clients_that_name_no_sid_are_known_by_identity() -> None:
    house = House()
    alice = house.join("alice").connect()
    alice.drop_signal()
    assert alice.resume(participant_sid="").kinds()[0] == "reconnect"


def test_missed_news_are_made_up_for() -> None:
    house = House()
    alice, bob = house.pair()
    camera = alice.publish("c1", models.CAMERA)
    bob.drop_signal()
    alice.drop_signal()
    track = alice.session.publications.find(camera)
    assert track is not None
    bob.session.subscriptions.disable(camera)
    house.advance(6)
    sink = alice.resume()
    assert not any(
        quality.enabled for quality in sink.of("subscribed_quality_update")[0].subscribed_qualities
    )


def sync(guest: Guest, **fields) -> None:
    guest.request(sync_state=rtc.SyncState(**fields))


def test_sync_state_applies_subscriptions_and_disabled_tracks() -> None:
    house = House()
    alice, bob = house.pair()
    first, second = alice.publish("c1"), alice.publish("c2", models.CAMERA)
    bob.drop_signal()
    bob.resume()
    house.media.commands.clear()
    sync(
        bob,
        subscription=rtc.UpdateSubscription(track_sids=[first], subscribe=False),
        track_sids_disabled=[second],
    )
    assert [(type(command).__name__, command.track_id) for command in house.media.commands] == [
        ("Unsubscribe", first),
        ("SetLayers", second),
    ]
    (layers,) = house.media.of(SetLayers)
    assert not layers.enabled


def test_sync_state_with_known_tracks_changes_nothing() -> None:
    house = House()
    alice, _ = house.pair()
    alice.publish("c1")
    alice.add_track("c2", source=models.CAMERA, type=models.VIDEO)
    alice.drop_signal()
    tracks = [
        rtc.TrackPublishedResponse(cid=message.cid, track=message.track)
        for message in alice.of("track_published")
    ]
    sink = alice.resume()
    house.media.commands.clear()
    sync(alice, publish_tracks=tracks)
    assert house.media.commands == []
    assert not sink.of("leave")


@pytest.mark.parametrize(
    "state",
    [
        {"publish_tracks": [rtc.TrackPublishedResponse(track=models.TrackInfo(sid="TR_unknown"))]},
        {"publish_data_tracks": [rtc.PublishDataTrackResponse(info=models.DataTrackInfo(sid="DTR_unknown"))]},
    ],
)
def test_sync_state_with_unknown_tracks_starts_anew(state: dict) -> None:
    house = House()
    alice, _ = house.pair()
    alice.drop_signal()
    sink = alice.resume()
    sync(alice, **state)
    leave = sink.of("leave")[0]
    assert (leave.action, leave.reason) == (rtc.LeaveRequest.RECONNECT, models.STATE_MISMATCH)


def test_subscriptions_survive() -> None:
    house = House()
    alice, bob = house.pair()
    alice.publish("c1")
    bob.offer()
    house.media.commands.clear()
    bob.drop_signal()
    bob.resume()
    sync(bob)
    assert not house.media.of(Subscribe)
    bob.offer()
    assert bob.last("answer").mid_to_track_id


def test_full_reconnect_replaces_the_session_without_a_flap() -> None:
    house = House()
    alice, bob = house.pair()
    alice.publish("c1")
    bob.clear()
    again = house.join("alice").connect()
    assert alice.last("leave").reason == models.DUPLICATE_IDENTITY
    states = [info.state for update in bob.of("update") for info in update.participants]
    assert models.ParticipantInfo.DISCONNECTED not in states
    assert {info.sid for update in bob.of("update") for info in update.participants} == {again.sid}


def test_full_reconnect_is_a_departure_to_old_clients() -> None:
    house = House()
    house.join("alice").connect()
    old = house.join("old", v0=True, protocol=9).connect()
    house.join("alice")
    states = [(info.state, info.disconnect_reason) for u in old.of("update") for info in u.participants]
    assert (models.ParticipantInfo.DISCONNECTED, models.DUPLICATE_IDENTITY) in states


def test_a_token_that_lost_a_right_loses_it() -> None:
    house = House()
    alice, bob = house.pair()
    track = alice.publish("mic")
    alice.drop_signal()
    claims = alice.request_.claims
    assert claims.video is not None
    less = replace(claims, video=replace(claims.video, can_publish=False))
    sink = alice.resume(claims=less)
    assert not alice.session.participant.permission.can_publish
    assert sink.of("track_unpublished")[0].track_sid == track
    (update, *_) = [u for u in bob.of("update") if u.participants[0].identity == "alice"][-1:]
    assert not update.participants[0].tracks


def test_an_older_token_of_ours_takes_nothing_away() -> None:
    house = House()
    alice = house.join("alice", grant={"can_publish": False}).connect()
    assert alice.request_.claims.video is not None
    change_grant(alice.session, replace(alice.request_.claims.video, can_publish=True))
    alice.drop_signal()
    alice.resume()
    assert alice.session.participant.permission.can_publish


def test_a_token_that_grants_more_gives_nothing() -> None:
    house = House()
    alice = house.join("alice").connect()
    assert alice.request_.claims.video is not None
    change_grant(alice.session, replace(alice.request_.claims.video, can_publish=False))
    alice.drop_signal()
    alice.resume()
    assert not alice.session.participant.permission.can_publish
