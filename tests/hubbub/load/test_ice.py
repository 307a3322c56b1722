"""The controlling agent against the messages of a server."""

from itertools import count

from hubbub.load.ice import CONSENT_INTERVAL_S, CONSENT_TIMEOUT_S, MAX_OUTSTANDING, IceClient
from hubbub.load.sdp import Candidate
from sfu.net import stun

PWD = "server-password-of-24-ch"
NEAR, FAR = ("10.0.0.1", 7882), ("192.0.2.1", 7882)


def client() -> IceClient:
    numbers = count(1)
    ice = IceClient("ours", "our-password-of-24-chars", 99, lambda: next(numbers).to_bytes(12, "big"))
    ice.add([Candidate(*FAR, 1), Candidate(*NEAR, 2)])
    return ice


def answer(check: bytes, key: str = PWD) -> bytes:
    return stun.success_response(stun.parse(check).transaction_id, "127.0.0.1", 1000, key.encode())


def connected() -> IceClient:
    ice = client()
    ice.set_remote("theirs", PWD)
    ice.receive(answer(ice.due(0.0)[0][0]), NEAR, 0.01)
    ice.receive(answer(ice.due(0.01)[0][0]), NEAR, 0.02)
    return ice


def test_nothing_is_checked_before_the_answer() -> None:
    assert client().due(0.0) == []


def test_candidates_are_checked_best_first_with_what_the_server_wants_to_see() -> None:
    ice = client()
    ice.set_remote("theirs", PWD)
    checks = ice.due(0.0)
    assert [address for _, address in checks] == [NEAR, FAR]
    check = stun.parse(checks[0][0])
    assert check.type == stun.BINDING_REQUEST
    assert check.username == "theirs:ours"
    assert check.signed_by(PWD.encode())
    assert check.attributes[stun.ICE_CONTROLLING] == (99).to_bytes(8, "big")
    assert check.priority > 0
    assert not check.use_candidate
    assert ice.due(0.05) == []
    assert len(ice.due(0.11)) == 2


def test_what_answers_is_nominated_and_then_selected() -> None:
    ice = client()
    ice.set_remote("theirs", PWD)
    ice.receive(answer(ice.due(0.0)[1][0]), FAR, 0.01)
    assert ice.selected is None
    [(check, address)] = ice.due(0.01)
    assert address == FAR
    assert stun.parse(check).use_candidate
    ice.receive(answer(check), FAR, 0.02)
    assert ice.selected == FAR


def test_a_candidate_that_comes_late_is_checked_at_once() -> None:
    ice = IceClient("ours", "pw", 1, lambda: bytes(12))
    ice.set_remote("theirs", PWD)
    assert ice.due(0.0) == []
    ice.add([Candidate(*NEAR, 2)])
    assert len(ice.due(0.001)) == 1


def test_answers_that_are_forged_or_unasked_change_nothing() -> None:
    ice = client()
    ice.set_remote("theirs", PWD)
    check = ice.due(0.0)[0][0]
    ice.receive(answer(check, key="something else"), NEAR, 0.01)
    ice.receive(stun.success_response(bytes(12), "1.1.1.1", 1, PWD.encode()), NEAR, 0.01)
    ice.receive(b"\x01\x01garbage", NEAR, 0.01)
    assert len(ice.due(0.11)) == 2


def test_checks_of_the_server_are_answered_if_they_are_signed() -> None:
    ice = connected()
    check = stun.binding_request(bytes(12), "ours:theirs", b"our-password-of-24-chars", 1, controlled=5)
    reply = ice.receive(check, NEAR, 1.0)
    assert reply is not None
    assert stun.parse(reply).mapped_address == NEAR
    assert stun.parse(reply).signed_by(b"our-password-of-24-chars")
    assert ice.receive(stun.binding_request(bytes(12), "ours:theirs", b"wrong"), NEAR, 1.0) is None
    assert (
        ice.receive(stun.binding_request(bytes(12), "other:theirs", b"our-password-of-24-chars"), NEAR, 1.0)
        is None
    )


def test_consent_is_asked_for_and_runs_out() -> None:
    ice = connected()
    ice.due(0.2)
    now = 0.2 + CONSENT_INTERVAL_S
    [(check, _)] = ice.due(now)
    ice.receive(answer(check), NEAR, now)
    assert ice.confirmed_at == now
    assert not ice.expired(now + CONSENT_TIMEOUT_S - 1)
    assert ice.expired(now + CONSENT_TIMEOUT_S + 1)


def test_unanswered_checks_are_bounded() -> None:
    ice = client()
    ice.set_remote("theirs", PWD)
    first = ice.due(0.0)[0][0]
    for n in range(1, MAX_OUTSTANDING):
        ice.due(n * 0.2)
    ice.receive(answer(first), NEAR, 99.0)
    assert not stun.parse(ice.due(100.0)[0][0]).use_candidate
