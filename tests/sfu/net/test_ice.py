"""ICE-lite: which checks are answered, which addresses are valid, where to send, when the peer is gone."""

import pytest

from sfu.net import stun
from sfu.net.credentials import Credentials, new_credentials
from sfu.net.ice import MAX_ADDRESSES, IceLite, IceState

OURS = Credentials("ourufrag", "our-password-of-22-chars")
NEXT = Credentials("nextufrag", "next-password-of-22-char")
TRANSACTION_ID = b"transaction1"
HOST, PORT = "192.0.2.1", 40000


def check(credentials: Credentials = OURS, *, nominate: bool = False, remote: str = "them") -> bytes:
    return stun.binding_request(
        TRANSACTION_ID,
        f"{credentials.ufrag}:{remote}",
        credentials.pwd.encode(),
        priority=0x6E0001FF,
        controlling=1,
        use_candidate=nominate,
    )


def receive(ice: IceLite, key: str, now: float = 0.0, *, nominate: bool = False) -> bytes | None:
    return ice.receive(check(nominate=nominate), key, HOST, PORT, now)


def test_a_good_check_is_answered_with_a_signed_mapped_address() -> None:
    ice = IceLite(OURS, 0.0)
    response = receive(ice, "a", 1.0)
    assert response is not None
    message = stun.parse(response)
    assert (message.type, message.transaction_id) == (stun.BINDING_SUCCESS, TRANSACTION_ID)
    assert message.mapped_address == (HOST, PORT)
    assert message.signed_by(OURS.pwd.encode())
    assert ice.valid("a")
    assert (ice.selected, ice.added, ice.last_heard) == ("a", "a", 1.0)


def test_before_any_nomination_the_latest_address_is_used() -> None:
    ice = IceLite(OURS, 0.0)
    for key in ("a", "b", "a"):
        receive(ice, key)
        assert ice.selected == key
    assert ice.added is None


def test_a_nomination_holds_against_later_checks_of_other_addresses() -> None:
    ice = IceLite(OURS, 0.0)
    receive(ice, "a")
    receive(ice, "b", nominate=True)
    receive(ice, "a")
    assert ice.selected == "b"
    receive(ice, "a", nominate=True)
    assert ice.selected == "a"


def test_a_nomination_of_the_address_in_use_pins_it() -> None:
    ice = IceLite(OURS, 0.0)
    receive(ice, "a")
    receive(ice, "a", nominate=True)
    receive(ice, "b")
    assert ice.selected == "a"


def test_consent_checks_without_nomination_move_the_selection_when_the_old_address_went_silent() -> None:
    """Firefox behind a NAT that rebinds: the new source port never says USE-CANDIDATE."""
    ice = IceLite(OURS, 0.0)
    receive(ice, "old", 0.0, nominate=True)
    receive(ice, "new", 3.9)
    assert ice.selected == "old"
    receive(ice, "new", 4.1)
    assert ice.selected == "new"


def test_state_follows_the_last_valid_check() -> None:
    ice = IceLite(OURS, 100.0, disconnected_after_s=10.0, failed_after_s=5.0)
    assert ice.state(1000.0) is IceState.NEW
    receive(ice, "a", 1000.0)
    assert ice.state(1009.9) is IceState.CONNECTED
    assert ice.state(1010.0) is IceState.DISCONNECTED
    assert ice.state(1015.0) is IceState.FAILED
    receive(ice, "a", 1020.0)
    assert ice.state(1020.0) is IceState.CONNECTED


def test_any_valid_address_refreshes_consent() -> None:
    ice = IceLite(OURS, 0.0)
    receive(ice, "a", 0.0, nominate=True)
    receive(ice, "b", 9.0)
    assert ice.state(18.0) is IceState.CONNECTED


