"""The names of aiortc and pylibsrtp that we lean on exist, and their absence would be noticed."""

import pytest
from aiortc.rtcsctptransport import RTCSctpTransport

from sfu.net.errors import NetError
from sfu.net.private_names import check_private_names


def test_every_private_name_is_there() -> None:
    check_private_names()


def test_a_missing_name_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(RTCSctpTransport, "_t3_expired")
    with pytest.raises(NetError, match="_t3_expired"):
        check_private_names()


def test_a_renamed_field_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RTCSctpTransport, "_send", RTCSctpTransport._send_chunk)
    with pytest.raises(NetError, match="_acked"):
        check_private_names()
