"""The accounts of a server's parts add up to what it takes."""

from hubbub.load.comparison import Load
from tests.bench.parts import measure, table


def test_a_server_under_load_is_accounted_for() -> None:
    load = Load("few", "1 publisher, 3 subscribers", 1.0, ("--subscribers", "3", "--no-simulcast"))
    account = measure(load, 1.0, lambda _: None)
    seconds = account.seconds
    assert account.transports == 4
    assert account.packets > 100
    assert 0 < seconds["compiled loops and kernel"] < sum(seconds.values()) <= account.cpu_s
    text = table(account)
    assert "| signalling |" in text
    assert text.endswith("|")
