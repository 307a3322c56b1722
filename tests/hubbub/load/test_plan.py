"""Who joins, and what they publish."""

from hubbub.load.plan import PRESETS, Plan, video_layers


def test_publishers_of_all_rooms_join_before_subscribers() -> None:
    plan = Plan(
        "ws://x", "k", "s", rooms=2, publishers=1, subscribers=2, room_prefix="r", identity_prefix="i"
    )
    everybody = list(plan.participants())
    assert [(one.room, one.identity) for one in everybody] == [
        ("r-0", "i-pub-0"),
        ("r-1", "i-pub-0"),
        ("r-0", "i-sub-0"),
        ("r-1", "i-sub-0"),
        ("r-0", "i-sub-1"),
        ("r-1", "i-sub-1"),
    ]
    assert len(everybody) == plan.size
    assert [one.publishes for one in everybody] == [True, True, False, False, False, False]


def test_a_single_room_has_the_bare_prefix() -> None:
    assert Plan("ws://x", "k", "s", room_prefix="r").room(0) == "r"


def test_publishers_subscribe_only_when_told() -> None:
    silent = Plan("ws://x", "k", "s", subscribers=0)
    meeting = Plan("ws://x", "k", "s", subscribers=0, subscribe_all=True)
    assert [one.subscribes for one in silent.participants()] == [False]
    assert [one.subscribes for one in meeting.participants()] == [True]


def test_three_layers_by_rid_smallest_first() -> None:
    layers = video_layers("720p", simulcast=True)
    assert [(layer.rid, layer.height) for layer in layers] == [("q", 180), ("h", 360), ("f", 720)]


def test_two_layers_are_called_q_and_h() -> None:
    assert [layer.rid for layer in video_layers("360p", simulcast=True)] == ["q", "h"]


def test_without_simulcast_there_is_one_layer_without_rid() -> None:
    assert video_layers("720p", simulcast=False) == (PRESETS["720p"],)
    assert [layer.rid for layer in video_layers("180p", simulcast=True)] == [""]


def test_a_bitrate_scales_all_layers() -> None:
    layers = video_layers("720p", simulcast=True, bitrate_bps=850_000)
    assert [layer.bitrate_bps for layer in layers] == [80_000, 225_000, 850_000]
