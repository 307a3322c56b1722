"""The doors that clients come through: HTTP checks, WebSocket framing, protocol messages."""
