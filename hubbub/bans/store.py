"""Tables of bans and revocations, and every statement on them. Times are seconds since the epoch."""

from hubbub.database import Schema, Transaction
from rooms.bans import KEEP_REVOCATIONS_S, MAX_BANS, MAX_REVOCATIONS, Ban, Revocation

SCHEMA = Schema(
    "bans",
    (
        (
            "CREATE TABLE bans (id TEXT PRIMARY KEY, room TEXT NOT NULL, identity TEXT NOT NULL, "
            "network TEXT NOT NULL, reason TEXT NOT NULL, created_at DOUBLE PRECISION NOT NULL, "
            "expires_at DOUBLE PRECISION)",
            "CREATE TABLE bans_revocations (room TEXT NOT NULL, identity TEXT NOT NULL, "
            "issued_before DOUBLE PRECISION NOT NULL, PRIMARY KEY (room, identity))",
        ),
    ),
)


def add(db: Transaction, ban: Ban) -> None:
    """Write a ban down."""
    row = (ban.id, ban.room, ban.identity, ban.network, ban.reason, ban.created_at, ban.expires_at)
    db.execute(
        "INSERT INTO bans (id, room, identity, network, reason, created_at, expires_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        row,
    )


def remove(db: Transaction, ban_id: str) -> None:
    """Forget a ban."""
    db.execute("DELETE FROM bans WHERE id = ?", (ban_id,))


def revoke(db: Transaction, revocation: Revocation) -> None:
    """Write a revocation down in place of an earlier one."""
    db.execute(
        "INSERT INTO bans_revocations (room, identity, issued_before) VALUES (?, ?, ?) "
        "ON CONFLICT (room, identity) DO UPDATE SET issued_before = excluded.issued_before",
        (revocation.room, revocation.identity, revocation.before),
    )


def load(db: Transaction, now: float) -> tuple[list[Ban], list[Revocation]]:
    """What still holds, the oldest first; the rest is removed."""
    db.execute("DELETE FROM bans WHERE expires_at <= ?", (now,))
    db.execute("DELETE FROM bans_revocations WHERE issued_before < ?", (now - KEEP_REVOCATIONS_S,))
    bans = db.rows(
        "SELECT id, room, identity, network, reason, created_at, expires_at FROM bans "
        "ORDER BY created_at DESC, id LIMIT ?",
        (MAX_BANS,),
    )
    revocations = db.rows(
        "SELECT room, identity, issued_before FROM bans_revocations ORDER BY issued_before DESC LIMIT ?",
        (MAX_REVOCATIONS,),
    )
    return [Ban(*row) for row in reversed(bans)], [Revocation(*row) for row in reversed(revocations)]
