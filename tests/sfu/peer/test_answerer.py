"""Clients that offer: every offer gets its one answer, and subscriptions get m-lines as the client makes room."""

from dataclasses import replace

import pytest

from sfu import control
from sfu.control import MediaKind
from sfu.peer.answerer import MAX_FRUITLESS
from sfu.sdp import extensions
from sfu.sdp.errors import SdpError
from tests.harness.offers import Line, write_offer
from tests.harness.rtp_source import ExtensionIds
from tests.sfu.peer.parts import Client, World, names
from tests.sfu.sdp.conftest import exchanges, read

VIDEO, AUDIO = Line("video", "0"), Line("audio", "1")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def client(world: World) -> Client:
    return Client(world)


@pytest.fixture
def camera(world: World) -> None:
    """A published camera, TR_cam."""
    world.published("TR_cam", Line("video", "0"))


def _lines(count: int, kind: str = "video", direction: str = "recvonly") -> list[Line]:
    return [Line(kind, str(number), direction) for number in range(count)]


def _carried(client: Client) -> dict[str, str]:
    assert client.answer_ready is not None
    return dict(client.answer_ready.mid_to_track)


def _sections(needed: control.SectionsNeeded | None) -> tuple[int, int] | None:
    return (needed.audios, needed.videos) if needed is not None else None


# --- answers ---


@pytest.mark.parametrize("name", sorted({exchange.name.rsplit("-", 1)[0] for exchange in exchanges()}))
def test_all_that_real_clients_offered_one_after_the_other_is_answered(client: Client, name: str) -> None:
    offers = [e.offer for e in exchanges() if e.name.rsplit("-", 1)[0] == name and e.offerer == "client"]
    for number, offer in enumerate(offers, 1):
        answer = client.offer_text(offer)
        assert client.answer_ready is not None
        assert client.answer_ready.offer_id == number
        assert not any(section.rejected for section in answer.sections)
        for section in answer.sections:
            assert section.direction in ("recvonly", "inactive", "sendrecv")


@pytest.mark.parametrize("name", ["v1_offer_js", "v1_offer_python"])
def test_the_first_answer_accepts_rids_where_nothing_flows_yet(client: Client, name: str) -> None:
    """Trap 2: or a later simulcast offer fails in the client."""
    answer = client.offer_text(read(f"{name}.sdp"))
    videos = [section for section in answer.sections if section.kind == "video"]
    assert len(videos) == 3
    for section in videos:
        assert section.direction == "inactive"
        assert {extensions.RID, extensions.REPAIRED_RID} <= set(section.extensions.values())


def test_m_lines_outside_the_bundle_are_rejected(client: Client) -> None:
    client.expect("TR_1", "video", "camera")
    lines = [
        replace(VIDEO, direction="sendonly", cid="camera"),
        replace(AUDIO, direction="sendonly", cid="mic"),
    ]
    text = write_offer(lines, "ufrag", "passwordOfTwentyTwoLetters").replace("BUNDLE 0 1", "BUNDLE 0")
    answer = client.offer_text(text)
    assert [section.rejected for section in answer.sections] == [False, True]
    assert answer.bundle == ("0",)
    client.expect("TR_2", "audio", "mic")
    assert [e.track_id for e in client.events(control.TrackStarted)] == ["TR_1"]  # type: ignore[attr-defined]


def test_trap_22_payload_types_and_extension_ids_are_the_clients(world: World, client: Client) -> None:
    """Trap 22: publisher and subscriber may number codecs and extensions differently."""
    ids = ExtensionIds(mid=9, abs_send_time=8, twcc=7)
    track = world.published("TR_cam", Line("video", "0"))
    client.subscribe("TR_cam")
    text = write_offer([replace(VIDEO, ids=ids)], "ufrag", "passwordOfTwentyTwoLetters")
    answer = client.offer_text(
        text.replace(" 96 97", " 120 121")
        .replace(":96", ":120")
        .replace(":97", ":121")
        .replace("apt=96", "apt=120")
    )
    assert [codec.payload_type for codec in answer.sections[0].codecs] == [120, 121]
    assert answer.sections[0].extensions[7] == extensions.TRANSPORT_CC
    down = client.down("TR_cam")
    assert list(track.slots) == [96]
    assert world.context.down_tracks.payload_type[down.row, 0] == 120
    assert down.rtx_payload_type == 121
    assert down.profile.ids[extensions.TRANSPORT_CC] == 7
    assert down.profile.ids[extensions.ABS_SEND_TIME] == 8


# --- subscriptions ---


@pytest.mark.usefixtures("camera")
def test_a_subscription_takes_a_free_m_line_at_the_next_offer(client: Client) -> None:
    client.offer(_lines(2))
    client.subscribe("TR_cam")
    assert client.asks == 1
    assert _sections(client.ask()) == (0, 0)  # there is room, but only the client can offer
    answer = client.offer(_lines(2))
    assert [section.direction for section in answer.sections] == ["sendonly", "inactive"]
    assert _carried(client) == {"0": "TR_cam"}
    section = answer.sections[0]
    down = client.down("TR_cam")
    assert section.msid == ("PA_x|TR_cam", "TR_cam")
    assert section.ssrcs == (down.ssrc,)
    assert section.rtx_ssrcs == {down.ssrc: down.rtx_ssrc}


