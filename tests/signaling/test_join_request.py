import base64
import gzip
import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.protocol import models, rtc

from auth.grants import Claims, VideoGrant
from signaling.errors import BadRequest
from signaling.join_request import from_query, from_wrapped, unwrap

CLAIMS = Claims(identity="u", video=VideoGrant(room_join=True, room="r"))
MAX = 1024 * 1024
GZIP = rtc.WrappedJoinRequest.Compression.GZIP
ASKED = rtc.JoinRequest(
    client_info=models.ClientInfo(sdk=models.ClientInfo.SDK.PYTHON, version="1.2.0", protocol=18),
    connection_settings=rtc.ConnectionSettings(auto_subscribe=True, adaptive_stream=True),
    metadata="m",
    participant_attributes={"a": "b"},
    add_track_requests=[rtc.AddTrackRequest(cid="c1")],
    publisher_offer=rtc.SessionDescription(type="offer", sdp="v=0", id=1),
    reconnect=True,
    reconnect_reason=models.ReconnectReason.RR_PUBLISHER_FAILED,
    participant_sid="PA_x",
)


def wrap(inner: bytes, compression: int = 0) -> str:
    wrapped = rtc.WrappedJoinRequest(compression=compression, join_request=inner)  # type: ignore[arg-type]
    return base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()


def test_v0_defaults() -> None:
    wanted = from_query({}, CLAIMS, strict=True)
    assert wanted.claims is CLAIMS
    assert not wanted.single_pc
    assert wanted.auto_subscribe
    assert not wanted.auto_subscribe_data_track
    assert not wanted.adaptive_stream
    assert not wanted.reconnect
    assert (wanted.participant_sid, wanted.publish, dict(wanted.attributes)) == ("", "", {})


def test_v0_parameters() -> None:
    query = {
        "auto_subscribe": "0",
        "auto_subscribe_data_track": "true",
        "adaptive_stream": "1",
        "disable_ice_lite": "true",
        "reconnect": "1",
        "sid": "PA_x",
        "reconnect_reason": "2",
        "publish": "screen",
        "attributes": base64.urlsafe_b64encode(b'{"a": "b"}').decode(),
    }
    wanted = from_query(query, CLAIMS, strict=True)
    assert not wanted.auto_subscribe
    assert wanted.auto_subscribe_data_track
    assert wanted.adaptive_stream
    assert wanted.disable_ice_lite
    assert (wanted.reconnect, wanted.participant_sid, wanted.reconnect_reason) == (True, "PA_x", 2)
    assert wanted.publish == "screen"
    assert wanted.attributes == {"a": "b"}


def test_a_sid_counts_only_with_reconnect() -> None:
    assert from_query({"sid": "PA_x"}, CLAIMS, strict=True).participant_sid == ""


@pytest.mark.parametrize(
    "attributes",
    [
        "%%%",
        "AA",
        "bm8ganNvbg==",
        *(
            base64.urlsafe_b64encode(text).decode()
            for text in (b"[1]", b'{"a": 1}', b"7", b'{"a": "\\ud800"}', b"[" * 40_000)
        ),
    ],
)
def test_bad_attributes_fail_validation_and_are_ignored_when_connecting(attributes: str) -> None:
    with pytest.raises(BadRequest, match=r"^cannot decode attributes$"):
        from_query({"attributes": attributes}, CLAIMS, strict=True)
    assert from_query({"attributes": attributes}, CLAIMS, strict=False).attributes == {}


@pytest.mark.parametrize(
    "text", [wrap(ASKED.SerializeToString()), wrap(gzip.compress(ASKED.SerializeToString()), GZIP)]
)
@pytest.mark.parametrize("padded", [True, False])
def test_v1_plain_and_gzip_with_and_without_padding(text: str, padded: bool) -> None:
    wanted = from_wrapped(text if padded else text.rstrip("="), CLAIMS, max_bytes=MAX)
    assert wanted.single_pc
    assert wanted.client == ASKED.client_info
    assert (wanted.auto_subscribe, wanted.adaptive_stream, wanted.disable_ice_lite) == (True, True, False)
    assert (wanted.metadata, wanted.attributes) == ("m", {"a": "b"})
    assert wanted.add_tracks == tuple(ASKED.add_track_requests)
    assert wanted.publisher_offer == ASKED.publisher_offer
    assert (wanted.reconnect, wanted.participant_sid, wanted.reconnect_reason) == (True, "PA_x", 2)


def test_v1_defaults_differ_from_v0() -> None:
    wanted = from_wrapped("EgA=", CLAIMS, max_bytes=MAX)
    assert not wanted.auto_subscribe
    assert wanted.publisher_offer is None
    assert wanted.client == models.ClientInfo()


BAD = {
    "!!!!": "cannot base64 decode wrapped join request",
    "A": "cannot base64 decode wrapped join request",
    "AA=A": "cannot base64 decode wrapped join request",
    "AAAA====": "cannot base64 decode wrapped join request",
    "é": "cannot base64 decode wrapped join request",
    "CAESJh+LCABibwFrAv/j4uFgFGIz0jMy1jOQEBRi4mAEAGa5xeoSAAAA": "cannot base64 decode wrapped join request",
    "_____w==": "cannot unmarshal wrapped join request",
    wrap(b"\xff\xff\xff"): "cannot unmarshal join request",
    wrap(b"notgzip", GZIP): "cannot read decompressed join request",
    wrap(b"", GZIP): "cannot read decompressed join request",
    wrap(gzip.compress(b"")[:-1], GZIP): "cannot read decompressed join request",
    wrap(gzip.compress(b"") + b"tail", GZIP): "cannot read decompressed join request",
    wrap(b"", 7): "cannot read decompressed join request",
    wrap(bytes(MAX + 1)): "join request too large",
    wrap(gzip.compress(bytes(MAX + 1)), GZIP): "join request too large",
}


@pytest.mark.parametrize(("text", "message"), BAD.items(), ids=range(len(BAD)))
def test_every_stage_has_its_text(text: str, message: str) -> None:
    with pytest.raises(BadRequest, match=f"^{message}$"):
        unwrap(text, max_bytes=MAX)


def test_a_gzip_bomb_is_not_inflated() -> None:
    bomb = wrap(gzip.compress(bytes(256 * MAX), compresslevel=9), GZIP)
    tracemalloc.start()
    with pytest.raises(BadRequest, match=r"^join request too large$"):
        unwrap(bomb, max_bytes=MAX)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MAX


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=40)
    | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
    | st.builds(wrap, st.binary(max_size=40), st.integers(0, 3))
)
def test_any_text_is_a_join_request_or_a_bad_request(text: str) -> None:
    try:
        from_wrapped(text, CLAIMS, max_bytes=MAX)
    except BadRequest:
        return


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["protocol", "sdk", "attributes", "capabilities", "reconnect_reason", "os"]),
        st.text(max_size=20)
        | st.recursive(st.none() | st.text(max_size=4), st.lists).map(
            lambda x: base64.urlsafe_b64encode(json.dumps(x).encode()).decode()
        ),
    )
)
def test_any_query_connects(query: dict[str, str]) -> None:
    assert from_query(query, CLAIMS, strict=False).claims is CLAIMS
