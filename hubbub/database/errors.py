"""What can go wrong with a database that has been opened.

::

    HubbubError
    └── DatabaseError
        ├── Conflict             the rows that are there don't allow it: a key that exists, a row that is referred to
        └── DatabaseUnavailable  nothing was written: the disk is full or broken, or the queue of work is
"""

from hubbub.errors import HubbubError


class DatabaseError(HubbubError):
    """Base of what this package raises; a statement that makes no sense is a bug and raises what sqlite3 does."""


class Conflict(DatabaseError):
    """A constraint of the schema refuses the change."""


class DatabaseUnavailable(DatabaseError):
    """It did not happen, and may work later."""