def test_more_subscriptions_than_m_lines(world: World, client: Client) -> None:
    for number in range(5):
        world.published(f"TR_v{number}", VIDEO)
    world.published("TR_a", AUDIO)
    client.offer(_lines(2))
    for number in range(5):
        client.subscribe(f"TR_v{number}")
    client.subscribe("TR_a")
    assert _sections(client.ask()) == (1, 3)
    assert client.ask() is None  # once is enough
    client.offer(_lines(2))  # an offer that was under way already
    assert _carried(client) == {"0": "TR_v0", "1": "TR_v1"}
    assert _sections(client.ask()) == (1, 3)
    lines = [*_lines(4), Line("audio", "4")]
    client.offer(lines)
    assert set(_carried(client).values()) == {"TR_v0", "TR_v1", "TR_v2", "TR_v3", "TR_a"}
    assert _sections(client.ask()) == (0, 1)
    client.offer([*lines, Line("video", "5")])
    assert len(_carried(client)) == 6
    assert client.ask() is None


@pytest.mark.usefixtures("camera")
def test_nothing_is_asked_of_a_client_that_has_not_offered(client: Client) -> None:
    client.subscribe("TR_cam")
    assert client.asks == 0
    assert client.ask() is None
    client.offer(_lines(1))
    assert _carried(client) == {"0": "TR_cam"}


@pytest.mark.usefixtures("camera")
def test_a_client_that_makes_no_room_is_not_asked_for_ever(client: Client) -> None:
    client.offer(_lines(0) or [AUDIO])
    client.subscribe("TR_cam")
    asked = 0
    while client.ask() is not None:
        asked += 1
        before = client.asks
        client.offer([AUDIO])
        if client.asks == before:
            break
    assert asked == MAX_FRUITLESS


@pytest.mark.usefixtures("camera")
def test_offers_that_were_not_asked_for_do_not_use_up_its_chances(client: Client) -> None:
    """A client that publishes a lot at this moment, say."""
    client.offer([AUDIO])
    client.subscribe("TR_cam")
    for number in range(2 * MAX_FRUITLESS):
        client.offer([AUDIO, *(Line("audio", f"a{n}", "sendonly", cid=f"c{n}") for n in range(number))])
    assert _sections(client.ask()) == (0, 1)


@pytest.mark.usefixtures("camera")
def test_an_m_line_that_the_client_sent_on_is_not_sent_on(client: Client) -> None:
    client.expect("TR_1", "video", "mine")
    client.offer([replace(VIDEO, direction="sendonly", cid="mine")])
    client.subscribe("TR_cam")
    answer = client.offer([VIDEO])
    assert answer.sections[0].direction == "inactive"
    assert _sections(client.ask()) == (0, 1)


@pytest.mark.usefixtures("camera")
def test_unsubscribing_frees_the_m_line_after_a_rest(world: World, client: Client) -> None:
    """The client must see it inactive once before another track takes it."""
    world.published("TR_other", VIDEO)
    client.subscribe("TR_cam")
    client.offer(_lines(1))
    client.unsubscribe("TR_cam")
    client.subscribe("TR_other")
    assert _sections(client.ask()) == (0, 0)
    answer = client.offer(_lines(1))
    assert answer.sections[0].direction == "inactive"
    assert _sections(client.ask()) == (0, 0)
    client.offer(_lines(1))
    assert _carried(client) == {"0": "TR_other"}
    assert client.ask() is None


@pytest.mark.usefixtures("camera")
def test_unsubscribing_and_subscribing_again_at_once(client: Client) -> None:
    client.subscribe("TR_cam")
    client.offer(_lines(2))
    first = client.down("TR_cam").ssrc
    client.unsubscribe("TR_cam")
    client.subscribe("TR_cam")
    answer = client.offer(_lines(2))
    assert [section.direction for section in answer.sections] == ["inactive", "sendonly"]
    assert answer.sections[1].ssrcs[0] == client.down("TR_cam").ssrc != first
    for _ in range(50):
        client.unsubscribe("TR_cam")
        client.subscribe("TR_cam")
    client.offer(_lines(2))
    client.offer(_lines(2))
    assert list(_carried(client).values()) == ["TR_cam"]
    assert len(client.subscribing.by_ssrc) == 1


@pytest.mark.usefixtures("camera")
def test_unsubscribing_before_there_was_room_leaves_nothing_to_ask_for(client: Client) -> None:
    client.offer([AUDIO])
    client.subscribe("TR_cam")
    client.unsubscribe("TR_cam")
    assert client.ask() is None


@pytest.mark.usefixtures("camera")
@pytest.mark.parametrize("direction", ["inactive", "sendonly"])
def test_an_m_line_that_the_client_takes_back_gives_its_track_to_another(
    client: Client, direction: str
) -> None:
    client.subscribe("TR_cam")
    client.offer(_lines(1))
    client.offer([replace(VIDEO, direction=direction), Line("video", "1")])
    assert _carried(client) == {"1": "TR_cam"}
    assert client.down("TR_cam").mid == "1"


