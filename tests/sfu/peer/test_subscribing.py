"""What flows to a subscriber: which layer, from when on, under which numbers and codecs."""

from dataclasses import replace

import pytest

from sfu import control
from sfu.config import MediaConfig
from sfu.control import TrackId
from sfu.forwarding.downtrack import DownTrack
from sfu.forwarding.downtracks import UNSUPPORTED
from sfu.forwarding.uptrack import UpTrack
from sfu.net.srtp import AEAD_AES_128_GCM, SrtpKeys
from tests.harness.offers import Line
from tests.sfu.peer.parts import Client, World

SIMULCAST = Line("video", "0", rids=("q", "h", "f"))
VIDEO = Line("video", "0")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def track(world: World) -> UpTrack:
    return world.published("TR_cam", SIMULCAST)


@pytest.fixture
def client(world: World, track: UpTrack) -> Client:
    made = Client(world)
    made.subscribing.connected()
    return made


def _bound(client: Client, **wishes: object) -> DownTrack:
    client.subscribe("TR_cam", **wishes)
    client.offer([VIDEO])
    return client.down("TR_cam")


def _live(track: UpTrack, *layers: int) -> None:
    for layer in layers:
        track.layers[layer].liveness.keyframe(0.0)


def _aim(down: DownTrack) -> int | None:
    """Spatial layer that is aimed at."""
    return down.target.layer.spatial if down.target is not None else None


def _set(client: Client, *, enabled: bool = True, spatial: int = 2, temporal: int = 3) -> None:
    client.subscribing.set_layers(control.SetLayers(client.id, TrackId("TR_cam"), enabled, spatial, temporal))


# --- when ---


@pytest.mark.parametrize("connected_first", [True, False])
def test_media_flows_once_negotiated_and_connected(
    world: World, track: UpTrack, connected_first: bool
) -> None:
    _live(track, 0)
    client = Client(world)
    if connected_first:
        client.subscribing.connected()
    client.subscribe("TR_cam")
    down = client.down("TR_cam")
    assert down.target is None
    client.offer([VIDEO])
    if not connected_first:
        assert down.target is None
        assert client.events(control.TrackBound) == []
        client.subscribing.connected()
    assert _aim(down) == 0
    assert client.events(control.TrackBound) == [control.TrackBound(client.id, TrackId("TR_cam"))]
    client.offer([VIDEO])
    assert len(client.events(control.TrackBound)) == 1


def test_before_anything_comes_the_lowest_layer_is_waited_for(client: Client, track: UpTrack) -> None:
    """Its first key frame is the first of the track, and should not have to be asked for again."""
    down = _bound(client)
    assert down.target is not None
    assert down in down.target.waiting
    assert _aim(down) == 0
    _live(track, 0, 1)
    client.subscribing.retarget(down)
    assert _aim(down) == 1


def test_while_nothing_is_live_the_layer_stays_what_it_was(client: Client, track: UpTrack) -> None:
    _live(track, 0, 1)
    down = _bound(client)
    assert _aim(down) == 1
    for layer in track.layers:
        layer.liveness.live = False
    client.subscribing.retarget(down)
    assert _aim(down) == 1
    _set(client, temporal=1)
    assert down.target is not None
    assert (_aim(down), down.target.temporal) == (1, 1)


def test_a_track_muted_from_the_start_waits_for_its_unmuting(world: World) -> None:
    track = world.published("TR_cam", SIMULCAST, muted=True)
    client = Client(world)
    client.subscribing.connected()
    down = _bound(client)
    assert down.target is None
    _live(track, 0)
    client.subscribing.retarget(down)
    assert down.target is None
    track.muted = False
    client.subscribing.retarget(down)
    assert _aim(down) == 0


def test_muting_stops_what_flows(client: Client, track: UpTrack) -> None:
    _live(track, 0)
    down = _bound(client)
    assert down.target is not None
    rendition = down.target
    track.muted = True
    client.subscribing.retarget(down)
    assert down.target is None
    assert rendition.unused


# --- what ---


@pytest.mark.parametrize(
    ("live", "wanted", "aimed"),
    [((0, 1, 2), 2, 2), ((0, 1, 2), 1, 1), ((0, 1), 2, 1), ((0, 2), 1, 0), ((1, 2), 0, 1), ((2,), 0, 2)],
)
def test_the_best_layer_that_is_wanted_and_live(
    client: Client, track: UpTrack, live: tuple[int, ...], wanted: int, aimed: int
) -> None:
    _live(track, *live)
    assert _aim(_bound(client, spatial=wanted)) == aimed


