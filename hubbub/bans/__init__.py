"""Bans and revoked tokens in the database (``rooms.bans`` has those that hold)."""
