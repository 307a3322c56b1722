from sfu.control import MediaKind
from sfu.sdp.description import Description
from sfu.sdp.parse import Parser
from sfu.tap import lines
from sfu.tap.lines import Lines


def offered(made: Lines) -> Description:
    text = made.next_offer()
    assert text is not None
    made.answered()
    return Parser().parse(text)


def directions(description: Description) -> list[tuple[str, str]]:
    return [(section.kind, section.direction) for section in description.sections[1:]]


def test_the_first_offer_is_of_data_alone() -> None:
    description = offered(Lines())
    assert [section.kind for section in description.sections] == ["application"]
    assert description.data is not None


def test_what_is_published_names_its_stream() -> None:
    made = Lines()
    made.publish("mic", MediaKind.AUDIO, 77)
    made.publish("cam", MediaKind.VIDEO, 78)
    _, audio, video = offered(made).sections
    assert (audio.msid, audio.ssrcs, audio.codecs[0].mime) == (("mic", "mic"), (77,), "audio/opus")
    assert (video.msid, video.ssrcs, video.codecs[0].mime) == (("cam", "cam"), (78,), "video/vp8")


def test_lines_are_used_again_by_their_own_kind() -> None:
    made = Lines()
    made.publish("mic", MediaKind.AUDIO, 77)
    offered(made)
    made.unpublish("mic")
    assert directions(offered(made)) == [("audio", "inactive")]
    made.publish("cam", MediaKind.VIDEO, 78)
    made.publish("other", MediaKind.AUDIO, 79)
    description = offered(made)
    assert directions(description) == [("audio", "sendonly"), ("video", "sendonly")]
    assert description.sections[1].msid == ("other", "other")


def test_one_offer_is_under_way_at_a_time() -> None:
    made = Lines()
    assert made.next_offer()
    made.require(1, 1)
    assert made.next_offer() is None
    made.answered()
    assert directions(offered(made)) == [("audio", "recvonly"), ("video", "recvonly")]
    assert made.next_offer() is None
    made.require(0, 0)
    assert made.next_offer()


def test_unpublishing_what_is_not_there_offers_nothing() -> None:
    made = Lines()
    offered(made)
    made.unpublish("mic")
    assert made.next_offer() is None


def test_lines_are_bounded() -> None:
    made = Lines()
    made.require(lines.MAX_LINES, lines.MAX_LINES)
    text = made.next_offer()
    assert text is not None
    assert text.count("m=") == lines.MAX_LINES
