"""Whom to tell of what, and how patiently."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

EVENTS = (
    "room_started",
    "room_finished",
    "participant_joined",
    "participant_left",
    "participant_connection_aborted",
    "track_published",
    "track_unpublished",
    "egress_started",
    "egress_updated",
    "egress_ended",
    "ingress_started",
    "ingress_ended",
)
"""All that there are."""


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """One receiver."""

    url: str
    name: str = ""
    """What logs and the API call it; made of the URL where it is empty."""
    api_key: str = ""
    """Key whose secret signs; the common one where it is empty."""
    include_events: tuple[str, ...] = ()
    """Events that it gets, and no others; empty for all."""
    exclude_events: tuple[str, ...] = ()
    """Events that it doesn't get, unless include_events names any."""
    rooms: tuple[str, ...] = ()
    """Patterns such as ``prod-*`` of which a room's name must match one; empty for all rooms."""

    def wants(self, event: str, room: str) -> bool:
        """Whether it is to be told of this event."""
        if self.include_events:
            if event not in self.include_events:
                return False
        elif event in self.exclude_events:
            return False
        return not self.rooms or any(fnmatchcase(room, pattern) for pattern in self.rooms)


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """Receivers of events, and how long they are tried. Durations in seconds."""

    urls: tuple[str, ...] = ()
    """Receivers of all events, by HTTP POST."""
    api_key: str = ""
    """API key whose secret signs what is sent. Empty for the first one."""
    include_events: tuple[str, ...] = ()
    """Events that receivers get, and no others, such as [room_started, room_finished]. Empty for all."""
    exclude_events: tuple[str, ...] = ()
    """Events that receivers don't get, unless include_events names any."""
    targets: tuple[WebhookTarget, ...] = ()
    """More receivers, each {url, name, api_key, include_events, exclude_events, rooms}. Only url is needed; rooms
    are patterns such as "prod-*"."""
    full_room: bool = False
    """Put the whole room into track events, not only its name and sid."""
    timeout_s: float = 10.0
    """How long a receiver may take to answer."""
    retry_min_s: float = 1.0
    """Wait before the second try; each further wait is twice as long."""
    retry_max_s: float = 60.0
    """Longest wait between tries. Whatever Retry-After says, it is no longer than this."""
    retry_for_s: float = 24 * 3600.0
    """How long an event is tried. After that it is a dead letter, and the room's next one has its turn."""
    max_connections: int = 8
    """Connections to one receiver at a time, so also rooms that it hears of at a time."""
    max_pending: int = 1_000_000
    """Events that may wait for one receiver; further ones are dropped and counted."""
    keep_delivered_s: float = 24 * 3600.0
    """How long delivered events can be listed and replayed."""
    keep_dead_s: float = 7 * 24 * 3600.0
    """How long dead letters can be listed and replayed."""

    def receivers(self) -> tuple[WebhookTarget, ...]:
        """All of them, each with a name of its own, a key if there is one, and the events it is to get."""
        plain = (WebhookTarget(url) for url in self.urls)
        return tuple(_named(self._filtered(target) for target in (*plain, *self.targets)))

    def _filtered(self, target: WebhookTarget) -> WebhookTarget:
        """The common filter is for those without one of their own."""
        target = replace(target, api_key=target.api_key or self.api_key)
        if target.include_events or target.exclude_events:
            return target
        return replace(target, include_events=self.include_events, exclude_events=self.exclude_events)


def _named(targets: Iterable[WebhookTarget]) -> Iterator[WebhookTarget]:
    """A URL's query may hold a secret, so it is no part of the name."""
    taken: set[str] = set()
    for target in targets:
        parts = urlsplit(target.url)
        stem = name = target.name or f"{parts.scheme}://{parts.netloc}{parts.path}"
        number = 1
        while name in taken:
            number += 1
            name = f"{stem} ({number})"
        taken.add(name)
        yield replace(target, name=name)
