"""A packet is the same whichever way it is made."""

from sfu.forwarding.packet import MediaPacket, packet_of, with_picture
from tests.harness.forwarding import NO_IDS, media


def test_the_fast_way_makes_the_same_packet():
    fields = (b"x", 1, 0x80, 1, NO_IDS.none, 5, True, True, 2, True, 7, 2, 8, 4, 9, 5)
    assert packet_of(fields) == MediaPacket(*fields)
    assert isinstance(packet_of(fields), MediaPacket)


def test_only_the_picture_id_changes():
    packet = media(picture=7, picture_at=2, tl0=8, tl0_at=4, temporal=1)
    assert with_picture(packet, 5) == packet._replace(picture=5)
