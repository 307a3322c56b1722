"""The model against what LiveKit 1.13.5 said to the same clients (``tests/data/wire``)."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from livekit.protocol import models, rtc

from rooms.track_info import requested_track
from sfu.control import SendData
from tests.harness.replay import Replay
from tests.harness.rooms import House

WIRE = Path(__file__).parents[1] / "data" / "wire"
LIVES = ["life-python-v1", "life-browser-v1", "life-browser-v0"]


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (WIRE / name).read_text().splitlines()]


@pytest.fixture(scope="module", params=LIVES)
def life(request: pytest.FixtureRequest) -> Replay:
    return Replay(WIRE / f"{request.param}.signalling.jsonl").run()


def test_requests_are_answered_in_the_recorded_order(life: Replay) -> None:
    among = {"join", "reconnect", "track_published", "request_response", "publish_data_track_response"}
    for key in life.recorded:
        recorded, answered = life.kinds(key, among)
        assert answered == recorded, key


def test_every_offer_of_a_client_gets_one_answer_with_its_id(life: Replay) -> None:
    for (client, connection), sink in life.answered.items():
        offers = [
            row.get("msg", {}).get("id", 0)
            for row in life._rows
            if (row["client"], row["conn"]) == (client, connection)
            and (row.get("kind"), row.get("dir")) == ("offer", "c2s")
        ]
        answers = [answer.id for answer in sink.of("answer")]
        assert answers[len(answers) - len(offers) :] == offers
        # What is over is the answer to the offer of the join request.
        assert len(answers) - len(offers) <= 1


def test_answers_to_requests_say_the_same(life: Replay) -> None:
    for key, messages in life.recorded.items():
        recorded = [m.request_response for m in messages if m.WhichOneof("message") == "request_response"]
        assert life.answered[key].of("request_response") == recorded


def test_published_tracks_are_described_the_same(life: Replay) -> None:
    for key, messages in life.recorded.items():
        recorded = [m.track_published for m in messages if m.WhichOneof("message") == "track_published"]
        answered = life.answered[key].of("track_published")
        for one, other in zip(recorded, answered, strict=True):
            assert other.track.sid[:5] == one.track.sid[:5]
            one.track.sid = other.track.sid
            assert other == one


def test_join_says_what_clients_depend_on(life: Replay) -> None:
    for key, messages in life.recorded.items():
        for recorded in (m.join for m in messages if m.WhichOneof("message") == "join"):
            (answered,) = life.answered[key].of("join")
            for name in (
                "subscriber_primary",
                "fast_publish",
                "ping_interval",
                "ping_timeout",
                "server_version",
            ):
                assert getattr(answered, name) == getattr(recorded, name), name
            for name in ("version", "protocol", "agent_protocol"):
                assert getattr(answered.server_info, name) == getattr(recorded.server_info, name), name
            assert answered.enabled_publish_codecs == recorded.enabled_publish_codecs
            assert answered.participant.permission == recorded.participant.permission
            assert answered.room.enabled_codecs == recorded.room.enabled_codecs
            identities = {info.identity for info in recorded.other_participants}
            assert {info.identity for info in answered.other_participants} == identities
            tracks = [len(info.tracks) for info in recorded.other_participants]
            assert [len(info.tracks) for info in answered.other_participants] == tracks


def test_publishers_hear_of_the_same_subscriptions(life: Replay) -> None:
    for key, messages in life.recorded.items():
        recorded = [m.track_subscribed for m in messages if m.WhichOneof("message") == "track_subscribed"]
        assert len(life.answered[key].of("track_subscribed")) >= len(recorded)


def test_last_sequence_on_resume_is_at_most_what_was_sent(life: Replay) -> None:
    for sink in life.answered.values():
        for reconnect in sink.of("reconnect"):
            assert reconnect.last_message_seq == 0  # the recording has no data channels


def refused_by(guest: Any, kind: str, message: dict[str, Any]) -> list[rtc.SignalResponse]:
    """Everything that one request brings, but for what is told to all."""
    guest.clear()
    guest.session.handle(json_format.ParseDict({kind: message}, rtc.SignalRequest()))
    guest.house.pump()
    return [m for m in guest.sink.messages if m.WhichOneof("message") not in ("update", "refresh_token")]


def test_refusals_are_those_recorded() -> None:
    house = House()
    guest = house.join("a", v0=True)
    told = ("update", "refresh_token", "room_update", "join", "offer", "trickle", "pong_resp")
    compared = 0
    exchanges: list[tuple[str, dict, list[dict]]] = []
    for row in rows("raw-request-errors.jsonl"):
        _lengthen(row)
        if row.get("dir") == "c2s" and "kind" in row:
            exchanges.append((row["kind"], row["msg"], []))
        elif row.get("dir") == "s2c" and row.get("kind") not in (*told, None) and exchanges:
            exchanges[-1][2].append({row["kind"]: row["msg"]})
    for kind, message, recorded in exchanges:
        if kind == "ping" or (kind in ("offer", "mute") and not recorded):
            continue  # the door answers pings; a broken offer is answered here, see test_negotiation
        answered = refused_by(guest, kind, message)
        expected = [json_format.ParseDict(m, rtc.SignalResponse()) for m in recorded]
        for one, other in zip(expected, answered, strict=True):
            _level(one, other)
            assert other == one
            compared += 1
    assert compared >= 20


def _lengthen(row: dict[str, Any]) -> None:
    """Undo how the recording shortens long metadata."""
    request = row.get("msg", {})
    if row.get("kind") == "request_response":
        request = request.get("update_metadata", {})
    if row.get("kind") in ("update_metadata", "request_response") and "…" in request.get("metadata", ""):
        request["metadata"] = "n" * 530_000


def _level(recorded: rtc.SignalResponse, answered: rtc.SignalResponse) -> None:
    """Take sids from the answer, and leave out the text that a JSON parser chose."""
    if recorded.HasField("track_published"):
        recorded.track_published.track.sid = answered.track_published.track.sid
    for kind in ("publish_data_track_response", "unpublish_data_track_response"):
        if recorded.HasField(kind):
            getattr(recorded, kind).info.sid = getattr(answered, kind).info.sid
    if recorded.request_response.HasField("trickle"):
        recorded.request_response.message = answered.request_response.message


def test_data_packets_are_relayed_as_recorded() -> None:
    house = House()
    old, new = house.join("old", v0=True).connect(), house.join("new", v0=True).connect()
    recorded = [row for row in rows("data_packets.jsonl") if "…" not in row.get("hex", "")]
    steps = [row["step"] for row in recorded if row.get("sent_by") == "old"]
    compared = 0
    for step in dict.fromkeys(steps):
        if "late" in step:
            continue  # a third client: see test_data
        of_step = [row for row in recorded if row["step"] == step]
        if sum("sent_by" in row for row in of_step) != 1 or "text message" in step or "string" in step:
            continue  # the data plane drops what isn't binary
        (sent,) = [row for row in of_step if row.get("sent_by") == "old"]
        house.media.commands.clear()
        old.send_data(_to_sid(bytes.fromhex(sent["hex"]), new.sid), sent["channel"])
        got = [
            (command.label, models.DataPacket.FromString(command.payload))
            for command in house.media.of(SendData)
            if new.primary in command.transport_ids
        ]
        expected = [
            (row["channel"], _with_sid(_to_sid(bytes.fromhex(row["hex"]), new.sid), old.sid))
            for row in of_step
            if row.get("received_by") == "new"
        ]
        assert got == expected, step
        compared += 1
    assert compared >= 15


def _to_sid(payload: bytes, sid: str) -> bytes:
    """Address the receiver of today in place of the recorded one."""
    try:
        packet = models.DataPacket.FromString(payload)
    except DecodeError:
        return payload
    if not packet.user.destination_sids:
        return payload
    packet.user.destination_sids[:] = [sid]
    return packet.SerializeToString()


def _with_sid(payload: bytes, sid: str) -> models.DataPacket:
    packet = models.DataPacket.FromString(payload)
    if packet.participant_sid:
        packet.participant_sid = sid
    if packet.user.participant_sid:
        packet.user.participant_sid = sid
    return packet


def test_requested_tracks_of_every_recording() -> None:
    requests = {
        json.dumps(row["msg"], sort_keys=True)
        for name in LIVES
        for row in rows(f"{name}.signalling.jsonl")
        if row.get("kind") == "add_track"
    }
    for text in requests:
        info = requested_track("TR_x", json_format.Parse(text, rtc.AddTrackRequest()))
        assert info.codecs
        assert info.stream == "camera"
