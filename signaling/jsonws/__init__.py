"""The JSON door: rooms over a WebSocket of plain JSON, for clients without an SDK (docs/json-protocol.md).

``door.py`` takes connections in, ``connection.py`` reads requests (``messages.py``) and hands them to the rooms that
the client is in, each of which is a ``link.py`` that turns them into those of a session; ``teller.py`` turns what the
session says into messages.
"""
