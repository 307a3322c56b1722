"""What can't be encoded."""


class BadFrame(ValueError):
    """A frame or samples of a shape, type or size that the track can't take."""
