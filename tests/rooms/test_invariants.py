"""Random calls: whatever people do, and in whatever order, certain things hold."""

import gc
import weakref
from typing import Any

from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.protocol import models, rtc

from sfu.control import Quality, ReceiverOverflow, Subscribe, TransportFailed, TransportId, Unsubscribe
from tests.harness.media_plane import publishing
from tests.harness.rooms import Guest, House, RecordingSink

NAMES = ["a", "b", "c"]
CIDS = ["c1", "c2"]

actions = st.one_of(
    st.tuples(st.just("join"), st.booleans(), st.booleans(), st.booleans()),
    st.tuples(st.just("connect")),
    st.tuples(st.just("add_track"), st.sampled_from(CIDS), st.sampled_from([1, 2])),
    st.tuples(st.just("offer"), st.lists(st.sampled_from(CIDS), unique=True)),
    st.tuples(st.just("answer")),
    st.tuples(st.just("subscription"), st.booleans(), st.integers(0, 5)),
    st.tuples(st.just("settings"), st.booleans(), st.integers(0, 3), st.integers(0, 5)),
    st.tuples(st.just("permission"), st.booleans()),
    st.tuples(st.just("mute"), st.booleans(), st.integers(0, 5)),
    st.tuples(st.just("data_track"), st.integers(0, 2)),
    st.tuples(st.just("no_data_track"), st.integers(0, 2)),
    st.tuples(
        st.just("data"), st.binary(max_size=8), st.sampled_from(["_reliable", "_lossy", "_data_track"])
    ),
    st.tuples(st.just("drop_signal")),
    st.tuples(st.just("resume")),
    st.tuples(st.just("fail")),
    st.tuples(st.just("overflow")),
    st.tuples(st.just("leave")),
    st.tuples(st.just("simulate"), st.integers(1, 9)),
    st.tuples(st.just("wait"), st.floats(0.0, 40.0)),
)


class Call:
    """Guests by name, and every sink that there was."""

    def __init__(self) -> None:
        self.house = House()
        self.guests: dict[str, Guest] = {}
        self.sinks: list[RecordingSink] = []
        self.tracks: list[str] = ["TR_unknown"]

    def do(self, name: str, action: tuple[Any, ...]) -> None:
        what, *rest = action
        if what == "wait":
            self.house.advance(rest[0])
        elif what == "join":
            self._join(name, *rest)
        elif name in self.guests:
            getattr(self, "_" + what)(self.guests[name], *rest)
        self.house.pump()

    def _track(self, index: int) -> str:
        return self.tracks[index % len(self.tracks)]

    def _join(self, name: str, v0: bool, hidden: bool, auto: bool) -> None:
        guest = self.house.join(
            name, v0=v0, grant={"hidden": hidden}, auto_subscribe=auto, auto_subscribe_data_track=auto
        )
        self.guests[name] = guest
        self.sinks.append(guest.sink)

    def _connect(self, guest: Guest) -> None:
        for leg in guest.session.legs.all():
            if leg in self.house.media.transports:
                self.house.media.connect(leg)

    def _add_track(self, guest: Guest, cid: str, source: int) -> None:
        kind = models.VIDEO if source == models.CAMERA else models.AUDIO
        guest.add_track(cid, source=source, type=kind)
        self.tracks += [m.track.sid for m in guest.of("track_published") if m.track.sid not in self.tracks]

    def _offer(self, guest: Guest, cids: list[str]) -> None:
        guest.request(offer=rtc.SessionDescription(type="offer", sdp=publishing(*cids)))

    def _answer(self, guest: Guest) -> None:
        guest.answer()

    def _subscription(self, guest: Guest, wanted: bool, index: int) -> None:
        guest.request(subscription=rtc.UpdateSubscription(track_sids=[self._track(index)], subscribe=wanted))

    def _settings(self, guest: Guest, disabled: bool, quality: int, index: int) -> None:
        fields = {"track_sids": [self._track(index)], "disabled": disabled, "quality": quality}
        guest.request(track_setting=rtc.UpdateTrackSettings(**fields))

    def _permission(self, guest: Guest, everybody: bool) -> None:
        entry = rtc.TrackPermission(participant_identity="a", all_tracks=True)
        permission = rtc.SubscriptionPermission(all_participants=everybody, track_permissions=[entry])
        guest.request(subscription_permission=permission)

    def _mute(self, guest: Guest, muted: bool, index: int) -> None:
        guest.request(mute=rtc.MuteTrackRequest(sid=self._track(index), muted=muted))

    def _data_track(self, guest: Guest, handle: int) -> None:
        request = rtc.PublishDataTrackRequest(pub_handle=handle, name=f"n{handle}")
        guest.request(publish_data_track_request=request)

    def _no_data_track(self, guest: Guest, handle: int) -> None:
        guest.request(unpublish_data_track_request=rtc.UnpublishDataTrackRequest(pub_handle=handle))

    def _data(self, guest: Guest, payload: bytes, label: str) -> None:
        guest.send_data(payload, label)

    def _drop_signal(self, guest: Guest) -> None:
        guest.drop_signal()

    def _resume(self, guest: Guest) -> None:
        self.sinks.append(guest.resume())

    def _fail(self, guest: Guest) -> None:
        self.house.event(TransportFailed(TransportId(guest.primary), "ICE"))

    def _overflow(self, guest: Guest) -> None:
        self.house.event(ReceiverOverflow(TransportId(guest.primary)))

    def _leave(self, guest: Guest) -> None:
        guest.request(leave=rtc.LeaveRequest())

    def _simulate(self, guest: Guest, scenario: int) -> None:
        field = rtc.SimulateScenario.DESCRIPTOR.fields_by_number[scenario].name
        guest.request(simulate=rtc.SimulateScenario(**{field: 1}))

    # --- what must hold ---

    def check(self) -> None:
        for sink in self.sinks:
            self._check_messages(sink)
        room = self.house.service.room("room")
        sessions = list(room.sessions.values()) if room is not None else []
        for session in sessions:
            leg = session.legs.subscribing
            if leg is None:
                continue
            # The data plane was asked for exactly what the model believes to be subscribed.
            transport = self.house.media.transports[leg]
            assert set(session.subscriptions.active) == set(transport.subscribed)
            for publication in session.subscriptions.active.values():
                assert publication.publisher in sessions
                assert not publication.publisher.participant.hidden
                assert publication.subscriptions[session]

    def _check_messages(self, sink: RecordingSink) -> None:
        kinds = sink.kinds()
        if kinds:
            assert kinds[0] in ("join", "reconnect", "leave")
        assert "leave" not in kinds[:-1]
        assert kinds.count("join") <= 1
        versions: dict[str, int] = {}
        for message in sink.messages:
            for info in message.update.participants:
                assert info.version >= versions.get(info.sid, 0)
                versions[info.sid] = info.version

    def end(self) -> None:
        """Everybody goes; nothing may be left."""
        for guest in self.guests.values():
            guest.request(leave=rtc.LeaveRequest())
        self.house.advance(400)
        assert self.house.service.rooms() == []
        assert self.house.service.next_timeout() is None
        directory = self.house.service._context.directory
        assert (directory.rooms, directory.sessions, directory.publications) == ({}, {}, {})
        assert self.house.media.transports == {}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES), actions), max_size=40))
