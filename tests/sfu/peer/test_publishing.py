"""Announced tracks and offered m-lines find each other, in either order, and end together."""

from dataclasses import replace

import pytest

from sfu import control
from sfu.config import MediaConfig
from sfu.control import LayerInfo, TrackId
from tests.harness.offers import Line, write_offer
from tests.sfu.peer.parts import Client, Subscriber, World, names
from tests.sfu.sdp.conftest import read

MIC = Line("audio", "0", "sendonly", cid="mic")
CAMERA = Line("video", "1", "sendonly", cid="camera", rids=("q", "h", "f"))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def client(world: World) -> Client:
    return Client(world)


def _started(client: Client) -> dict[str, control.TrackStarted]:
    return {e.track_id: e for e in client.events(control.TrackStarted) if isinstance(e, control.TrackStarted)}


def _ended(client: Client) -> list[str]:
    return [e.track_id for e in client.events(control.TrackEnded) if isinstance(e, control.TrackEnded)]


# --- finding each other ---


def test_announced_then_offered(client: Client) -> None:
    client.expect("TR_1", "audio", "mic")
    assert _started(client) == {}
    answer = client.offer([MIC])
    assert answer.sections[0].direction == "recvonly"
    event = _started(client)["TR_1"]
    assert (event.mime, event.mid, event.cid) == ("audio/opus", "0", "mic")
    assert event.layers == (LayerInfo(0, "", 0),)


def test_offered_then_announced(client: Client) -> None:
    """The offer is answered at once all the same: clients send no candidates before."""
    answer = client.offer([MIC, CAMERA])
    assert [section.direction for section in answer.sections] == ["recvonly", "recvonly"]
    assert _started(client) == {}
    client.expect("TR_2", "video", "camera")
    assert list(_started(client)) == ["TR_2"]
    client.expect("TR_1", "audio", "mic")
    assert list(_started(client)) == ["TR_2", "TR_1"]


@pytest.mark.parametrize("announced", [("a", "b"), ("b", "a")])
@pytest.mark.parametrize("offer_first", [False, True])
def test_two_tracks_of_a_kind_are_told_apart_by_their_ids(
    client: Client, announced: tuple[str, str], offer_first: bool
) -> None:
    lines = [Line("video", "0", "sendonly", cid="a"), Line("video", "1", "sendonly", cid="b")]
    if offer_first:
        client.offer(lines)
    for cid in announced:
        client.expect(f"TR_{cid}", "video", cid)
    if not offer_first:
        client.offer(lines)
    assert {track: event.mid for track, event in _started(client).items()} == {"TR_a": "0", "TR_b": "1"}


def test_a_track_may_be_known_by_several_ids(client: Client) -> None:
    client.expect("TR_1", "video", "original", "camera")
    client.offer([CAMERA])
    assert _started(client)["TR_1"].cid == "camera"


def test_the_kind_must_agree(client: Client) -> None:
    client.expect("TR_1", "audio", "camera")
    client.offer([CAMERA])
    assert _started(client) == {}


def test_lines_without_an_id_are_taken_in_order(client: Client) -> None:
    client.expect("TR_1", "video")
    client.expect("TR_2", "video", "named")
    lines = [replace(CAMERA, mid="0", cid=""), Line("video", "1", "sendonly", cid="named")]
    client.offer(lines)
    assert {track: event.mid for track, event in _started(client).items()} == {"TR_1": "0", "TR_2": "1"}


def test_a_line_without_an_id_may_come_before_its_announcement(client: Client) -> None:
    client.offer([replace(CAMERA, cid="")])
    client.expect("TR_1", "video", "whatever")
    assert list(_started(client)) == ["TR_1"]


def test_a_lone_line_with_another_id_is_the_lone_track_announced(client: Client) -> None:
    """A client that replaces the track before its offer sends the new one's id."""
    client.expect("TR_1", "video", "before")
    client.expect("TR_2", "audio", "mic")
    client.offer([replace(CAMERA, cid="after")])
    assert _started(client)["TR_1"].cid == "after"


