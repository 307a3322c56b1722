"""One check, at start-up, that the libraries we lean on still have the private names we lean on."""

# ruff: noqa: SLF001

from collections.abc import Callable

from sfu.net import dtls_handshake, sctp, srtp
from sfu.net.errors import NetError

_DTLS_METHODS = (
    "_do_handshake",
    "_recv_next",
    "_set_role",
    "_set_state",
    "_setup_srtp",
    "_validate_peer_identity",
    "_write_ssl",
)
_DTLS_FIELDS = ("_role", "_srtp_profiles", "_ssl", "_state", "encrypted")
_SCTP_METHODS = (
    "_data_channel_close",
    "_data_channel_closed",
    "_data_channel_flush",
    "_flight_size_increase",
    "_receive_chunk",
    "_receive_sack_chunk",
    "_reset_deferred_streams",
    "_send",
    "_send_chunk",
    "_t1_expired",
    "_t3_expired",
    "_t3_restart",
    "_t3_start",
    "_transmit",
    "_transmit_reconfig",
    "_update_rto",
)
_SCTP_FIELDS = (
    "_advanced_peer_ack_tsn",
    "_association_state",
    "_cwnd",
    "_data_channels",
    "_fast_recovery_exit",
    "_fast_recovery_transmit",
    "_flight_size",
    "_forward_tsn_chunk",
    "_inbound_streams_max",
    "_last_received_tsn",
    "_last_sacked_tsn",
    "_local_port",
    "_local_verification_tag",
    "_loop",
    "_outbound_queue",
    "_outbound_streams_count",
    "_reconfig_deferred",
    "_reconfig_response_seq",
    "_remote_max_message_size",
    "_remote_port",
    "_remote_verification_tag",
    "_rto",
    "_sack_duplicates",
    "_sack_needed",
    "_sent_queue",
    "_t1_failures",
    "_t3_handle",
)


_SCTP_CHUNK_FIELDS = ("_acked", "_in_flight", "_misses", "_retransmit", "_sent_count", "_sent_time")
_SRTP_FUNCTIONS = ("srtp_protect", "srtp_unprotect", "srtp_protect_rtcp", "srtp_unprotect_rtcp")


def check_private_names() -> None:
    """Raise NetError that lists the names aiortc or pylibsrtp no longer have."""
    stock_dtls, stock_sctp = vars(dtls_handshake)["RTCDtlsTransport"], vars(sctp)["RTCSctpTransport"]
    missing = [
        *_absent(stock_dtls, _DTLS_METHODS),
        *_unset(stock_dtls.__init__, _DTLS_FIELDS),
        *_absent(vars(dtls_handshake)["RTCCertificate"], ("_create_ssl_context",)),
        *_absent(stock_sctp, _SCTP_METHODS),
        *_unset(stock_sctp.__init__, _SCTP_FIELDS),
        *_unset(stock_sctp._send, _SCTP_CHUNK_FIELDS),
        *_absent(vars(srtp)["lib"], _SRTP_FUNCTIONS),
        *_absent(vars(srtp)["Session"](), ("_srtp",)),
    ]
    if missing:
        raise NetError("not in the installed aiortc or pylibsrtp: " + ", ".join(missing))


def _absent(owner: object, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if not hasattr(owner, name)]


def _unset(function: Callable[..., object], names: tuple[str, ...]) -> list[str]:
    """Names that a function's code, where the attributes are first set, no longer mentions."""
    return [name for name in names if name not in function.__code__.co_names]
