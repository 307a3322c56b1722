"""What a client sends is sorted by stream, numbered, and repaired; what makes no sense is counted."""

from dataclasses import dataclass, field

import pytest

from sfu.forwarding.binding import MAX_SSRCS, MAX_STREAMS, RESTART_S, Binding
from sfu.forwarding.ingress import Ingress
from sfu.forwarding.layout import SourceExtensions
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.uptrack import Layer, UpTrack
from sfu.rtp.extensions import ExtensionUri, encode
from sfu.rtp.header import FIXED_HEAD
from sfu.streams.arrivals import Arrivals
from sfu.streams.speakers import SpeechSettings
from tests.harness.forwarding import OPUS, RED, VP8, VP8_RTX, audio_track, video_track
from tests.harness.rtp_stream import rtp_header

EXTENSIONS = {
    1: ExtensionUri.MID,
    2: ExtensionUri.RID,
    3: ExtensionUri.REPAIRED_RID,
    5: ExtensionUri.TRANSPORT_CC,
    10: ExtensionUri.AUDIO_LEVEL,
}
ROW = 3
KEY = bytes([0x10, 0, 0, 0]) + b"key frame"
DELTA = bytes([0x10, 1, 0, 0]) + b"delta frame"


@dataclass
class Sink:
    packets: list[tuple[Layer, int, MediaPacket]] = field(default_factory=list)
    started: list[Layer] = field(default_factory=list)

    def media(self, layer: Layer, sequence: int, packet: MediaPacket) -> None:
        self.packets.append((layer, sequence, packet))

    def layer_started(self, layer: Layer) -> None:
        self.started.append(layer)


def receive(ingress: Ingress, packet: bytes, now: float) -> None:
    """Hand a packet over as a tick does: somewhere in a larger memory."""
    memory = bytes(7) + packet + b"\xff" * 16
    head = FIXED_HEAD.unpack_from(memory, 7)
    ingress.receive(memoryview(memory), 7, len(packet), head, 5_000_000, now)


class Client:
    """Sends to an ingress."""

    def __init__(self) -> None:
        self.sink = Sink()
        self.arrivals = Arrivals()
        self.ingress = Ingress(self.sink, SourceExtensions, SpeechSettings(), self.arrivals, ROW)
        self.now = 100.0

    @property
    def transport_wide(self) -> list[int]:
        """Transport-wide numbers, as they came."""
        keys, arrivals_us = self.arrivals.take()
        self.arrivals.put_back(keys, arrivals_us)
        assert {key >> 16 for key in keys.tolist()} <= {ROW}
        return [key & 0xFFFF for key in keys.tolist()]

    def bind(self, track: UpTrack, **fields: object) -> None:
        fields.setdefault("mid", "0")
        for layer in track.layers:
            layer.rendition(temporal=7, plain=False)  # somebody wants it
        self.ingress.bind(Binding(track, **fields), EXTENSIONS)  # type: ignore[arg-type]

    def send(
        self,
        ssrc: int,
        sequence: int,
        payload: bytes = DELTA,
        *,
        payload_type: int = 96,
        timestamp: int = 3000,
        **values: bytes,
    ) -> None:
        ids = {"mid": 1, "rid": 2, "repaired": 3, "twcc": 5, "level": 10}
        extensions = [(ids[name], value) for name, value in values.items()]
        header = rtp_header(payload_type, sequence, timestamp, ssrc, False, extensions)
        receive(self.ingress, header + payload, self.now)

    @property
    def numbers(self) -> list[int]:
        return [sequence & 0xFFFF for _, sequence, _ in self.sink.packets]


@pytest.fixture
def client() -> Client:
    return Client()


