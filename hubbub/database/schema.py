"""Tables of one component, and how they came to be what they are."""

from dataclasses import dataclass

from hubbub.errors import StartError

from .ports import Transaction

_VERSIONS = "CREATE TABLE IF NOT EXISTS schema_versions (component TEXT PRIMARY KEY, version BIGINT NOT NULL)"


@dataclass(frozen=True, slots=True)
class Schema:
    """A component's migrations, the oldest first; each is a few statements. None is ever changed or removed."""

    component: str
    """Its tables' names begin with it."""
    migrations: tuple[tuple[str, ...], ...]


def migrate(transaction: Transaction, schema: Schema) -> int:
    """Bring a component's tables up to date; how many migrations that took.

    Raises StartError when they are of a later version than this program knows.
    """
    transaction.execute(_VERSIONS)
    row = transaction.row("SELECT version FROM schema_versions WHERE component = ?", (schema.component,))
    version, newest = row[0] if row else 0, len(schema.migrations)
    if version > newest:
        raise StartError(
            f"the database's {schema.component} are of version {version}, and this Hubbub knows {newest} at most; "
            "run the newer Hubbub that made them"
        )
    for statements in schema.migrations[version:]:
        for statement in statements:
            transaction.execute(statement)
    transaction.execute(
        "INSERT INTO schema_versions (component, version) VALUES (?, ?) "
        "ON CONFLICT (component) DO UPDATE SET version = excluded.version",
        (schema.component, newest),
    )
    return newest - version