def test_there_is_no_guessing_between_two(client: Client) -> None:
    client.expect("TR_1", "video", "one")
    client.expect("TR_2", "video", "two")
    client.offer([replace(CAMERA, cid="other")])
    assert _started(client) == {}
    client.expect("TR_3", "video", "other")
    assert list(_started(client)) == ["TR_3"]


def test_a_line_whose_announcement_is_yet_to_come_is_not_taken_by_a_later_one(client: Client) -> None:
    client.offer([replace(CAMERA, mid="0", cid="first")])
    client.expect("TR_2", "video", "second")
    client.offer([replace(CAMERA, mid="0", cid="first")])
    assert _started(client) == {}
    client.expect("TR_1", "video", "first")
    assert list(_started(client)) == ["TR_1"]


@pytest.mark.parametrize("name", ["VP8", "VP9", "H264", "AV1", "allcodecs"])
def test_chromium_offers_before_it_announces(client: Client, name: str) -> None:
    text = read(f"offer_simulcast_{name}.sdp")
    answer = client.offer_text(text)
    (video,) = (section for section in answer.sections if section.kind == "video")
    assert video.direction == "recvonly"
    cid = text.split("m=video")[1].split("a=msid:")[1].split()[1]
    client.expect("TR_1", "video", cid)
    layers = _started(client)["TR_1"].layers
    assert [layer.spatial for layer in layers] == [0, 1, 2]
    assert [layer.rid for layer in layers] == ["q", "h", "f"]


# --- layers and codecs ---


@pytest.mark.parametrize(
    ("offered", "layers"),
    [
        (("f", "h", "q"), ("q", "h", "f")),  # Rust
        (("q", "h", "f"), ("q", "h", "f")),  # JavaScript
        (("h", "q"), ("q", "h")),
        (("2", "0", "1"), ("0", "1", "2")),
        (("small", "large"), ("small", "large")),
        (("f", "small"), ("f", "small")),
    ],
)
def test_rids_become_layers_smallest_first(
    client: Client, offered: tuple[str, ...], layers: tuple[str, ...]
) -> None:
    client.expect("TR_1", "video", "camera")
    answer = client.offer([replace(CAMERA, rids=offered)])
    assert tuple(layer.rid for layer in _started(client)["TR_1"].layers) == layers
    assert [layer.spatial for layer in _started(client)["TR_1"].layers] == list(range(len(layers)))
    assert set(answer.sections[0].rids) <= set(offered)


def test_a_group_of_ssrcs_becomes_layers(client: Client) -> None:
    client.expect("TR_1", "video", "camera")
    client.offer([replace(CAMERA, rids=(), ssrcs=(11, 12, 13), rtx_ssrcs=(21, 22, 23))])
    layers = _started(client)["TR_1"].layers
    assert layers == (LayerInfo(0, "", 11), LayerInfo(1, "", 12), LayerInfo(2, "", 13))
    assert set(client.ingress.streams) == {11, 12, 13}
    assert set(client.ingress.repairs) == {21, 22, 23}


def test_what_was_announced_decides_the_codecs(client: Client) -> None:
    client.expect("TR_1", "video", "camera", codec="vp9")
    client.expect("TR_2", "audio", "mic", red=False, dtx=False, stereo=True)
    answer = client.offer([replace(MIC, red=True), replace(CAMERA, codecs=("vp8", "vp9"))])
    assert names(answer.section("1"))[0] == "VP9"
    assert names(answer.section("0")) == ["opus", "red"]
    opus = answer.sections[0].codecs[0].parameters
    assert "usedtx" not in opus
    assert opus["stereo"] == "1"
    assert _started(client)["TR_1"].mime == "video/VP9"
    assert _started(client)["TR_2"].mime == "audio/opus"


def test_red_comes_first_unless_refused(client: Client) -> None:
    client.expect("TR_1", "audio", "mic")
    answer = client.offer([replace(MIC, red=True)])
    assert names(answer.section("0")) == ["red", "opus"]
    assert _started(client)["TR_1"].mime == "audio/red"


