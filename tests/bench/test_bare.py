"""What the kernel alone takes is measured on what a server really sends."""

from hubbub.load.comparison import Load
from tests.bench.bare import TURNS, measure, text


def test_what_was_sent_is_sent_again() -> None:
    load = Load("few", "1 publisher, 5 subscribers", 1.0, ("--subscribers", "5", "--no-simulcast"))
    found = measure(load, 0.6, lambda _: None)
    assert len(found.server) == len(found.kernel) == len(found.with_cipher) == TURNS
    assert all(whole > kernel > 0.1 for whole, kernel in zip(found.server, found.kernel, strict=True))
    assert found.messages_per_s > 5 * 50, "at least the sounds"
    assert "messages/s" in text(found)
