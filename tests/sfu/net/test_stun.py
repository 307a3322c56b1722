"""STUN messages: what is built can be read, and the published test vectors agree."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sfu.net import stun
from sfu.net.errors import StunError

KEY = b"VOkJxbRl1RmTxUk/WvJxBt"
"""Password of the RFC 5769 vectors."""

RFC5769_REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
RFC5769_RESPONSE_V4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
RFC5769_RESPONSE_V6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)
TRANSACTION_ID = RFC5769_REQUEST[8:20]


def test_published_request_is_read_and_its_signature_holds() -> None:
    message = stun.parse(RFC5769_REQUEST)
    assert message.type == stun.BINDING_REQUEST
    assert message.username == "evtj:h6vY"
    assert message.priority == 0x6E0001FF
    assert message.attributes[stun.ICE_CONTROLLED] == bytes.fromhex("932ff9b151263b36")
    assert not message.unknown
    assert message.signed_by(KEY)
    assert not message.signed_by(KEY[:-1])


@pytest.mark.parametrize(
    ("data", "address"),
    [
        (RFC5769_RESPONSE_V4, ("192.0.2.1", 32853)),
        (RFC5769_RESPONSE_V6, ("2001:db8:1234:5678:11:2233:4455:6677", 32853)),
    ],
)
def test_published_responses_carry_the_mapped_address(data: bytes, address: tuple[str, int]) -> None:
    message = stun.parse(data)
    assert message.mapped_address == address
    assert message.signed_by(KEY)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::7"])
def test_our_response_gives_the_address_back(host: str) -> None:
    message = stun.parse(stun.success_response(TRANSACTION_ID, host, 40000, KEY))
    assert (message.type, message.transaction_id) == (stun.BINDING_SUCCESS, TRANSACTION_ID)
    assert message.mapped_address == (host, 40000)
    assert message.signed_by(KEY)


@pytest.mark.parametrize("host", ["::ffff:192.0.2.1", "192.0.2.1"])
def test_a_dual_stack_socket_still_reports_ipv4(host: str) -> None:
    assert stun.parse(stun.success_response(TRANSACTION_ID, host, 1)).mapped_address == ("192.0.2.1", 1)


def test_a_scoped_address_is_answered_without_its_scope() -> None:
    assert stun.parse(stun.success_response(TRANSACTION_ID, "fe80::1%eth0", 1)).mapped_address == (
        "fe80::1",
        1,
    )


def test_a_plain_mapped_address_is_read_too() -> None:
    body = bytes.fromhex("00010008" + "0001" + "1f90" + "c0000201")
    message = stun.parse(stun._header.pack(stun.BINDING_SUCCESS, 12, 0x2112A442, TRANSACTION_ID) + body)
    assert message.mapped_address == ("192.0.2.1", 8080)


def test_a_check_of_a_controlling_agent() -> None:
    data = stun.binding_request(TRANSACTION_ID, "them:us", KEY, 1234, controlling=7, use_candidate=True)
    message = stun.parse(data)
    assert message.username == "them:us"
    assert message.priority == 1234
    assert message.use_candidate
    assert message.attributes[stun.ICE_CONTROLLING] == (7).to_bytes(8, "big")
    assert message.signed_by(KEY)
    assert stun.username_of(data) == ("them", "us")


def test_the_same_in_another_transaction() -> None:
    def request(transaction_id: bytes, key: bytes = KEY, priority: int = 1234) -> bytes:
        return stun.binding_request(
            transaction_id, "them:us", key, priority, controlling=7, use_candidate=True
        )

    first, again = request(TRANSACTION_ID), request(b"another one!")
    message = stun.parse(first)
    assert message.repeated_by(first, KEY)
    assert message.repeated_by(again, KEY)
    assert not message.repeated_by(again, KEY[:-1])
    for other in (request(TRANSACTION_ID, KEY[:-1]), request(TRANSACTION_ID, priority=1235), again[:-8], b""):
        assert not message.repeated_by(other, KEY)
    for bit in range(8 * len(again)):
        bent = bytearray(again)
        bent[bit // 8] ^= 1 << bit % 8
        assert not message.repeated_by(bytes(bent), KEY)
    unsigned = stun.binding_request(TRANSACTION_ID, "them:us")
    assert not stun.parse(unsigned).repeated_by(unsigned, b"")


def test_a_bare_request_has_no_attributes_but_the_fingerprint() -> None:
    data = stun.binding_request(TRANSACTION_ID)
    assert len(data) == 28
    message = stun.parse(data)
    assert not message.attributes
    assert not message.signed_by(KEY)
    assert stun.username_of(data) is None


def test_errors_name_code_and_unknown_attributes() -> None:
    message = stun.parse(stun.error_response(TRANSACTION_ID, stun.UNKNOWN_ATTRIBUTE, KEY, (0x7777, 0x0003)))
    assert message.type == stun.BINDING_ERROR
    assert message.error_code == 420
    assert message.attributes[stun.UNKNOWN_ATTRIBUTES] == bytes.fromhex("77770003")
    assert message.signed_by(KEY)
    assert stun.parse(stun.error_response(TRANSACTION_ID, stun.ROLE_CONFLICT)).error_code == 487


def test_attributes_after_the_integrity_are_not_believed() -> None:
    data = stun.binding_request(TRANSACTION_ID, "them:us", KEY)[:-8]
    data += bytes.fromhex("00250000")
    data = data[:2] + (len(data) - 20).to_bytes(2, "big") + data[4:]
    assert not stun.parse(data).use_candidate


def test_the_first_of_two_equal_attributes_counts() -> None:
    body = stun._pack(stun.USERNAME, b"first:x") + stun._pack(stun.USERNAME, b"second:x")
    data = stun._finish(stun.BINDING_REQUEST, TRANSACTION_ID, body, KEY)
    assert stun.parse(data).username == "first:x"
    assert stun.username_of(data) == ("first", "x")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (RFC5769_REQUEST, True),
        (b"\x16\xfe\xfd" + bytes(20), False),
        (b"\x80\x60" + bytes(30), False),
        (b"", False),
    ],
)
def test_the_first_byte_and_the_cookie_tell_stun_from_the_rest(data: bytes, expected: bool) -> None:
    assert stun.is_stun(data) is expected


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_stun_error(tail: bytes) -> None:
    tail = tail[: len(tail) & ~3]
    data = b"\x00\x01" + len(tail).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + TRANSACTION_ID + tail
    stun.username_of(data)
    try:
        message = stun.parse(data)
    except StunError:
        return
    assert not message.signed_by(KEY)
    _ = message.username, message.priority, message.error_code, message.mapped_address


@given(st.integers(0, (len(RFC5769_REQUEST) - 8) * 8 - 1))
@example(509)  # lengthens the user name, so that it swallows signature and fingerprint
def test_one_flipped_bit_before_the_fingerprint_is_noticed(bit: int) -> None:
    data = bytearray(RFC5769_REQUEST)
    data[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(StunError):
        assert not stun.parse(bytes(data)).signed_by(KEY)
