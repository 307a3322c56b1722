"""Tables of the past, and every statement on them. Times are seconds since the epoch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hubbub.database import Schema, Transaction, Value

SCHEMA = Schema(
    "history",
    (
        (
            "CREATE TABLE history_rooms (sid TEXT PRIMARY KEY, name TEXT NOT NULL, "
            "started_at DOUBLE PRECISION NOT NULL, ended_at DOUBLE PRECISION, "
            "peak BIGINT NOT NULL DEFAULT 0, sessions BIGINT NOT NULL DEFAULT 0, "
            "identities BIGINT NOT NULL DEFAULT 0, tracks BIGINT NOT NULL DEFAULT 0, "
            "participant_s DOUBLE PRECISION NOT NULL DEFAULT 0, lost BIGINT NOT NULL DEFAULT 0)",
            "CREATE INDEX history_rooms_started ON history_rooms (started_at, sid)",
            "CREATE INDEX history_rooms_name ON history_rooms (name, started_at, sid)",
            "CREATE INDEX history_rooms_ended ON history_rooms (ended_at)",
            "CREATE TABLE history_participants (sid TEXT PRIMARY KEY, "
            "room_sid TEXT NOT NULL REFERENCES history_rooms (sid) ON DELETE CASCADE, identity TEXT NOT NULL, "
            "name TEXT NOT NULL, kind TEXT NOT NULL, joined_at DOUBLE PRECISION NOT NULL, "
            "left_at DOUBLE PRECISION, connected BIGINT NOT NULL, reason TEXT NOT NULL DEFAULT '')",
            "CREATE INDEX history_participants_room ON history_participants (room_sid, joined_at, sid)",
            "CREATE TABLE history_tracks (sid TEXT NOT NULL, "
            "room_sid TEXT NOT NULL REFERENCES history_rooms (sid) ON DELETE CASCADE, "
            "participant_sid TEXT NOT NULL, identity TEXT NOT NULL, kind TEXT NOT NULL, source TEXT NOT NULL, "
            "mime_type TEXT NOT NULL, name TEXT NOT NULL, published_at DOUBLE PRECISION NOT NULL, "
            "ended_at DOUBLE PRECISION, PRIMARY KEY (room_sid, sid))",
            "CREATE INDEX history_tracks_room ON history_tracks (room_sid, published_at, sid)",
            "CREATE TABLE history_clock (id BIGINT PRIMARY KEY, at DOUBLE PRECISION NOT NULL)",
        ),
    ),
)

PURGE_ROOMS = 100
"""Rooms that are removed at a time, so that others get a turn."""

Row = tuple[Value, ...]


@dataclass(slots=True)
class Changes:
    """What happened since the last write. Each list is of rows for one statement."""

    rooms: list[Row] = field(default_factory=list)
    participants: list[Row] = field(default_factory=list)
    tracks: list[Row] = field(default_factory=list)
    ended_tracks: list[Row] = field(default_factory=list)
    departures: list[Row] = field(default_factory=list)
    ended_rooms: list[Row] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(len(getattr(self, name)) for name in _STATEMENTS)

    def take(self) -> "Changes":
        """All of them, which leaves nothing here."""
        taken = Changes(*(getattr(self, name) for name in _STATEMENTS))
        for name in _STATEMENTS:
            setattr(self, name, [])
        return taken

    def put_back(self, earlier: "Changes") -> None:
        """Changes that could not be written come first again."""
        for name in _STATEMENTS:
            setattr(self, name, getattr(earlier, name) + getattr(self, name))


_STATEMENTS = {
    "rooms": ("INSERT INTO history_rooms (sid, name, started_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"),
    "participants": (
        "INSERT INTO history_participants (sid, room_sid, identity, name, kind, joined_at, left_at, connected, "
        "reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
    ),
    "tracks": (
        "INSERT INTO history_tracks (sid, room_sid, participant_sid, identity, kind, source, mime_type, name, "
        "published_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
        # Its publisher was moved to another room, and back.
        "ON CONFLICT (room_sid, sid) DO UPDATE SET participant_sid = excluded.participant_sid, ended_at = NULL"
    ),
    "ended_tracks": "UPDATE history_tracks SET ended_at = ? WHERE room_sid = ? AND sid = ?",
    "departures": "UPDATE history_participants SET left_at = ?, reason = ? WHERE sid = ?",
    "ended_rooms": "UPDATE history_rooms SET ended_at = ?, peak = ?, sessions = ?, tracks = ? WHERE sid = ?",
}
"""In the order in which they are carried out: what begins before what ends."""


def write(db: Transaction, changes: Changes, now: float) -> None:
    """Write what happened, and that the server was there."""
    for name, statement in _STATEMENTS.items():
        db.execute_many(statement, getattr(changes, name))
    for *_, sid in changes.ended_rooms:
        _sum_up(db, sid)
    db.execute(
        "INSERT INTO history_clock (id, at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at",
        (now,),
    )


def _sum_up(db: Transaction, sid: Value) -> None:
    db.execute(
        "UPDATE history_rooms SET "
        "identities = (SELECT count(DISTINCT identity) FROM history_participants "
        "WHERE room_sid = history_rooms.sid AND connected = 1), "
        "participant_s = (SELECT coalesce(sum(left_at - joined_at), 0) FROM history_participants "
        "WHERE room_sid = history_rooms.sid AND connected = 1) WHERE sid = ?",
        (sid,),
    )


def end_lost(db: Transaction) -> int:
    """End what a former process left open, at the last time when it was known to be there; how many rooms."""
    rooms = db.rows("SELECT sid, started_at FROM history_rooms WHERE ended_at IS NULL")
    row = db.row("SELECT at FROM history_clock WHERE id = 1")
    for sid, started_at in rooms:
        at = max(row[0] if row else started_at, started_at)
        db.execute(
            "UPDATE history_tracks SET ended_at = ? WHERE room_sid = ? AND ended_at IS NULL", (at, sid)
        )
        db.execute(
            "UPDATE history_participants SET left_at = ?, reason = 'SERVER_LOST' "
            "WHERE room_sid = ? AND left_at IS NULL",
            (at, sid),
        )
        db.execute(
            "UPDATE history_rooms SET ended_at = ?, lost = 1, "
            "sessions = (SELECT count(*) FROM history_participants "
            "WHERE room_sid = history_rooms.sid AND connected = 1), "
            "tracks = (SELECT count(*) FROM history_tracks WHERE room_sid = history_rooms.sid) WHERE sid = ?",
            (at, sid),
        )
        _sum_up(db, sid)
    return len(rooms)


@dataclass(frozen=True, slots=True)
class RoomRecord:
    """A room of the past, or one that goes on."""

    sid: str
    name: str
    started_at: float
    ended_at: float | None
    """None while it goes on, when the figures below are not yet known."""
    peak: int
    """Most participants at a time, agents and recorders not counted."""
    sessions: int
    """How often somebody came in and was connected."""
    identities: int
    """How many different ones did."""
    tracks: int
    """Tracks that were published."""
    participant_s: float
    """Seconds that participants spent here, added up."""
    lost: bool
    """The server was killed meanwhile, so the end is when it was last known to be there."""


@dataclass(frozen=True, slots=True)
class ParticipantRecord:
    """One stay of somebody in a room."""

    sid: str
    identity: str
    name: str
    kind: str
    joined_at: float
    left_at: float | None
    connected: bool
    """Whether media was ever connected."""
    reason: str
    """Why it ended, in LiveKit's words, such as CLIENT_INITIATED."""


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """A track that was published."""

    sid: str
    participant_sid: str
    identity: str
    kind: str
    source: str
    mime_type: str
    name: str
    published_at: float
    ended_at: float | None


