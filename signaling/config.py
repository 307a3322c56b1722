"""Settings of the signal connections."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SignalingConfig:
    """Limits and timers of the WebSocket doors. Sizes in bytes, durations in seconds."""

    ping_interval_s: int = 5
    """How often clients shall send a ping. Whole seconds."""
    ping_timeout_s: int = 15
    """How long clients shall wait for its answer before they reconnect. Whole seconds."""
    control_ping_s: float = 10.0
    """How often the server sends a WebSocket ping."""
    max_message_bytes: int = 2 * 1024 * 1024
    """Longest signal message, before and after decompression."""
    max_join_request_bytes: int = 1024 * 1024
    """Longest join_request after decompression."""
    max_url_bytes: int = 64 * 1024
    """Longest request line and header; a reconnect carries its whole state in the URL."""
    send_queue_messages: int = 1000
    """Messages waiting for one client; one that falls further behind is disconnected."""
    send_queue_bytes: int = 4 * 1024 * 1024
    """Bytes waiting for one client."""
    json_max_message_bytes: int = 1024 * 1024
    """Longest message of a client of the JSON door (/ws)."""
    json_max_rooms: int = 10
    """Rooms that a client of the JSON door may be in over one connection."""
    json_max_tracks: int = 16
    """Tracks that a client of the JSON door may publish over one connection, in all its rooms."""
    region: str = ""
    """Name of the place that this server is in, as clients are told."""
