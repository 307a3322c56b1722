"""API keys in the database."""

from dataclasses import dataclass

from hubbub.database import Database, Schema, Transaction

from .errors import KeyExists, NoSuchKey

SCHEMA = Schema(
    "api_keys",
    migrations=(
        (
            "CREATE TABLE api_keys (key TEXT PRIMARY KEY, secret TEXT NOT NULL, name TEXT NOT NULL, "
            "created_at DOUBLE PRECISION NOT NULL, previous_secret TEXT, previous_until DOUBLE PRECISION)",
        ),
    ),
)
_COLUMNS = "key, secret, name, created_at, previous_secret, previous_until"


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One API key; times in seconds since the epoch."""

    key: str
    secret: str
    name: str
    """What it is for, in the operator's words."""
    created_at: float
    previous_secret: str | None = None
    previous_until: float | None = None
    """Until when the secret before a rotation still holds."""

    def secrets(self, now: float) -> tuple[str, ...]:
        """Those that hold, the one that signs first."""
        if self.previous_secret and self.previous_until and now < self.previous_until:
            return self.secret, self.previous_secret
        return (self.secret,)


class KeyTable:
    """Adds, rotates and revokes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[KeyRow]:
        """Every key, the oldest first."""
        return await self._database.run(_all)

    async def add(self, row: KeyRow) -> None:
        """Raises KeyExists."""

        def work(db: Transaction) -> bool:
            if _find(db, row.key) is not None:
                return False
            values = (row.key, row.secret, row.name, row.created_at)
            db.execute("INSERT INTO api_keys (key, secret, name, created_at) VALUES (?, ?, ?, ?)", values)
            return True

        if not await self._database.run(work):
            raise KeyExists(row.key)

    async def rotate(self, key: str, secret: str, previous_until: float) -> None:
        """Give a key another secret; the one it had holds until then. Raises NoSuchKey."""
        sql = "UPDATE api_keys SET previous_secret = secret, previous_until = ?, secret = ? WHERE key = ?"
        if not await self._database.run(lambda db: db.execute(sql, (previous_until, secret, key))):
            raise NoSuchKey(key)

    async def revoke(self, key: str) -> None:
        """Forget a key: what it signed is worth nothing from now on. Raises NoSuchKey."""
        if not await self._database.run(lambda db: db.execute("DELETE FROM api_keys WHERE key = ?", (key,))):
            raise NoSuchKey(key)


def _all(db: Transaction) -> list[KeyRow]:
    return [KeyRow(*row) for row in db.rows(f"SELECT {_COLUMNS} FROM api_keys ORDER BY created_at, key")]  # noqa: S608


def _find(db: Transaction, key: str) -> KeyRow | None:
    row = db.row(f"SELECT {_COLUMNS} FROM api_keys WHERE key = ?", (key,))  # noqa: S608 - a constant
    return KeyRow(*row) if row else None
