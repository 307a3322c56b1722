"""Why a request gets no session.

The text of each is the body of the HTTP answer (statuses: ``hubbub.api.errors``).
"""


class SignalingError(Exception):
    """Base of what this package raises for a client's fault."""


class BadRequest(SignalingError):
    """A parameter that can't be used (400)."""


class Unauthorized(SignalingError):
    """No token, a bad one, or one that doesn't permit what is asked (401)."""


class NotAWebSocket(SignalingError):
    """A plain request to a path that only speaks WebSocket (404 without a body, as LiveKit answers)."""


class BadFrame(SignalingError):
    """A frame that is no SignalRequest; the connection is closed."""
