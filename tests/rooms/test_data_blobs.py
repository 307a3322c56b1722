import pytest
from livekit.protocol import models, rtc

from rooms.config import RoomConfig
from tests.harness.rooms import Guest, House

REASON = rtc.RequestResponse


def store(guest: Guest, key: models.DataBlobKey | str, contents: bytes, request_id: int = 7) -> None:
    key = models.DataBlobKey(generic=key) if isinstance(key, str) else key
    blob = models.DataBlob(key=key, contents=contents)
    guest.request(store_data_blob_request=rtc.StoreDataBlobRequest(request_id=request_id, blob=blob))


def get(guest: Guest, identity: str, key: str, request_id: int = 8) -> None:
    request = rtc.GetDataBlobRequest(
        request_id=request_id, participant_identity=identity, key=models.DataBlobKey(generic=key)
    )
    guest.request(get_data_blob_request=request)


def house(**config: object) -> House:
    return House(RoomConfig(enable_data_blobs=True, **config))


def test_what_one_stores_another_fetches() -> None:
    alice, bob = house().pair()
    store(alice, "k", b"first")
    assert alice.last("store_data_blob_response") == rtc.StoreDataBlobResponse(
        request_id=7, key=models.DataBlobKey(generic="k")
    )
    store(alice, "k", b"second")
    get(bob, "alice", "k")
    assert bob.last("get_data_blob_response") == rtc.GetDataBlobResponse(
        request_id=8, blob=models.DataBlob(key=models.DataBlobKey(generic="k"), contents=b"second")
    )


def test_a_schema_is_a_key_too() -> None:
    alice, _ = house().pair()
    encoding = models.DataTrackSchemaEncoding(custom="mine")
    key = models.DataBlobKey(schema_id=models.DataTrackSchemaId(name="s", encoding=encoding))
    store(alice, key, b"x")
    assert alice.last("store_data_blob_response").key == key
    alice.request(get_data_blob_request=rtc.GetDataBlobRequest(participant_identity="alice", key=key))
    assert alice.last("get_data_blob_response").blob.contents == b"x"


def test_off_unless_configured() -> None:
    alice, bob = House().pair()
    store(alice, "k", b"x")
    get(bob, "alice", "k")
    for guest, request_id in ((alice, 7), (bob, 8)):
        assert guest.last("request_response") == REASON(
            request_id=request_id, reason=REASON.NOT_ALLOWED, message="data blob not enabled"
        )


@pytest.mark.parametrize(
    ("key", "contents", "reason"),
    [
        ("", b"x", REASON.INVALID_REQUEST),
        ("k" * 300, b"x", REASON.INVALID_REQUEST),
        (models.DataBlobKey(schema_id=models.DataTrackSchemaId()), b"x", REASON.INVALID_REQUEST),
        (
            models.DataBlobKey(
                schema_id=models.DataTrackSchemaId(
                    name="s", encoding=models.DataTrackSchemaEncoding(custom="")
                )
            ),
            b"x",
            REASON.INVALID_REQUEST,
        ),
        ("k", b"", REASON.INVALID_REQUEST),
        ("k", b"x" * 101, REASON.LIMIT_EXCEEDED),
    ],
)
def test_what_is_not_stored(key: models.DataBlobKey | str, contents: bytes, reason: int) -> None:
    alice, _ = house(max_data_blobs_bytes=100).pair()
    store(alice, key, contents)
    assert alice.last("request_response").reason == reason


def test_the_limit_counts_what_would_be_stored() -> None:
    alice, bob = house(max_data_blobs_bytes=100).pair()
    store(alice, "a", b"x" * 90)
    store(alice, "b", b"x" * 10)
    assert alice.last("request_response").reason == REASON.LIMIT_EXCEEDED
    store(alice, "a", b"y" * 80)
    store(alice, "b", b"x" * 10)
    assert len(alice.of("store_data_blob_response")) == 3
    get(bob, "alice", "a")
    assert bob.last("get_data_blob_response").blob.contents == b"y" * 80


def test_what_is_not_found() -> None:
    alice, bob = house().pair()
    store(alice, "k", b"x")
    get(bob, "nobody", "k")
    get(bob, "alice", "other")
    bob.request(get_data_blob_request=rtc.GetDataBlobRequest(participant_identity="alice"))
    assert [answer.reason for answer in bob.of("request_response")] == [
        REASON.NOT_FOUND,
        REASON.NOT_FOUND,
        REASON.INVALID_REQUEST,
    ]


def test_somebody_hidden_has_none_for_the_others() -> None:
    full = house()
    spy, bob = full.join("spy", grant={"hidden": True}), full.join("bob")
    store(spy, "k", b"x")
    get(bob, "spy", "k")
    assert bob.last("request_response").reason == REASON.NOT_FOUND
    get(spy, "spy", "k")
    assert spy.last("get_data_blob_response").blob.contents == b"x"


def test_a_resume_keeps_them_and_the_end_does_not() -> None:
    alice, bob = house().pair()
    store(alice, "k", b"x")
    alice.drop_signal()
    alice.resume()
    get(bob, "alice", "k")
    assert bob.of("get_data_blob_response")
    alice.session.leave(models.CLIENT_INITIATED)
    get(bob, "alice", "k")
    assert bob.last("request_response").message == "participant not found"
