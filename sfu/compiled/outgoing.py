"""The columns of the tables that packets on their way out are written from and kept in."""

SLOTS = 2
"""Codecs that one track may interleave on one stream: the main one, and redundant audio (RFC 2198)."""

SEQUENCE_FROM, TIMESTAMP_FROM, PICTURE_FROM, TL0_FROM, KEY_INDEX_FROM, SSRC, PAYLOAD_TYPE = range(7)
"""A down track: what is taken away from a packet's numbers, its SSRC, and a payload type for each slot."""
PEER, SINCE, DOWN_COLUMNS = (PAYLOAD_TYPE + SLOTS + n for n in range(3))

PORT, NAME, NAME_LENGTH, TWCC, PEER_COLUMNS = range(5)
"""A peer: index of the UDP port to send from (-1: none), where in memory its socket address is and how long that is,
and its next transport-wide number."""

BYTES, LENGTH, PADDED, HEADER_LENGTH, TWCC_AT, STREAM, DOWNS, COUNT = range(8)
"""A packet that copies are made of: where in memory it is, its size and that with padding, the size of its header, the
place of the transport-wide number (0: none), what it must not change places with, where in memory the rows of its down
tracks are, and how many."""
SEQUENCE, TIMESTAMP, MARKER, SLOT = range(8, 12)
PICTURE, PICTURE_AT, TL0, TL0_AT, KEY_INDEX, KEY_INDEX_AT = range(12, 18)
"""VP8's numbers and their places in the payload; a picture of -1: none of them, place 0: not this one."""
PACKET_COLUMNS = 18

TEMPLATES, PACKETS, STRIDE, LARGEST, MOST, PAD, ADDED, COPIES, LANE_WORDS = range(9)
"""A lane: where in memory its templates and records are, bytes between templates, size of the largest, how many there
may be, whether to make packets of a frame equally long; how many there are, and how many copies those have."""
LANES = 2
"""By size, of copies that don't wait; behind them as many of those that do."""

ROW_LENGTH, ROW_PEER, ROW_STATE, ROW_COLUMNS = range(4)
"""A copy: its size, to whom, and one of these:"""
PROTECTED, PLAIN, KEYLESS, REFUSED = range(4)
"""Encrypted; not yet; no keys to encrypt it with; refused, as its number has been used."""

COPY_PEER, COPY_DOWN, COPY_PACKET, COPY_COLUMNS = range(4)
"""A copy that is yet to be written."""

FRAME_OF, NEXT, BUCKET, FIRST, LAST, TURN, FRAME_COLUMNS = range(7)
"""Of each packet its frame, the frame's next packet (-1: none) and its place among streams; of each frame its first and
last packet, and how many frames of its stream go before it."""