def test_random_calls(script: list[tuple[str, tuple[Any, ...]]]) -> None:
    call = Call()
    for name in NAMES:
        call.do(name, ("join", False, False, True))
        call.do(name, ("connect",))
        call.do(name, ("add_track", "c1", models.CAMERA))
        call.do(name, ("offer", ["c1"]))
    for name, action in script:
        call.do(name, action)
        call.check()
    call.end()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES), actions), min_size=5, max_size=25))
def test_every_unsubscription_had_a_subscription(script: list[tuple[str, tuple[Any, ...]]]) -> None:
    call = Call()
    for name in NAMES:
        call.do(name, ("join", False, False, True))
        call.do(name, ("connect",))
    for name, action in script:
        call.do(name, action)
    open_now: set[tuple[str, str]] = set()
    for command in call.house.media.of(Subscribe, Unsubscribe):
        key = (command.transport_id, command.track_id)
        assert (key in open_now) == isinstance(command, Unsubscribe)
        open_now ^= {key}


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_requests_of_random_bytes(frames: list[bytes]) -> None:
    house = House()
    alice, bob = house.pair()
    for frame in frames:
        try:
            request = rtc.SignalRequest.FromString(frame)
        except DecodeError:
            continue  # the door's matter
        alice.session.handle(request)
        house.pump()
    assert bob.session.signal.connected


def test_nothing_is_kept_of_the_departed() -> None:
    house = House()
    alice, bob = house.pair()
    for guest, other in ((alice, bob), (bob, alice)):
        track = guest.publish("c1")
        guest.publish("c2", models.CAMERA)
        guest.request(publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=1, name="dt"))
        data_track = guest.last("publish_data_track_response").info.sid
        update = rtc.UpdateDataSubscription.Update(track_sid=data_track, subscribe=True)
        other.request(update_data_subscription=rtc.UpdateDataSubscription(updates=[update]))
        other.request(subscription=rtc.UpdateSubscription(track_sids=[track], subscribe=True))
        other.request(track_setting=rtc.UpdateTrackSettings(track_sids=[track]))
        guest.request(simulate=rtc.SimulateScenario(speaker_update=30))
        guest.send_data(models.DataPacket(sequence=1).SerializeToString())
    room = house.service.room("room")
    assert room is not None
    house.event(Quality(room.router_id, {TransportId(guest.primary): 50.0 for guest in (alice, bob)}))
    house.join("late")
    alice.send_data(models.DataPacket(sequence=2).SerializeToString())
    alice.request(leave=rtc.LeaveRequest())
    departed = weakref.ref(alice.session)
    del alice, guest, other
    gc.collect()
    assert departed() is None
    assert len(room.data_track_handles._taken) == 1
    assert bob.session.subscriptions._wishes == {}
    assert bob.session.subscriptions._settings == {}


def test_rooms_leave_nothing_behind() -> None:
    house = House()
    for _ in range(5):
        alice, bob = house.pair()
        for guest in (alice, bob):
            guest.request(leave=rtc.LeaveRequest())
    room = weakref.ref(house.service.room("room"))
    house.advance(30)
    del alice, bob, guest
    gc.collect()
    assert room() is None
