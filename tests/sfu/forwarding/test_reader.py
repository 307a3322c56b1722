"""What forwarding learns from a payload, codec by codec."""

from itertools import pairwise
from random import Random

import pytest

from sfu.codecs import vp8
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.reader import AudioReader, KeyframeReader, Reader, Vp8Reader, reader_for
from tests.harness import rtp_payloads as payloads
from tests.harness.forwarding import NO_IDS, media


def read(reader: Reader, payload: bytes) -> MediaPacket:
    return reader.read(payload, 1 << 32, 0, 0, NO_IDS.none, 0)


def vp8_packets(reader: Vp8Reader, picture_id: int, *, key: bool = False, tl0: int = 0, temporal: int = 0):
    frame = payloads.vp8_frame(
        2500, Random(1), key=key, picture_id=picture_id, tl0=tl0, temporal=temporal, sync=temporal > 0
    )
    return [read(reader, part) for part in frame]


def test_each_codec_has_its_reader():
    assert isinstance(reader_for("video/vp8"), Vp8Reader)
    assert isinstance(reader_for("video/h264"), KeyframeReader)
    assert isinstance(reader_for("audio/opus"), AudioReader)
    assert isinstance(reader_for("audio/g722"), AudioReader)
    with pytest.raises(ValueError, match="no key frame rule"):
        reader_for("video/theora")


def test_any_audio_packet_is_a_place_to_start():
    assert read(AudioReader(), b"sound").keyframe


def test_only_the_first_packet_of_a_picture_starts_it():
    first, *rest = vp8_packets(Vp8Reader(), 100, key=True)
    assert first.keyframe
    assert first.picture_start
    assert rest
    assert not any(packet.keyframe or packet.picture_start for packet in rest)
    assert {packet.picture & 0x7FFF for packet in [first, *rest]} == {100}


def test_temporal_layers_and_their_sync_points():
    reader = Vp8Reader()
    base, upper = vp8_packets(reader, 5)[0], vp8_packets(reader, 6, temporal=2)[0]
    assert (base.temporal, base.layer_sync) == (0, False)
    assert (upper.temporal, upper.layer_sync) == (2, True)


def test_ids_are_extended_across_their_wraps():
    reader = Vp8Reader()
    numbers = [vp8_packets(reader, n & 0x7FFF, tl0=n & 0xFF)[0] for n in range(0x7FF0, 0x8010)]
    assert all(b.picture - a.picture == 1 for a, b in pairwise(numbers))
    assert all(b.tl0 - a.tl0 == 1 for a, b in pairwise(numbers))
    late = vp8_packets(reader, 0x7FFF)[0]
    assert late.picture == numbers[0x7FFF - 0x7FF0].picture


def test_short_picture_ids_are_widened():
    payload = bytes([0x90, 0x80, 0x05, 0x01, 0, 0]) + b"rest of the picture"
    packet = read(Vp8Reader(), payload)
    descriptor = vp8.parse(packet.payload)
    assert descriptor is not None
    assert (descriptor.picture_id, descriptor.picture_id_bits) == (5, 15)
    assert packet.picture_at == descriptor.picture_id_offset
    assert len(packet.payload) == len(payload) + 1


def test_without_ids_there_is_nothing_to_rewrite():
    packet = read(Vp8Reader(), bytes([0x10, 0x00, 0, 0]) + b"x" * 20)
    assert packet.keyframe
    assert (packet.picture, packet.picture_at, packet.tl0_at, packet.key_index_at) == (-1, 0, 0, 0)


@pytest.mark.parametrize("payload", [b"", b"\x80", b"\x90\x80", b"\x90\xf0\x80\x01", b"\x90\xff\xff"])
def test_what_makes_no_sense_is_forwarded_as_it_is(payload: bytes):
    reader = Vp8Reader()
    for _ in range(2):
        assert read(reader, payload) == media(payload=payload)
        vp8_packets(reader, 7)  # what came before must not be taken for its own


def test_a_later_packet_reads_as_if_it_came_alone():
    """The descriptor of a picture is not parsed again for each of its packets."""
    reader, picture = Vp8Reader(), bytes([0x90, 0xF0, 0x81, 0x02, 7, 0x65])
    read(reader, picture + b"\0first")
    for head in (
        bytes([0x80]) + picture[1:],
        picture,
        bytes([0x80, 0xF0, 0x81, 0x02, 8, 0x65]),
        bytes([0x00]) + picture[1:],
        bytes([0x80, 0xE0, 0x81, 0x02, 7, 0x65]),
    ):
        for payload in (head + b"\0rest", head + b"\1", head):
            alone = Vp8Reader()
            read(alone, picture + b"\0first")
            alone._continued = b""
            assert read(reader, payload) == read(alone, payload)
            read(reader, picture + b"\0first")


@pytest.mark.parametrize("codec", ["vp9", "h264", "av1"])
def test_key_frames_of_other_codecs(codec: str):
    reader = reader_for(f"video/{codec}")
    if codec == "vp9":
        key, delta = (
            payloads.vp9_frame(2500, Random(1), key=is_key, picture_id=1, tl0=1, temporal=0)
            for is_key in (True, False)
        )
    else:
        make = payloads.h264_frame if codec == "h264" else payloads.av1_frame
        key, delta = (make(2500, Random(1), key=is_key) for is_key in (True, False))
    assert read(reader, key[0]).keyframe
    assert not any(read(reader, part).keyframe for part in [*key[2:], *delta])
