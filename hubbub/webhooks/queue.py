"""The queue in the database: events, their deliveries to each target, and lanes.

A lane is one room's deliveries to one target. They are sent one after the other; a lane that is in the table
has something to send, and ``due_at`` is when. Each function here is one piece of work for the ``Database``.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from livekit.protocol import webhook

from hubbub.database import Schema, Transaction

from .events import lane_of, render

State = Literal["pending", "delivered", "dead"]

SCHEMA = Schema(
    "webhooks",
    (
        (
            "CREATE TABLE webhook_events (id TEXT PRIMARY KEY, event TEXT NOT NULL, room TEXT NOT NULL, "
            "created_at DOUBLE PRECISION NOT NULL, body TEXT NOT NULL)",
            "CREATE TABLE webhook_deliveries (number BIGINT PRIMARY KEY, "
            "event_id TEXT NOT NULL REFERENCES webhook_events (id), target TEXT NOT NULL, lane TEXT NOT NULL, "
            "state TEXT NOT NULL, attempts BIGINT NOT NULL DEFAULT 0, since DOUBLE PRECISION NOT NULL, "
            "changed_at DOUBLE PRECISION NOT NULL, status BIGINT, error TEXT NOT NULL DEFAULT '')",
            "CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (target, lane, number) "
            "WHERE state = 'pending'",
            "CREATE INDEX webhook_deliveries_state ON webhook_deliveries (state, number)",
            "CREATE INDEX webhook_deliveries_age ON webhook_deliveries (state, changed_at)",
            "CREATE INDEX webhook_deliveries_event ON webhook_deliveries (event_id)",
            "CREATE TABLE webhook_lanes (target TEXT NOT NULL, lane TEXT NOT NULL, "
            "due_at DOUBLE PRECISION NOT NULL, PRIMARY KEY (target, lane))",
            "CREATE INDEX webhook_lanes_due ON webhook_lanes (target, due_at)",
        ),
    ),
)

MAX_ERROR_CHARS = 200
PURGE_ROWS = 1000
"""Rows that are removed at a time, so that others get a turn."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event that is to be written, and whom it is for."""

    event: webhook.WebhookEvent
    at: float
    """Seconds since the epoch."""
    deliveries: tuple[tuple[int, str], ...]
    """Number and target of each delivery."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A delivery that is to be sent now."""

    number: int
    event: str
    body: str
    attempts: int
    """How often it was tried before."""
    since: float
    """Since when it has been tried."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as the API shows it. Times are seconds since the epoch."""

    id: str
    event_id: str
    event: str
    room: str
    target: str
    state: State
    attempts: int
    created_at: float
    """When the event happened."""
    changed_at: float
    """When it was last tried or changed."""
    status: int | None
    """HTTP status of the last answer."""
    error: str
    """What went wrong the last time."""


def insert(db: Transaction, accepted: Sequence[Accepted]) -> None:
    """Write events and queue their deliveries."""
    rows = [(item, lane_of(item.event)) for item in accepted]
    events = []
    for item in accepted:
        events.append((item.event.id, item.event.event, item.event.room.name, item.at, render(item.event)))
        # Lets the event loop in, which would else wait for the interpreter's switch interval (5 ms).
        time.sleep(0)
    db.execute_many(
        "INSERT INTO webhook_events (id, event, room, created_at, body) VALUES (?, ?, ?, ?, ?)", events
    )
    deliveries = [
        (number, item.event.id, target, lane, item.at)
        for item, lane in rows
        for number, target in item.deliveries
    ]
    db.execute_many(
        "INSERT INTO webhook_deliveries (number, event_id, target, lane, state, since, changed_at) "
        "VALUES (?, ?, ?, ?, 'pending', ?, ?)",
        [(*row, row[-1]) for row in deliveries],
    )
    db.execute_many(
        "INSERT INTO webhook_lanes (target, lane, due_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(target, lane, at) for _, _, target, lane, at in deliveries],
    )


def next_lanes(db: Transaction, target: str, limit: int) -> list[tuple[str, float]]:
    """A target's lanes and when they are due, the earliest first."""
    sql = "SELECT lane, due_at FROM webhook_lanes WHERE target = ? ORDER BY due_at LIMIT ?"
    return [(lane, due_at) for lane, due_at in db.rows(sql, (target, limit))]


def next_parcels(db: Transaction, target: str, lane: str, limit: int) -> list[Parcel]:
    """The next deliveries of a lane in their order."""
    sql = (
        "SELECT d.number, e.event, e.body, d.attempts, d.since FROM webhook_deliveries d "
        "JOIN webhook_events e ON e.id = d.event_id "
        "WHERE d.target = ? AND d.lane = ? AND d.state = 'pending' ORDER BY d.number LIMIT ?"
    )
    return [Parcel(*row) for row in db.rows(sql, (target, lane, limit))]


def go_on(db: Transaction, target: str, lane: str, now: float) -> None:
    """Put a lane at the end of the line, or away if there is nothing left in it."""
    db.execute("UPDATE webhook_lanes SET due_at = ? WHERE target = ? AND lane = ?", (now, target, lane))
    db.execute(
        "DELETE FROM webhook_lanes WHERE target = ? AND lane = ? AND NOT EXISTS (SELECT 1 FROM "
        "webhook_deliveries d WHERE d.target = webhook_lanes.target AND d.lane = webhook_lanes.lane "
        "AND d.state = 'pending')",
        (target, lane),
    )