def _unknown_codec(line: Line) -> str:
    return write_offer([line], "ufrag", "passwordOfTwentyTwoLetters").replace("VP8/90000", "theora/90000")


@pytest.mark.parametrize("announced_first", [True, False])
def test_an_unknown_codec_is_rejected_and_no_track_starts(client: Client, announced_first: bool) -> None:
    if announced_first:
        client.expect("TR_1", "video", "camera")
    answer = client.offer_text(_unknown_codec(CAMERA))
    assert answer.sections[0].rejected
    if not announced_first:
        client.expect("TR_1", "video", "camera")
    assert _started(client) == {}
    client.offer([replace(CAMERA, mid="9")])  # the rejected m-line is recycled
    assert _started(client)["TR_1"].mid == "9"


# --- afterwards ---


def test_another_offer_changes_nothing(client: Client) -> None:
    client.expect("TR_1", "video", "camera")
    client.expect("TR_2", "audio", "mic")
    first = client.offer([MIC, CAMERA])
    tracks = dict(client.publishing.tracks)
    for _ in range(100):
        assert client.offer([MIC, CAMERA]).sections == first.sections
    assert client.publishing.tracks == tracks
    assert len(_started(client)) == 2
    assert _ended(client) == []


@pytest.mark.parametrize("direction", ["inactive", "recvonly"])
def test_a_line_that_stops_sending_ends_its_track(client: Client, direction: str) -> None:
    client.expect("TR_1", "video", "camera")
    client.offer([MIC, CAMERA])
    client.offer([MIC, replace(CAMERA, direction=direction)])
    assert _ended(client) == ["TR_1"]
    assert client.publishing.tracks == {}
    assert client.world.context.tracks == {}


def test_a_rejected_line_ends_its_track(client: Client) -> None:
    client.expect("TR_1", "video", "camera")
    client.offer([MIC, CAMERA])
    text = write_offer([MIC, CAMERA], "ufrag", "passwordOfTwentyTwoLetters")
    answer = client.offer_text(text.replace("m=video 9", "m=video 0").replace("BUNDLE 0 1", "BUNDLE 0"))
    assert _ended(client) == ["TR_1"]
    assert answer.sections[1].rejected
    assert answer.bundle == ("0",)


def test_an_m_line_may_carry_another_track_later(client: Client) -> None:
    client.expect("TR_1", "video", "camera")
    client.offer([CAMERA])
    client.expect("TR_2", "video", "screen")
    client.offer([replace(CAMERA, cid="screen")])
    assert _ended(client) == ["TR_1"]
    assert _started(client)["TR_2"].mid == "1"
    assert list(client.publishing.tracks) == ["TR_2"]


def test_a_track_may_come_back_on_another_m_line(client: Client) -> None:
    """The same camera is published again: in one offer its old m-line falls idle and a new one begins."""
    ssrcs = (11,)
    camera = replace(CAMERA, mid="0", rids=(), ssrcs=ssrcs, rtx_ssrcs=(21,))
    client.expect("TR_1", "video", "camera")
    client.offer([camera])
    client.expect("TR_2", "video", "camera")
    client.offer([replace(camera, direction="inactive", ssrcs=(), rtx_ssrcs=()), replace(camera, mid="1")])
    assert _ended(client) == ["TR_1"]
    assert _started(client)["TR_2"].mid == "1"
    track = client.world.context.tracks[TrackId("TR_2")]
    assert client.ingress.streams[11].track is track
    assert client.ingress.repairs[21].repairs.track is track


def test_two_m_lines_with_one_ssrc_leave_the_later_one_working(client: Client) -> None:
    line = replace(CAMERA, mid="0", cid="a", rids=(), ssrcs=(11,))
    client.expect("TR_a", "video", "a")
    client.expect("TR_b", "video", "b")
    client.offer([line, replace(line, mid="1", cid="b")])
    assert client.ingress.streams[11].track.track_id == "TR_b"
    client.offer([replace(line, direction="inactive"), replace(line, mid="1", cid="b")])
    assert client.ingress.streams[11].track.track_id == "TR_b"


