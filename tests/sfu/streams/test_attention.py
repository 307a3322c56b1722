"""The bell: rung once however often, heard whenever one begins to listen."""

from sfu.streams.attention import Attention


def test_it_is_heard_once_until_it_is_lowered() -> None:
    bell, heard = Attention(), []
    bell.listen(lambda: heard.append(1))
    bell.ring()
    bell.ring()
    assert heard == [1]
    bell.lower()
    bell.ring()
    assert heard == [1, 1]


def test_who_listens_later_hears_it_too() -> None:
    bell, heard = Attention(), []
    bell.ring()
    bell.listen(lambda: heard.append(1))
    assert heard == [1]
    assert bell.raised