class TestBinding:
    def test_a_declared_ssrc(self, client: Client):
        track = video_track()
        client.bind(track, ssrcs=(0x1000,))
        client.send(0x1000, 7)
        ((layer, sequence, packet),) = client.sink.packets
        assert (layer, sequence & 0xFFFF, bytes(packet.payload)) == (track.layers[0], 7, DELTA)

    def test_an_undeclared_ssrc_by_its_mid(self, client: Client):
        camera, screen = video_track(), video_track()
        client.bind(camera, mid="0")
        client.bind(screen, mid="1")
        client.send(0xABC, 1)
        assert client.ingress.unknown == 1, "the payload type fits both"
        client.send(0xABC, 2, mid=b"1")
        client.send(0xABC, 3)
        assert [layer for layer, _, _ in client.sink.packets] == [screen.layers[0]] * 2
        assert screen.layers[0].ssrc == 0xABC

    def test_an_undeclared_ssrc_by_its_payload_type_where_only_one_fits(self, client: Client):
        voice = audio_track()
        client.bind(video_track(), mid="0")
        client.bind(voice, mid="1")
        client.send(0xABC, 1, b"sound", payload_type=111)
        assert client.sink.packets[0][0] is voice.layers[0]

    def test_simulcast_layers_by_rid(self, client: Client):
        track = video_track(layers=3)
        client.bind(track, rids=("q", "h", "f"))
        for ssrc, rid in ((0xF, b"f"), (0xE, b"q"), (0xD, b"h")):
            client.send(ssrc, 1, mid=b"0", rid=rid)
        assert [layer.rid for layer, _, _ in client.sink.packets] == ["f", "q", "h"]
        assert [layer.ssrc for layer in track.layers] == [0xE, 0xD, 0xF]

    @pytest.mark.parametrize("rid", [b"", b"x", b"\xff\xfe"])
    def test_an_unknown_rid_is_refused(self, client: Client, rid: bytes):
        client.bind(video_track(layers=2), rids=("q", "h"))
        client.send(0xF, 1, mid=b"0", rid=rid)
        assert client.sink.packets == []
        assert client.ingress.unknown == 1

    def test_simulcast_layers_by_ssrc(self, client: Client):
        track = video_track(layers=3)
        client.bind(track, ssrcs=(11, 12, 13))
        for ssrc in (13, 11, 12):
            client.send(ssrc, 1)
        assert [layer.spatial for layer, _, _ in client.sink.packets] == [2, 0, 1]

    def test_after_unbinding_nothing_is_known(self, client: Client):
        track = video_track()
        client.bind(track, ssrcs=(0x1000,), rtx_ssrcs={0x1000: 0x1001})
        client.send(0x1000, 1)
        client.ingress.unbind(track)
        client.send(0x1000, 2)
        assert client.numbers == [1]
        assert not client.ingress.streams
        assert not client.ingress.repairs

    def test_streams_are_limited(self, client: Client):
        client.bind(video_track(layers=3), rids=("q", "h", "f"))
        for n in range(MAX_STREAMS + 50):
            client.send(1000 + n, 1, mid=b"0", rid=b"qhf"[n % 3 : n % 3 + 1])
        assert len(client.ingress.streams) + len(client.ingress.repairs) <= MAX_STREAMS

    def test_of_too_many_ssrcs_the_oldest_unused_is_forgotten(self, client: Client):
        client.bind(video_track(), ssrcs=(0,))
        client.send(0, 1)
        forgotten: list[int] = []
        client.ingress.forget = forgotten.append
        for ssrc in range(MAX_SSRCS):
            client.ingress.authenticated(ssrc)
        assert forgotten == []
        client.ingress.authenticated(MAX_SSRCS)
        client.ingress.authenticated(MAX_SSRCS)
        assert forgotten == [1], "0 is in use"

    def test_packets_that_make_no_sense_count_too(self, client: Client):
        forgotten: list[int] = []
        client.ingress.forget = forgotten.append
        for ssrc in range(MAX_SSRCS + 5):
            receive(client.ingress, b"\x9f\x60" + bytes(6) + ssrc.to_bytes(4, "big"), 1.0)
        assert forgotten == list(range(5))
        assert client.ingress.malformed == MAX_SSRCS + 5


class TestReplacedSsrc:
    """A client that starts a layer anew under another SSRC."""

    @pytest.mark.parametrize("rids", [(), ("q", "h")])
    def test_the_new_one_takes_the_layer_over(self, client: Client, rids: tuple[str, ...]):
        track = video_track(layers=len(rids) or 1)
        client.bind(track, rids=rids)
        values = {"mid": b"0"} | ({"rid": b"q"} if rids else {})
        client.send(0xA, 60_000, KEY, **values)
        client.send(0xB, 5, KEY, **values)
        client.send(0xB, 6)
        assert [layer for layer, _, _ in client.sink.packets] == [track.layers[0]] * 3
        assert set(client.ingress.streams) == {0xB}
        assert client.sink.started == [track.layers[0]] * 2, "who watches it has to be switched again"

    def test_what_still_comes_of_the_old_one_is_ignored(self, client: Client):
        client.bind(video_track())
        client.send(0xA, 60_000, KEY, mid=b"0")
        client.send(0xB, 5, KEY, mid=b"0")
        client.send(0xA, 60_001, mid=b"0")
        client.send(0xB, 6)
        assert client.numbers == [60_000, 5, 6]
        assert client.ingress.ignored == 1

    def test_it_happens_seldom_or_a_flood_of_them_would_keep_everybody_busy(self, client: Client):
        client.bind(video_track())
        for ssrc in (0xA, 0xB, 0xC):
            client.send(ssrc, 1, KEY, mid=b"0")
        assert set(client.ingress.streams) == {0xB}
        assert client.ingress.unknown == 1
        client.now += 2 * RESTART_S
        client.send(0xC, 2, KEY, mid=b"0")
        assert set(client.ingress.streams) == {0xC}

    def test_a_new_offer_may_name_another_and_the_first_again(self, client: Client):
        track = video_track()
        client.bind(track, ssrcs=(0xA,))
        client.send(0xA, 60_000, KEY)
        client.bind(track, ssrcs=(0xB,))
        client.send(0xA, 60_001)
        client.send(0xB, 5, KEY)
        client.bind(track, ssrcs=(0xA,))
        client.send(0xA, 7, KEY)
        assert client.numbers == [60_000, 5, 7]
        assert client.sink.started == [track.layers[0]] * 3

    def test_nobody_forwards_numbers_of_two_sources(self, client: Client):
        track = video_track()
        client.bind(track)
        client.send(0xA, 60_000, KEY, mid=b"0")
        before = track.layers[0].rendition(temporal=7, plain=False)
        client.send(0xB, 5, KEY, mid=b"0")
        assert track.layers[0].renditions == []
        assert track.layers[0].rendition(temporal=7, plain=False) is not before


