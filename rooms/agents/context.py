"""What everything about agents shares: settings, the rooms, the workers, the jobs."""

from collections.abc import Callable
from dataclasses import dataclass, field

from rooms.ids import Ids
from rooms.ports import Clock, TokenMinter
from rooms.service import RoomService
from rooms.session import Session
from rooms.timers import Timer

from .config import AgentsConfig
from .dispatch import Dispatch
from .job import Job
from .workers import Workers


@dataclass(eq=False)
class Book:
    """What is known of one room."""

    dispatches: dict[str, Dispatch] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    """Those that have not ended, by id."""
    people: set[str] = field(default_factory=set)
    """Identities of the participants that agents are for."""
    publishers: set[str] = field(default_factory=set)
    """Identities of those that have published."""


@dataclass(frozen=True, slots=True)
class AgentContext:
    """One per AgentService."""

    config: AgentsConfig
    rooms: RoomService
    workers: Workers
    minter: TokenMinter
    clock: Clock
    ids: Ids
    books: dict[str, Book] = field(default_factory=dict)
    """By room name."""
    jobs: dict[str, Job] = field(default_factory=dict)
    """All that have not ended, by id."""

    def later(self, delay_s: float, action: Callable[[], None]) -> Timer:
        """Have something done after this time."""
        return self.rooms.later(delay_s, action)

    def session(self, room_name: str, identity: str) -> Session | None:
        """Somebody who is in a room."""
        room = self.rooms.room(room_name)
        return None if room is None else room.sessions.get(identity)

    def book(self, room_name: str) -> Book:
        """The book of a room."""
        return self.books.setdefault(room_name, Book())

    def agent(self, room_name: str, identity: str) -> Job | None:
        """The job of a room whose agent has this identity."""
        book = self.books.get(room_name)
        jobs = book.jobs.values() if book is not None else ()
        return next((job for job in jobs if job.identity == identity), None)

    def add(self, job: Job) -> None:
        """There is a new job."""
        self.jobs[job.id] = job
        self.book(job.room_name).jobs[job.id] = job
        if job.dispatch is not None:
            job.dispatch.jobs[job.id] = job

    def drop(self, job: Job) -> None:
        """A job is over. The book of a room that isn't there, for simulated jobs, closes with the last."""
        self.jobs.pop(job.id, None)
        book = self.books.get(job.room_name)
        if book is not None:
            book.jobs.pop(job.id, None)
            if not book.jobs and not book.dispatches and self.rooms.room(job.room_name) is None:
                del self.books[job.room_name]