@pytest.mark.parametrize("nominate", [False, True])
def test_a_check_like_the_one_before_is_answered_alike(nominate: bool) -> None:
    ice = IceLite(OURS, 0.0)
    assert ice.again(check(nominate=nominate), "a", 0.0) is None
    response = receive(ice, "a", 0.0, nominate=nominate)
    assert ice.again(check(nominate=nominate), "a", 8.0) == response
    assert ice.state(17.9) is IceState.CONNECTED
    assert not ice.silent("a", 9.0)
    receive(ice, "b", 8.0)
    assert ice.selected == ("a" if nominate else "b")


def test_what_is_not_quite_like_the_check_before_needs_a_closer_look() -> None:
    ice = IceLite(OURS, 0.0)
    receive(ice, "a", nominate=True)
    receive(ice, "b")
    assert ice.again(check(nominate=True), "b", 1.0) is None, "not the address in use"
    assert ice.again(check(), "a", 1.0) is None
    assert ice.again(check(nominate=True)[:-1], "a", 1.0) is None
    assert ice.again(check(nominate=True), "a", 1.0) is not None
    ice.restart(NEXT)
    assert ice.again(check(nominate=True), "a", 2.0) is None
    receive_next = ice.receive(check(NEXT), "a", HOST, PORT, 2.0)
    assert receive_next is not None
    assert ice.again(check(NEXT), "a", 3.0) == receive_next
    assert ice.again(check(OURS, nominate=True), "a", 3.0) is None
    ice.forget("a")
    assert ice.again(check(NEXT), "a", 4.0) is None


def test_evicting_spares_the_selected_address_and_drops_the_stalest() -> None:
    ice = IceLite(OURS, 0.0)
    receive(ice, "first", nominate=True)
    for number in range(MAX_ADDRESSES - 1):
        receive(ice, f"other{number}")
    assert ice.evicted is None
    receive(ice, "one more")
    assert ice.evicted == "other0"
    assert ice.selected == "first"
    assert ice.valid("first")
    assert not ice.valid("other0")
    assert len(ice.addresses) == MAX_ADDRESSES


def test_a_forgotten_address_gives_way_to_the_freshest_other() -> None:
    ice = IceLite(OURS, 0.0)
    receive(ice, "udp")
    receive(ice, "tcp", nominate=True)
    ice.forget("tcp")
    assert ice.selected == "udp"
    assert not ice.valid("tcp")
    ice.forget("udp")
    assert ice.selected is None


def test_restart_takes_both_generations_until_the_new_one_is_heard() -> None:
    ice = IceLite(OURS, 0.0)
    receive(ice, "a", nominate=True)
    ice.restart(NEXT)
    assert ice.ufrags == (NEXT.ufrag, OURS.ufrag)
    old = ice.receive(check(OURS), "a", HOST, PORT, 1.0)
    assert old is not None
    assert stun.parse(old).signed_by(OURS.pwd.encode())
    new = ice.receive(check(NEXT), "b", HOST, PORT, 2.0)
    assert new is not None
    assert stun.parse(new).signed_by(NEXT.pwd.encode())
    assert ice.selected == "b"
    assert ice.ufrags == (NEXT.ufrag,)
    assert ice.receive(check(OURS), "a", HOST, PORT, 3.0) is None


def test_a_second_restart_keeps_the_credentials_the_peer_still_uses() -> None:
    ice = IceLite(OURS, 0.0)
    receive(ice, "a")
    ice.restart(NEXT)
    ice.restart(new_credentials())
    assert ice.receive(check(OURS), "a", HOST, PORT, 1.0) is not None
    assert ice.receive(check(NEXT), "a", HOST, PORT, 1.0) is None


def test_new_credentials_differ_and_satisfy_ice() -> None:
    first, second = new_credentials(), new_credentials()
    assert first != second
    assert len(first.ufrag) >= 4
    assert len(first.pwd) >= 22
    assert (first.ufrag + first.pwd).isalnum()


@pytest.mark.parametrize("remote", ["them", "", "them:more"])
def test_the_peers_half_of_the_username_is_free(remote: str) -> None:
    ice = IceLite(OURS, 0.0)
    assert ice.receive(check(remote=remote), "a", HOST, PORT, 0.0) is not None