class TestOrder:
    def test_late_and_repeated_packets(self, client: Client):
        client.bind(video_track(), ssrcs=(9,))
        for sequence in (65_534, 65_535, 1, 1, 0, 65_535):
            client.send(9, sequence)
        assert client.numbers == [65_534, 65_535, 1, 0]
        first, *_, last = (sequence for _, sequence, _ in client.sink.packets)
        assert last - first == 2
        assert client.ingress.ignored == 2

    def test_padding_keeps_no_number(self, client: Client):
        track = video_track()
        client.bind(track, ssrcs=(9,))
        rendition = track.layers[0].rendition(temporal=7, plain=False)
        client.send(9, 10)
        rendition.take(client.sink.packets[-1][1], client.sink.packets[-1][2])
        client.send(9, 11, b"")
        assert rendition.numbering.forward(client.sink.packets[0][1] + 2) == (
            client.sink.packets[0][1] + 1,
            0,
        )
        assert client.numbers == [10]
        assert client.ingress.ignored == 1

    def test_an_unknown_payload_type(self, client: Client):
        client.bind(video_track(), ssrcs=(9,))
        client.send(9, 1, payload_type=127)
        assert client.sink.packets == []
        assert client.ingress.unknown == 1

    def test_missing_packets_are_asked_for_only_with_nack(self, client: Client):
        client.bind(video_track(), ssrcs=(9,), nack=True)
        client.bind(video_track(), mid="1", ssrcs=(8,), nack=False)
        client.send(9, 1)
        client.send(9, 5)
        nacks = client.ingress.streams[9].nacks
        assert nacks is not None
        assert len(nacks) == 3
        assert client.ingress.streams[8].nacks is None


class TestRetransmission:
    def test_a_lost_packet_comes_back(self, client: Client):
        client.bind(video_track(), ssrcs=(9,), rtx_ssrcs={9: 10}, nack=True)
        client.send(9, 100)
        client.send(9, 102)
        client.send(10, 7, (101).to_bytes(2, "big") + DELTA, payload_type=97)
        assert client.numbers == [100, 102, 101]
        assert bytes(client.sink.packets[-1][2].payload) == DELTA
        nacks = client.ingress.streams[9].nacks
        assert nacks is not None
        assert len(nacks) == 0

    def test_the_stream_is_found_by_repaired_rid(self, client: Client):
        track = video_track(layers=2)
        client.bind(track, rids=("q", "h"))
        client.send(0xA, 1, mid=b"0", rid=b"q")
        client.send(0xB, 1, mid=b"0", rid=b"h")
        client.send(0xB, 3)
        lost = (2).to_bytes(2, "big") + DELTA
        client.send(0xC, 1, lost, payload_type=97, mid=b"0", repaired=b"h")
        client.send(0xC, 2, lost, payload_type=97)
        assert client.sink.packets[-1][0].rid == "h"
        assert client.sink.packets[-1][1] & 0xFFFF == 2

    @pytest.mark.parametrize("payload", [b"", b"\0", b"\0\1"])
    def test_probing_padding_is_ignored(self, client: Client, payload: bytes):
        client.bind(video_track(), ssrcs=(9,), rtx_ssrcs={9: 10})
        client.send(9, 100)
        client.send(10, 7, payload, payload_type=97)
        assert client.numbers == [100]
        assert client.ingress.ignored == 1

    def test_what_was_received_already_or_never_lost_is_ignored(self, client: Client):
        client.bind(video_track(), ssrcs=(9,), rtx_ssrcs={9: 10})
        client.send(9, 100)
        for number, sequence in enumerate((100, 30_000, 101)):
            client.send(10, number, sequence.to_bytes(2, "big") + DELTA, payload_type=97)
        assert client.numbers == [100]
        assert client.ingress.ignored == 3


