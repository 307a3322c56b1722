"""Which header extensions are answered and offered."""

from collections.abc import Callable

from sfu.sdp import extensions
from sfu.sdp.description import Section
from sfu.sdp.parse import parse


def test_trap_2_first_answers_video_accepts_both_rids_on_receiving_lines(
    recorded: Callable[[str], str],
) -> None:
    """Otherwise a later simulcast offer fails inside the client."""
    for name in ("v1_offer_js.sdp", "v1_offer_python.sdp"):
        video = parse(recorded(name)).sections[3]
        assert video.direction == "recvonly"
        accepted = extensions.accept_subscribe(video)
        assert {extensions.RID, extensions.REPAIRED_RID, extensions.MID} <= set(accepted.values())
        assert accepted.items() <= video.extensions.items()


def test_unknown_and_unwanted_ones_are_left_out(recorded: Callable[[str], str]) -> None:
    video = parse(recorded("v1_offer_js.sdp")).sections[3]
    assert set(video.extensions) - set(extensions.accept_publish(video)) == {14}  # toffset


def test_audio_takes_levels_and_congestion_control(recorded: Callable[[str], str]) -> None:
    audio = parse(recorded("v1_offer_js.sdp")).sections[0]
    assert extensions.accept_publish(audio) == {
        1: extensions.AUDIO_LEVEL,
        2: extensions.ABS_SEND_TIME,
        3: extensions.TRANSPORT_CC,
        4: extensions.MID,
    }


def test_long_ids_need_two_byte_headers() -> None:
    def accepted(allow_mixed: bool) -> dict[int, str]:
        offered = {14: extensions.MID, 16: extensions.RID}
        section = Section("video", "0", 9, "", (), extensions=offered, extmap_allow_mixed=allow_mixed)
        return extensions.accept_publish(section)

    assert accepted(allow_mixed=True) == {14: extensions.MID, 16: extensions.RID}
    assert accepted(allow_mixed=False) == {14: extensions.MID}


def test_server_offers_use_one_space_of_ids() -> None:
    audio, video = extensions.offered("audio"), extensions.offered("video")
    shared = set(audio) & set(video)
    assert {number: audio[number] for number in shared} == {number: video[number] for number in shared}
    assert extensions.AUDIO_LEVEL in audio.values()
    assert extensions.DEPENDENCY_DESCRIPTOR in video.values()
    assert max((*audio, *video)) <= 14
