"""The emulated network itself."""

from dataclasses import replace

import pytest

from hubbub.testing.netem import PERFECT, BurstLoss, Conditions, Netem


def packet(n: int, size: int = 100) -> bytes:
    return n.to_bytes(4, "big") + bytes(size - 4)


def number(data: bytes) -> int:
    return int.from_bytes(data[:4], "big")


def carry(conditions: Conditions, count: int, seed: int = 1, gap_s: float = 0.001) -> tuple[Netem, list[int]]:
    """Send ``count`` packets and return the numbers that come out, in order."""
    net = Netem(conditions, seed)
    arrived = []
    for n in range(count):
        net.send(packet(n), n * gap_s)
        arrived += net.receive(n * gap_s)
    arrived += net.receive(1e9)
    assert net.idle
    return net, [number(data) for data in arrived]


def test_a_perfect_network_delivers_at_once_and_in_order():
    net = Netem()
    net.send(b"a", 0.0)
    net.send(b"b", 0.0)
    assert net.next_timeout() == 0.0
    assert net.receive(0.0) == [b"a", b"b"]
    assert net.next_timeout() is None


def test_latency_delays():
    net = Netem(Conditions(latency_s=0.05))
    net.send(b"a", 1.0)
    assert net.next_timeout() == 1.05
    assert net.receive(1.049) == []
    assert net.receive(1.05) == [b"a"]


def test_the_same_seed_gives_the_same_fate():
    rough = Conditions(0.02, 0.1, True, 0.1, BurstLoss(0.05, 5), 0.1, 0.02, 0.05, 0.01, 1e6, 20_000)
    assert carry(rough, 2000, seed=7)[1] == carry(rough, 2000, seed=7)[1]
    assert carry(rough, 2000, seed=7)[1] != carry(rough, 2000, seed=8)[1]


def test_random_loss_is_as_asked():
    net, arrived = carry(Conditions(loss=0.2), 5000)
    assert len(arrived) == 5000 - net.lost
    assert net.lost == pytest.approx(1000, rel=0.1)


def test_one_setting_does_not_change_what_another_does():
    alone = set(carry(Conditions(loss=0.2), 500)[1])
    together = set(carry(Conditions(loss=0.2, jitter_s=0.01, duplicate=0.1, reorder=0.1), 500)[1])
    assert alone == together


def test_bursts_have_their_share_and_length():
    net, arrived = carry(Conditions(burst=BurstLoss(share=0.1, mean_packets=10)), 50_000)
    assert net.lost == pytest.approx(5000, rel=0.25)
    came = set(arrived) | {-1}
    bursts = sum(1 for n in range(50_000) if n not in came and n - 1 in came)
    assert net.lost / bursts == pytest.approx(10, rel=0.25)


def test_jitter_keeps_the_order_unless_told_otherwise():
    _, steady = carry(Conditions(jitter_s=0.2), 500)
    assert steady == sorted(steady)
    _, shuffled = carry(Conditions(jitter_s=0.2, jitter_reorders=True), 500)
    assert shuffled != sorted(shuffled)
    assert sorted(shuffled) == list(range(500))


def test_held_back_packets_are_passed():
    _, arrived = carry(Conditions(reorder=0.1, reorder_s=0.005), 500)
    assert arrived != sorted(arrived)
    assert max(at - n for at, n in enumerate(arrived)) <= 6


def test_duplicates_arrive_twice():
    net, arrived = carry(Conditions(duplicate=0.05), 2000)
    assert len(arrived) == 2000 + net.duplicated
    assert net.duplicated == pytest.approx(100, rel=0.3)


def test_corrupted_packets_differ_in_one_bit():
    net = Netem(Conditions(corrupt=1.0))
    net.send(bytes(50), 0.0)
    net.send(b"", 0.0)
    spoiled, empty = net.receive(0.0)
    assert sum(byte.bit_count() for byte in spoiled) == 1
    assert empty == b""


def test_the_link_sends_at_its_rate():
    net = Netem(Conditions(rate_bps=8000))
    net.send(bytes(100), 0.0)
    net.send(bytes(100), 0.0)
    assert net.next_timeout() == pytest.approx(0.1)
    assert len(net.receive(0.11)) == 1
    assert len(net.receive(0.21)) == 1


def test_what_does_not_fit_the_queue_is_dropped():
    net = Netem(Conditions(rate_bps=8000, queue_bytes=250))
    for _ in range(5):
        net.send(bytes(100), 0.0)
    assert net.overflowed == 3
    net.send(bytes(100), 0.15)
    assert net.overflowed == 3
    assert len(net.receive(10.0)) == 3


def test_a_rate_that_rises_drains_the_queue_faster():
    slow = Conditions(rate_bps=8000)
    net = Netem(slow)
    for _ in range(10):
        net.send(bytes(100), 0.0)
    net.change(replace(slow, rate_bps=8_000_000), 0.5)
    assert len(net.receive(0.51)) == 10


def test_an_outage_ends_in_a_burst():
    net = Netem(Conditions(rate_bps=0))
    for n in range(50):
        net.send(packet(n), n / 10)
    assert net.next_timeout() is None
    assert net.receive(5.0) == []
    net.change(PERFECT, 5.0)
    assert [number(data) for data in net.receive(5.0)] == list(range(50))