class TestLayers:
    def test_a_layer_comes_alive_with_its_first_key_frame(self, client: Client):
        track = video_track()
        client.bind(track, ssrcs=(9,))
        client.send(9, 1)
        assert client.sink.started == []
        assert track.layers[0].keyframes.waiting
        client.send(9, 2, KEY, timestamp=6000)
        client.send(9, 3, KEY, timestamp=9000)
        assert client.sink.started == [track.layers[0]]
        assert not track.layers[0].keyframes.waiting

    def test_audio_is_alive_at_once(self, client: Client):
        track = audio_track((RED, OPUS))
        client.bind(track, ssrcs=(9,))
        client.send(9, 1, b"sound", payload_type=63)
        assert client.sink.started == [track.layers[0]]
        assert client.sink.packets[0][2].slot == 1


class TestExtensions:
    def test_levels_of_microphones_are_measured(self, client: Client):
        voice, music = audio_track(measure_level=True), audio_track()
        client.bind(voice, mid="0", ssrcs=(9,))
        client.bind(music, mid="1", ssrcs=(8,))
        assert set(client.ingress.levels) == {voice}
        for n in range(30):
            client.now += 0.02
            for ssrc in (8, 9):
                client.send(ssrc, n, b"sound", payload_type=111, timestamp=960 * n, level=bytes([0x80 | 10]))
        assert client.ingress.levels[voice].level(client.now) > 0

    def test_transport_wide_numbers_are_noted_even_of_unknown_streams(self, client: Client):
        client.bind(video_track(), ssrcs=(9,))
        client.send(9, 1, twcc=b"\x00\x05")
        client.send(77, 1, payload_type=50, twcc=b"\x00\x06")
        assert client.transport_wide == [5, 6]

    def test_after_a_new_offer_ids_mean_what_it_says(self, client: Client):
        track = video_track()
        client.bind(track, ssrcs=(9,))
        client.send(9, 1, twcc=b"\x00\x05")
        client.ingress.bind(Binding(track, mid="0", ssrcs=(9,)), {5: ExtensionUri.MID})
        client.send(9, 2, twcc=b"\x00\x06")
        assert client.transport_wide == [5]

    def test_layouts_that_take_turns(self, client: Client):
        client.bind(video_track(), ssrcs=(9,))
        for sequence in range(12):
            values = {"twcc": bytes([1, sequence])} | ({"mid": b"0"} if sequence % 3 else {})
            client.send(9, sequence, **values)
        assert client.transport_wide == [0x100 + n for n in range(12)]

    def test_elements_go_along_for_the_profiles(self, client: Client):
        client.bind(video_track(), ssrcs=(9,))
        client.send(9, 1, mid=b"0", twcc=b"\0\1")
        packet = client.sink.packets[0][2]
        assert [packet.layout.value(packet.block, id_) for id_ in (1, 5, 10)] == [b"0", b"\0\1", None]
        assert packet.layout.source.uris == EXTENSIONS


def test_sound_that_nobody_wants_is_counted_and_goes_no_further(client: Client):
    track = audio_track()
    client.ingress.bind(Binding(track, mid="0", ssrcs=(9,)), EXTENSIONS)
    client.send(9, 1, b"sound", payload_type=111)
    assert client.sink.started == [track.layers[0]]
    assert client.sink.packets == []
    assert client.ingress.streams[9].stats.packets == 1


def test_a_packet_with_sources_and_padding(client: Client):
    client.bind(video_track(), ssrcs=(9,))
    sources = bytes(8)
    block = encode([(5, b"\0\7")])
    packet = b"\xb2\x60" + bytes(9) + b"\x09" + sources + block + DELTA + b"\0\0\3"
    receive(client.ingress, packet, 1.0)
    assert [bytes(packet.payload) for _, _, packet in client.sink.packets] == [DELTA]
    assert client.transport_wide == [7]


@pytest.mark.parametrize(
    "data",
    [
        b"\x9f" + bytes(11),
        b"\x90\x60" + bytes(10) + b"\xbe\xde\xff\xff",
        b"\xa0\x60" + bytes(10) + b"\xff",
        b"\x90\x60" + bytes(10) + b"\xbe\xde\x00\x01\x1f\x00\x00\x00",
    ],
    ids=["CSRCs", "extension", "padding", "element"],
)
def test_malformed_packets_are_counted(client: Client, data: bytes):
    client.bind(video_track(codecs=(VP8, VP8_RTX)), ssrcs=(9,))
    receive(client.ingress, data, 1.0)
    assert client.sink.packets == []
    assert client.ingress.malformed + client.ingress.unknown == 1