_ROOM = (
    "SELECT sid, name, started_at, ended_at, peak, sessions, identities, tracks, participant_s, lost "
    "FROM history_rooms "
)
Place = tuple[float, str]
"""Where a page begins: time and sid of the last one before it."""
T = TypeVar("T")


def rooms(db: Transaction, name: str | None, after: Place | None, limit: int) -> list[RoomRecord]:
    """Rooms, the latest first."""
    conditions, parameters = ["1 = 1"], list[Value]()
    if name is not None:
        conditions.append("name = ?")
        parameters.append(name)
    if after is not None:
        conditions.append("(started_at, sid) < (?, ?)")
        parameters += after
    sql = f"{_ROOM}WHERE {' AND '.join(conditions)} ORDER BY started_at DESC, sid DESC LIMIT ?"
    return [_room(row) for row in db.rows(sql, (*parameters, limit))]


def room(db: Transaction, sid: str) -> RoomRecord | None:
    """One room."""
    row = db.row(_ROOM + "WHERE sid = ?", (sid,))
    return _room(row) if row else None


def participants(db: Transaction, room_sid: str, after: Place | None, limit: int) -> list[ParticipantRecord]:
    """Those who came, the first first."""
    sql = (
        "SELECT sid, identity, name, kind, joined_at, left_at, connected, reason FROM history_participants "
        "WHERE room_sid = ? AND (joined_at, sid) > (?, ?) ORDER BY joined_at, sid LIMIT ?"
    )
    return _page(
        db, sql, room_sid, after, limit, lambda row: ParticipantRecord(*(*row[:6], bool(row[6]), row[7]))
    )


def tracks(db: Transaction, room_sid: str, after: Place | None, limit: int) -> list[TrackRecord]:
    """What was published, the first first."""
    sql = (
        "SELECT sid, participant_sid, identity, kind, source, mime_type, name, published_at, ended_at "
        "FROM history_tracks WHERE room_sid = ? AND (published_at, sid) > (?, ?) "
        "ORDER BY published_at, sid LIMIT ?"
    )
    return _page(db, sql, room_sid, after, limit, lambda row: TrackRecord(*row))


def _page(
    db: Transaction,
    sql: str,
    room_sid: str,
    after: Place | None,
    limit: int,
    make: Callable[[Sequence[Any]], T],
) -> list[T]:
    return [make(row) for row in db.rows(sql, (room_sid, *(after or (-1.0, "")), limit))]


def _room(row: Sequence[Any]) -> RoomRecord:
    return RoomRecord(*(*row[:9], bool(row[9])))


def count_rows(db: Transaction) -> int:
    """Rooms, participants and tracks."""
    total = 0
    for table in ("history_rooms", "history_participants", "history_tracks"):
        row = db.row(f"SELECT count(*) FROM {table}")  # noqa: S608 - a name from here
        total += row[0] if row else 0
    return total


def purge(db: Transaction, before: float) -> int:
    """Remove some of the rooms that ended before this time, the oldest first; how many."""
    return db.execute(
        "DELETE FROM history_rooms WHERE sid IN "
        "(SELECT sid FROM history_rooms WHERE ended_at < ? ORDER BY ended_at LIMIT ?)",
        (before, PURGE_ROOMS),
    )
