"""How long secrets overlap."""

ROTATION_S = 24 * 3600.0
"""How long the secret before a rotation still holds, unless something else is said: as long as most tokens live."""
