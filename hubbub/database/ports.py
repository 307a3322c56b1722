"""What a component sees of the database while its work is being done."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

Value = str | int | float | bytes | None
T = TypeVar("T")


class Transaction(Protocol):
    """Statements of one piece of work; all of them hold, or none. Parameters stand for question marks."""

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> int:
        """Carry out a statement; how many rows it changed."""

    def execute_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """Carry out a statement once for each row of parameters."""

    def rows(self, sql: str, parameters: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """All rows that a query gives; limit them in the query."""

    def row(self, sql: str, parameters: Sequence[Value] = ()) -> tuple[Any, ...] | None:
        """The first row, or None."""


Work = Callable[[Transaction], T]
"""A function that reads and writes. It runs in the database's thread, so it touches nothing that the event loop
changes, and it may run twice when others in its group fail, so it does nothing but return its result."""