def test_wishes_before_negotiation_count_when_it_comes(client: Client, track: UpTrack) -> None:
    _live(track, 0, 1, 2)
    client.subscribe("TR_cam")
    _set(client, spatial=1, temporal=1)
    assert client.down("TR_cam").target is None
    client.offer([VIDEO])
    down = client.down("TR_cam")
    assert down.target is not None
    assert (_aim(down), down.target.temporal) == (1, 1)


def test_disabled_and_enabled_again(client: Client, track: UpTrack) -> None:
    _live(track, 0)
    down = _bound(client, enabled=False)
    assert client.events(control.TrackBound)
    assert down.target is None
    _set(client)
    assert _aim(down) == 0
    _set(client, enabled=False)
    assert down.target is None


def test_wishes_for_what_is_not_subscribed_to_are_ignored(client: Client) -> None:
    _set(client)


def test_subscribers_that_want_the_same_share_a_rendition(
    world: World, client: Client, track: UpTrack
) -> None:
    _live(track, 0)
    other = Client(world, "other")
    other.subscribing.connected()
    assert _bound(client).target is _bound(other).target
    _set(client, temporal=0)
    assert len(track.layers[0].renditions) == 2


# --- how many, and whose ---


def test_own_unknown_and_doubled_subscriptions_come_to_nothing(world: World, client: Client) -> None:
    client.expect("TR_own", "video", "own")
    client.offer([replace(VIDEO, direction="sendonly", cid="own")])
    assert client.subscribe("TR_own") is None
    assert client.subscribe("TR_unknown") is None
    assert client.subscribe("TR_cam") is not None
    assert client.subscribe("TR_cam") is None
    assert len(client.subscribing.by_ssrc) == 1


def test_subscriptions_are_bounded() -> None:
    world = World(MediaConfig(max_subscriptions_per_transport=2))
    for number in range(3):
        world.published(f"TR_{number}", VIDEO)
    client = Client(world)
    assert [client.subscribe(f"TR_{number}") is not None for number in range(3)] == [True, True, False]
    client.unsubscribe("TR_0")
    assert client.subscribe("TR_2") is not None


def test_unsubscribing_leaves_nothing(client: Client, track: UpTrack, world: World) -> None:
    _live(track, 0)
    rows = len(world.context.down_tracks)
    down = _bound(client)
    assert down.target is not None
    rendition = down.target
    client.unsubscribe("TR_cam")
    subscribing = client.subscribing
    for left in (subscribing.down_tracks, subscribing.by_ssrc, subscribing.keyframe_limits):
        assert not left
    assert track.down_tracks == {}
    assert rendition.unused
    assert len(world.context.down_tracks) == rows
    client.unsubscribe("TR_cam")


def test_srtp_forgets_streams_that_end(world: World, track: UpTrack) -> None:
    """Else a transport that subscribes and unsubscribes for days would hold a stream for each time."""
    client = Client(world)
    srtp = world.context.peers.srtp
    srtp.use(client.row, SrtpKeys(AEAD_AES_128_GCM, bytes(28), bytes(28)))
    client.subscribing.connected()
    down = _bound(client)
    first = b"\x80\x60\x00\x01" + bytes(4) + down.ssrc.to_bytes(4, "big") + b"payload"
    assert srtp.protect(client.row, first)
    client.unsubscribe("TR_cam")
    assert srtp.protect(client.row, first)  # a stream that was known would refuse the repetition


@pytest.mark.parametrize(
    ("stream_id", "cname"), [("PA_a|TR_cam", "PA_a"), ("PA_a|camera", "PA_a"), ("", "PA_me")]
)
def test_streams_of_a_publisher_share_a_cname(client: Client, stream_id: str, cname: str) -> None:
    command = control.Subscribe(client.id, TrackId("TR_cam"), stream_id)
    down = client.subscribing.subscribe(command)
    assert down is not None
    assert client.subscribing.sending(down).cname == client.subscribing.cname(down) == cname


def test_codecs_that_a_client_drops_are_not_sent(world: World, client: Client) -> None:
    world.published("TR_mic", Line("audio", "0", red=True))
    client.subscribe("TR_mic")
    client.offer([Line("audio", "0", red=True)])
    down = client.down("TR_mic")
    table = world.context.down_tracks
    assert table.payload_type[down.row].tolist() == [111, 63]
    assert down.target is not None
    assert not down.target.plain
    client.offer([Line("audio", "0")])
    assert table.payload_type[down.row].tolist() == [111, UNSUPPORTED]
    assert down.target.plain
