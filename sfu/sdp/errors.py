"""What the package raises."""


class SdpError(Exception):
    """A session description that can't be used: malformed, over a limit, or at odds with the one before."""
