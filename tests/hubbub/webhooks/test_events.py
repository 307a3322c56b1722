"""Bodies are what LiveKit's are: the same fields in the same places, empty ones left out."""

import json
from pathlib import Path
from typing import Any

import pytest
from livekit.protocol import models, webhook

from hubbub.webhooks.events import RoomEvents, lane_of, render
from tests.harness.rooms import House

RECORDED = Path(__file__).parents[2] / "data" / "wire" / "webhooks.jsonl"
OURS_LACK = {"turnPassword"}
"""Of the room: a secret that is nobody's business."""


def recorded() -> list[Any]:
    rows = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    return [row["body"] for row in rows if "event" in row]


class Emitted(RoomEvents):
    def __init__(self, **options: bool) -> None:
        self.events: list[webhook.WebhookEvent] = []
        super().__init__(self.events.append, **options)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(render(event)) for event in self.events]


def live(observer: Emitted) -> None:
    """The first of the recorded lives: a publishes and reconnects, b is removed, c never connects, h is hidden."""
    house = House(observer=observer)
    ann = house.join("a", "webhook-life", claims={"metadata": "tok-meta", "attributes": {"k": "v"}}).connect()
    ann.publish("cam", models.CAMERA, width=1280, height=720)
    ann.publish("mic")
    house.join("b", "webhook-life").connect()
    again = house.join("a", "webhook-life").connect()
    again.publish("mic")
    again.publish("cam", models.CAMERA)
    again.unpublish("cam")
    house.join("c", "webhook-life").drop_signal()
    hidden = house.join("h", "webhook-life", grant={"hidden": True}).connect()
    hidden.session.leave(models.CLIENT_INITIATED)
    house.service.room("webhook-life").sessions["b"].leave(models.PARTICIPANT_REMOVED)
    again.session.leave(models.CLIENT_INITIATED)
    house.advance(25.0)


@pytest.fixture
def ours() -> list[Any]:
    observer = Emitted()
    live(observer)
    return observer.bodies


def shape(value: Any) -> Any:
    """Field names, without the values."""
    return {key: shape(item) for key, item in value.items()} if isinstance(value, dict) else ...


def test_the_order_is_the_recorded_one(ours: list[Any]) -> None:
    told = [(body["event"], body.get("participant", {}).get("identity")) for body in ours]
    theirs = [
        (body["event"], body.get("participant", {}).get("identity"))
        for body in recorded()
        if body["room"]["name"] == "webhook-life" and body.get("participant", {}).get("identity") != "d"
    ]
    assert told == theirs


def test_track_events_name_room_and_participant_only(ours: list[Any]) -> None:
    for body in [*ours, *recorded()]:
        if body["event"].startswith("track_"):
            assert set(body["room"]) == {"sid", "name"}
            assert set(body["participant"]) == {"sid", "identity"}


@pytest.mark.parametrize("event", ["room_started", "participant_joined", "participant_left", "room_finished"])
def test_fields_are_the_recorded_ones(ours: list[Any], event: str) -> None:
    mine = next(body for body in ours if body["event"] == event)
    theirs = next(body for body in recorded() if body["event"] == event)
    # Both leave out what is empty, so rooms and people that differ have different fields beside these.
    common = {
        "sid",
        "name",
        "emptyTimeout",
        "departureTimeout",
        "creationTime",
        "creationTimeMs",
        "enabledCodecs",
    }
    assert common <= set(mine["room"]) & set(theirs["room"])
    assert mine["room"]["creationTime"].isdigit()
    assert set(mine) >= set(theirs) - {"id", "createdAt"}
    if "participant" in theirs:
        common = {"sid", "identity", "state", "joinedAt", "joinedAtMs", "version", "permission"}
        assert common <= set(mine["participant"]) & set(theirs["participant"])
        assert shape(mine["participant"]["permission"]) == shape(theirs["participant"]["permission"])


def test_a_departure_says_why(ours: list[Any]) -> None:
    reasons = {
        body["participant"]["identity"]: body["participant"].get("disconnectReason")
        for body in ours
        if body["event"] in ("participant_left", "participant_connection_aborted")
    }
    assert reasons == {
        "a": "CLIENT_INITIATED",
        "b": "PARTICIPANT_REMOVED",
        "c": "SIGNAL_CLOSE",
        "h": "CLIENT_INITIATED",
    }


def test_a_full_room_on_demand() -> None:
    observer = Emitted(full_room=True)
    live(observer)
    published = next(body for body in observer.bodies if body["event"] == "track_published")
    assert "creationTime" in published["room"]


def test_no_secret_of_a_room_is_told(ours: list[Any]) -> None:
    assert OURS_LACK.isdisjoint(ours[0]["room"])


def test_lanes_are_jobs_else_rooms() -> None:
    event = webhook.WebhookEvent(room=models.Room(name="r"))
    assert lane_of(event) == "r"
    event.egress_info.egress_id = "EG_1"
    assert lane_of(event) == "EG_1"


def test_names_of_any_language_survive() -> None:
    event = webhook.WebhookEvent(event="room_started", room=models.Room(name="Käse 🧀\n\"'"))
    assert json.loads(render(event))["room"]["name"] == "Käse 🧀\n\"'"