def finish(
    db: Transaction, number: int, state: State, now: float, status: int | None, error: str, attempts: int
) -> None:
    """Note that a delivery has arrived or is dead; ``attempts`` are all there were."""
    db.execute(
        "UPDATE webhook_deliveries SET state = ?, changed_at = ?, status = ?, error = ?, attempts = ? "
        "WHERE number = ? AND state = 'pending'",
        (state, now, status, error[:MAX_ERROR_CHARS], attempts, number),
    )


def postpone(
    db: Transaction, number: int, now: float, status: int | None, error: str, attempts: int, due_at: float
) -> None:
    """Note that a delivery failed; its lane waits until it is tried again."""
    db.execute(
        "UPDATE webhook_deliveries SET changed_at = ?, status = ?, error = ?, attempts = ? WHERE number = ?",
        (now, status, error[:MAX_ERROR_CHARS], attempts, number),
    )
    db.execute(
        "UPDATE webhook_lanes SET due_at = ? WHERE (target, lane) = "
        "(SELECT target, lane FROM webhook_deliveries WHERE number = ?)",
        (due_at, number),
    )


def replay(db: Transaction, numbers: Iterable[int], now: float) -> int:
    """Queue deliveries again that arrived or are dead; how many those are. Those that wait have their turn now."""
    changed = 0
    for number in numbers:
        row = db.row("SELECT target, lane, state FROM webhook_deliveries WHERE number = ?", (number,))
        if row is None:
            continue
        target, lane, state = row
        changed += state != "pending"
        db.execute(
            "UPDATE webhook_deliveries SET state = 'pending', attempts = 0, since = ?, changed_at = ?, "
            "status = NULL, error = '' WHERE number = ?",
            (now, now, number),
        )
        db.execute(
            "INSERT INTO webhook_lanes (target, lane, due_at) VALUES (?, ?, ?) "
            "ON CONFLICT (target, lane) DO UPDATE SET due_at = excluded.due_at",
            (target, lane, now),
        )
    return changed


def abandon(db: Transaction, targets: Sequence[str], now: float) -> int:
    """Give up what waits for targets other than these; how many deliveries that are."""
    marks = ", ".join("?" * len(targets))
    among = f"target NOT IN ({marks})" if targets else "1 = 1"
    db.execute(f"DELETE FROM webhook_lanes WHERE {among}", targets)  # noqa: S608 - marks only
    return db.execute(
        "UPDATE webhook_deliveries SET state = 'dead', changed_at = ?, "  # noqa: S608 - as above
        f"error = 'the target is no longer configured' WHERE state = 'pending' AND {among}",
        (now, *targets),
    )


def pending(db: Transaction) -> dict[str, int]:
    """How many deliveries wait for each target."""
    sql = "SELECT target, count(*) FROM webhook_deliveries WHERE state = 'pending' GROUP BY target"
    return dict(db.rows(sql))


def last_number(db: Transaction) -> int:
    """The highest number of a delivery; 0 when there is none."""
    row = db.row("SELECT max(number) FROM webhook_deliveries")
    return int(row[0]) if row and row[0] is not None else 0


def purge(db: Transaction, state: State, before: float) -> int:
    """Remove some of the deliveries that ended before this time, with events that no other is left of."""
    sql = "SELECT number, event_id FROM webhook_deliveries WHERE state = ? AND changed_at < ? LIMIT ?"
    rows = db.rows(sql, (state, before, PURGE_ROWS))
    db.execute_many("DELETE FROM webhook_deliveries WHERE number = ?", [(number,) for number, _ in rows])
    db.execute_many(
        "DELETE FROM webhook_events WHERE id = ? "
        "AND NOT EXISTS (SELECT 1 FROM webhook_deliveries WHERE event_id = webhook_events.id)",
        [(event_id,) for _, event_id in rows],
    )
    return len(rows)


_SHOWN = (
    "SELECT d.number, e.id, e.event, e.room, d.target, d.state, d.attempts, e.created_at, d.changed_at, "
    "d.status, d.error FROM webhook_deliveries d JOIN webhook_events e ON e.id = d.event_id "
)


def listed(
    db: Transaction, state: State | None, target: str | None, room: str | None, before: int, limit: int
) -> list[Delivery]:
    """Deliveries numbered below ``before``, the latest first."""
    conditions, parameters = ["d.number < ?"], [before, state, target, room]
    for column, value in (("d.state", state), ("d.target", target), ("e.room", room)):
        if value is not None:
            conditions.append(f"{column} = ?")
    sql = f"{_SHOWN}WHERE {' AND '.join(conditions)} ORDER BY d.number DESC LIMIT ?"
    given = [value for value in parameters if value is not None]
    return [_delivery(row) for row in db.rows(sql, (*given, limit))]


def one(db: Transaction, number: int) -> tuple[Delivery, str] | None:
    """A delivery and its body."""
    row = db.row(_SHOWN + "WHERE d.number = ?", (number,))
    if row is None:
        return None
    body = db.row("SELECT body FROM webhook_events WHERE id = ?", (row[1],))
    assert body is not None
    return _delivery(row), body[0]


def numbers_of(db: Transaction, state: State, target: str, limit: int) -> list[int]:
    """Numbers of a target's deliveries in this state, the earliest first."""
    sql = "SELECT number FROM webhook_deliveries WHERE state = ? AND target = ? ORDER BY number LIMIT ?"
    return [number for (number,) in db.rows(sql, (state, target, limit))]


def _delivery(row: tuple[Any, ...]) -> Delivery:
    return Delivery(str(row[0]), *row[1:])
