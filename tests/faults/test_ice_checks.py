"""Fault plan 9 to 11, 14 and 15: role conflicts, nominations, address floods, lost consent, restarts."""

from sfu.net import stun
from sfu.net.credentials import Credentials
from sfu.net.ice import MAX_ADDRESSES, IceLite, IceState

OURS = Credentials("ourufrag", "our-password-of-22-chars")
NEXT = Credentials("nextufrag", "next-password-of-22-char")


def check(credentials: Credentials = OURS, *, nominate: bool = False) -> bytes:
    username = f"{credentials.ufrag}:them"
    return stun.binding_request(
        b"transaction1", username, credentials.pwd.encode(), 1, controlling=1, use_candidate=nominate
    )


def receive(ice: IceLite, key: object, now: float, data: bytes) -> bytes | None:
    return ice.receive(data, key, "192.0.2.1", 1, now)


def test_stun_role_conflict() -> None:
    """We are lite, so never controlling: a controlled peer must switch whatever its tie-breaker."""
    ice = IceLite(OURS, 0.0)
    for tie_breaker in (0, 1, 2**64 - 1):
        data = stun.binding_request(
            b"transaction1", "ourufrag:them", OURS.pwd.encode(), 1, controlled=tie_breaker
        )
        response = receive(ice, "a", 0.0, data)
        assert response is not None
        message = stun.parse(response)
        assert message.error_code == 487
        assert message.signed_by(OURS.pwd.encode())
    assert not ice.addresses


def test_stun_use_candidate_flap() -> None:
    """Two tuples nominated in turn at 1 kHz for ten seconds: the selection moves a few dozen times."""
    ice = IceLite(OURS, 0.0)
    data = check(nominate=True)
    moves, selected = 0, None
    for tick in range(10_000):
        receive(ice, "ab"[tick % 2], tick / 1000, data)
        moves += ice.selected != selected
        selected = ice.selected
    assert moves <= 30
    receive(ice, "b", 11.0, data)
    assert ice.selected == "b"


def test_stun_tuple_flood() -> None:
    ice = IceLite(OURS, 0.0)
    receive(ice, ("192.0.2.1", 1), 0.0, check(nominate=True))
    plain = check()
    known = {("192.0.2.1", 1)}
    for port in range(2, 10_002):
        receive(ice, ("192.0.2.1", port), port / 10_000, plain)
        assert ice.added is not None
        known.add(ice.added)  # type: ignore[arg-type]
        known.discard(ice.evicted)  # type: ignore[arg-type]
        assert len(ice.addresses) <= MAX_ADDRESSES
    assert known == set(ice.addresses)
    assert ice.selected == ("192.0.2.1", 1)


def test_consent_loss_of_thirty_seconds_and_recovery() -> None:
    ice = IceLite(OURS, 0.0)
    receive(ice, "a", 0.0, check(nominate=True))
    assert ice.state(30.0) is IceState.FAILED
    receive(ice, "a", 30.0, check(nominate=True))
    assert ice.state(30.0) is IceState.CONNECTED
    assert ice.selected == "a"


def test_consent_loss_nat_rebinding() -> None:
    """Chromium nominates the new source port at once; Firefox never nominates it, and needs the silence."""
    ice = IceLite(OURS, 0.0)
    receive(ice, "old", 0.0, check(nominate=True))
    receive(ice, "new", 1.0, check(nominate=True))
    assert ice.selected == "new"
    receive(ice, "newest", 6.0, check())
    assert ice.selected == "newest"


def test_ice_restart_mid_call_keeps_the_path_until_the_new_one_is_checked() -> None:
    ice = IceLite(OURS, 0.0)
    receive(ice, "a", 0.0, check(nominate=True))
    ice.restart(NEXT)
    assert (ice.selected, ice.valid("a")) == ("a", True)
    receive(ice, "b", 1.0, check(NEXT))
    assert ice.selected == "b"


def test_ice_restart_old_ufrag() -> None:
    """A late check of the old generation neither answers nor refreshes anything."""
    ice = IceLite(OURS, 0.0)
    receive(ice, "a", 0.0, check(nominate=True))
    ice.restart(NEXT)
    receive(ice, "b", 1.0, check(NEXT, nominate=True))
    assert receive(ice, "a", 2.0, check(nominate=True)) is None
    assert (ice.selected, ice.last_heard) == ("b", 1.0)


def test_ice_restart_storm_remembers_one_old_generation() -> None:
    ice = IceLite(OURS, 0.0)
    receive(ice, "a", 0.0, check())
    for number in range(1000):
        ice.restart(Credentials(f"ufrag{number}", "some-password-of-22-char"))
    assert len(ice.ufrags) == 2
    assert receive(ice, "a", 1.0, check()) is not None
