"""What participants inside the server can't do.

::

    EmbeddedError
    ├── NotJoined       there was no place, or the room ended at once
    ├── NotPublished    the track was refused
    ├── TrackClosed     written to after its end, whoever ended it
    └── Unreceivable    a track in a codec that is not decoded here
"""


class EmbeddedError(Exception):
    """Base of every exception of this package."""


class NotJoined(EmbeddedError):
    """The participant is not in the room."""


class NotPublished(EmbeddedError):
    """The server does not let the participant publish the track; the text says why."""


class TrackClosed(EmbeddedError):
    """The track is closed, unpublished, or its participant has left."""


class Unreceivable(EmbeddedError):
    """The track's codec can't be decoded; audio must be Opus and video VP8."""