def test_dropped_before_it_started(client: Client) -> None:
    client.expect("TR_1", "video", "camera")
    client.publishing.drop(TrackId("TR_1"))
    client.offer([CAMERA])
    assert _started(client) == {}
    assert _ended(client) == []


def test_dropped_while_it_is_sent(client: Client) -> None:
    client.expect("TR_1", "video", "camera")
    client.offer([CAMERA])
    client.publishing.drop(TrackId("TR_1"))
    assert _ended(client) == ["TR_1"]
    assert client.ingress._bindings == {}
    assert client.offer([CAMERA]).sections[0].direction == "recvonly"
    client.expect("TR_2", "video", "camera")
    assert list(_started(client)) == ["TR_1", "TR_2"]


def test_other_rids_on_the_same_line_become_layers_too(client: Client) -> None:
    client.expect("TR_1", "video", "camera")
    client.offer([replace(CAMERA, rids=("q",))])
    track = client.world.context.tracks[TrackId("TR_1")]
    (low,) = track.layers
    client.offer([replace(CAMERA, rids=("f", "h", "q"))])
    assert [(layer.rid, layer.spatial) for layer in track.layers] == [("q", 0), ("h", 1), ("f", 2)]
    assert track.layers[0] is low
    assert len(_started(client)) == 1
    client.offer([replace(CAMERA, rids=("h", "f"))])
    assert [(layer.rid, layer.spatial) for layer in track.layers] == [("h", 0), ("f", 1)]


def test_ever_new_rids_and_ssrcs_leave_nothing_behind(client: Client) -> None:
    client.expect("TR_1", "video", "camera")
    client.expect("TR_2", "video", "screen")
    screen = Line("video", "2", "sendonly", cid="screen")
    for number in range(1, 300):
        rids = (f"a{number}", f"b{number}")
        client.offer(
            [replace(CAMERA, rids=rids), replace(screen, ssrcs=(number,), rtx_ssrcs=(number + 1000,))]
        )
    assert [layer.rid for layer in client.world.context.tracks[TrackId("TR_1")].layers] == ["a299", "b299"]
    assert set(client.ingress.streams) == {299}
    assert set(client.ingress.repairs) == {1299}


def test_tracks_are_bounded() -> None:
    client = Client(World(MediaConfig(max_tracks_per_transport=2)))
    for number in range(3):
        client.expect(f"TR_{number}", "video", f"cid{number}")
    client.offer([Line("video", str(number), "sendonly", cid=f"cid{number}") for number in range(3)])
    assert list(_started(client)) == ["TR_0", "TR_1"]


def test_closing_ends_everything(client: Client) -> None:
    client.expect("TR_1", "video", "camera")
    client.expect("TR_2", "audio", "mic")
    client.expect("TR_3", "audio", "never")
    client.offer([MIC, CAMERA])
    client.close()
    assert sorted(_ended(client)) == ["TR_1", "TR_2"]
    assert client.world.context.tracks == {}
    assert client.ingress.streams == {}


def test_a_track_that_ends_leaves_its_subscribers(world: World, client: Client) -> None:
    client.expect("TR_1", "video", "camera")
    client.offer([CAMERA])
    offers, answers = Client(world, "single"), Subscriber(world, "dual")
    for subscriber in (offers, answers):
        subscriber.subscribe("TR_1")
    offers.offer([Line("video", "0")])
    answers.negotiate()
    before = len(world.context.down_tracks)
    client.offer([replace(CAMERA, direction="inactive")])
    for subscriber in (offers, answers):
        assert subscriber.subscribing.down_tracks == {}
        assert subscriber.subscribing.by_ssrc == {}
        assert subscriber.asks
        subscriber.unsubscribe("TR_1")  # those who decide hear of it later, and say the same
    assert len(world.context.down_tracks) == before - 2
    needed = offers.ask()
    assert needed is not None
    assert (needed.audios, needed.videos) == (0, 0)
    made = answers.next_offer()
    assert made is not None
    assert made[1].sections[1].direction == "inactive"
    assert made[0].mid_to_track == {}
