"""Keys for AES-GCM. What is encrypted with them: tests/sfu/net/test_srtp_table.py."""

import pytest

from sfu.compiled.srtp import RECEIVE, RECEIVE_RTCP, SEND, SEND_RTCP
from sfu.net import gcm
from sfu.net.errors import SrtpError
from sfu.net.gcm import GcmKeys
from sfu.net.srtp import AEAD_AES_128_GCM, AES128_CM_SHA1_80, SrtpKeys


def test_keys_are_derived_as_rfc_3711_has_it() -> None:
    """Appendix B.3, whose salt has the 14 bytes of AES-CM."""
    key = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139")
    salt = bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")
    assert gcm._stream(key, salt, 0, 16) == bytes.fromhex("C61E7A93744F39EE10734AFE3FF7A087")
    assert gcm._stream(key, salt, 2, 14) == bytes.fromhex("30CBBC08863D8C85D49DB34A9AE1")


def test_each_use_has_a_key_of_its_own() -> None:
    keys = GcmKeys(SrtpKeys(AEAD_AES_128_GCM, bytes(28), bytes(range(28))))
    uses = (SEND, SEND_RTCP, RECEIVE, RECEIVE_RTCP)
    assert len({keys.context(use) for use in uses}) == 4
    assert len({keys.salts[use] for use in uses}) == 4
    assert all(len(keys.salts[use]) == 12 for use in uses)


def test_other_profiles_are_left_to_libsrtp() -> None:
    assert not gcm.takes(AES128_CM_SHA1_80)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(SrtpError):
        GcmKeys(SrtpKeys(AEAD_AES_128_GCM, bytes(28), bytes(27)))
