"""What outlives the process: one SQLite database, and the way for components to keep their tables in it.

A component has a ``Schema`` of its own beside its code and hands its work to the ``Database``::

    SCHEMA = Schema("bans", migrations=(("CREATE TABLE bans (identity TEXT PRIMARY KEY)",),))

    database = Database("data/hubbub.db")
    await database.open([SCHEMA])
    await database.run(lambda db: db.execute("INSERT INTO bans VALUES (?)", (identity,)))

Tables and statements keep to what SQLite and PostgreSQL both understand, so that a database by URL can follow.
"""

from .config import DatabaseConfig, database_path
from .database import Database
from .errors import Conflict, DatabaseError, DatabaseUnavailable
from .ports import Transaction, Value, Work
from .schema import Schema

__all__ = [
    "Conflict",
    "Database",
    "DatabaseConfig",
    "DatabaseError",
    "DatabaseUnavailable",
    "Schema",
    "Transaction",
    "Value",
    "Work",
    "database_path",
]
