"""What the RTP and RTCP parsers raise."""


class RtpError(ValueError):
    """Bytes that are no valid RTP, RTCP or header extension; the packet is to be counted and dropped.

    The builders raise it too, for values that don't fit their fields.
    """