@pytest.mark.usefixtures("camera")
def test_a_codec_that_the_client_lacks_is_refused(world: World, client: Client) -> None:
    world.published("TR_h264", Line("video", "0", codecs=("h264",)))
    client.subscribe("TR_h264")
    client.subscribe("TR_cam")
    client.offer(_lines(1))
    assert client.events(control.SubscriptionRefused) == [control.SubscriptionRefused(client.id, "TR_h264")]  # type: ignore[arg-type]
    assert _carried(client) == {"0": "TR_cam"}
    assert list(client.subscribing.down_tracks) == ["TR_cam"]


@pytest.mark.usefixtures("camera")
def test_a_codec_that_the_client_drops_later_is_refused_then(client: Client) -> None:
    client.subscribe("TR_cam")
    client.offer(_lines(1))
    answer = client.offer([replace(VIDEO, codecs=("h264",))])
    assert answer.sections[0].direction == "inactive"
    assert _carried(client) == {}
    assert len(client.events(control.SubscriptionRefused)) == 1


def test_red_reaches_only_those_who_take_it(world: World) -> None:
    track = world.published("TR_mic", Line("audio", "0", red=True))
    assert track.redundant
    with_red, plain = Client(world, "red"), Client(world, "plain")
    for subscriber, line in ((with_red, replace(AUDIO, red=True)), (plain, AUDIO)):
        subscriber.subscribe("TR_mic")
        answer = subscriber.offer([line])
        down = subscriber.down("TR_mic")
        table = world.context.down_tracks
        assert table.payload_type[down.row, 0] == 111
        if subscriber is with_red:
            assert names(answer.sections[0]) == ["red", "opus"]
            assert (down.plain, table.payload_type[down.row, 1]) == (False, 63)
        else:
            assert names(answer.sections[0]) == ["opus"]
            assert down.plain


def test_a_publisher_without_red_gives_none(world: World, client: Client) -> None:
    world.published("TR_mic", Line("audio", "0", red=True), red=False)
    client.subscribe("TR_mic")
    answer = client.offer([replace(AUDIO, red=True)])
    assert names(answer.sections[0]) == ["opus"]
    assert not client.down("TR_mic").plain


def test_a_hundred_offers_with_changing_subscriptions_leave_nothing_behind(
    world: World, client: Client
) -> None:
    for number in range(4):
        world.published(f"TR_{number}", VIDEO)
    before = len(world.context.down_tracks)
    for turn in range(100):
        client.subscribe(f"TR_{turn % 4}")
        client.offer(_lines(6))
        if turn % 3:
            client.unsubscribe(f"TR_{(turn + 1) % 4}")
    client.offer(_lines(6))
    client.offer(_lines(6))
    assert set(_carried(client).values()) == set(client.subscribing.down_tracks)
    assert len(world.context.down_tracks) == before + len(client.subscribing.down_tracks)
    client.close()
    assert len(world.context.down_tracks) == before


# --- one offer follows from another ---


@pytest.mark.usefixtures("camera")
@pytest.mark.parametrize(
    "lines",
    [
        [VIDEO],
        [AUDIO, VIDEO],
        [VIDEO, replace(AUDIO, mid="7")],
        [replace(AUDIO, mid="0"), AUDIO],
    ],
    ids=["gone", "swapped", "renamed", "another kind"],
)
def test_an_offer_that_does_not_follow_changes_nothing(client: Client, lines: list[Line]) -> None:
    client.expect("TR_1", "audio", "mic")
    client.subscribe("TR_cam")
    both = [VIDEO, replace(AUDIO, direction="sendonly", cid="mic")]
    client.offer(both)
    before = len(client.world.events)
    with pytest.raises(SdpError):
        client.offer(lines)
    assert len(client.world.events) == before
    client.offer(both)
    assert _carried(client) == {"0": "TR_cam"}
    assert list(client.publishing.tracks) == ["TR_1"]


def test_an_m_line_that_we_rejected_may_be_recycled(client: Client) -> None:
    theora = write_offer([VIDEO, AUDIO], "ufrag", "passwordOfTwentyTwoLetters").replace(
        "VP8/90000", "theora/90000"
    )
    assert client.offer_text(theora).sections[0].rejected
    client.offer([replace(AUDIO, mid="5"), AUDIO])


def test_an_m_line_that_the_client_rejected_may_be_recycled(client: Client) -> None:
    text = write_offer([VIDEO, AUDIO], "ufrag", "passwordOfTwentyTwoLetters")
    client.offer_text(text)
    client.offer_text(text.replace("m=video 9", "m=video 0").replace("BUNDLE 0 1", "BUNDLE 1"))
    client.offer([replace(AUDIO, mid="5"), AUDIO])


def test_kinds_are_counted_apart(world: World, client: Client) -> None:
    world.published("TR_a", AUDIO)
    client.offer(_lines(3))
    client.subscribe("TR_a")
    assert _sections(client.ask()) == (1, 0)
    assert {kind.value for kind in MediaKind} == {"audio", "video"}
