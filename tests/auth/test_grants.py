"""What a grant lets its holder do."""

import pytest

from auth.errors import MalformedClaims
from auth.grants import Claims, VideoGrant


def grant(**claims: object) -> VideoGrant:
    return VideoGrant.from_json(claims)


def test_defaults_let_a_participant_publish_and_subscribe_everything_but_own_metadata() -> None:
    absent = grant()
    assert absent.may_publish()
    assert absent.may_publish("camera")
    assert absent.may_subscribe()
    assert absent.may_publish_data()
    assert not absent.can_update_own_metadata


def test_data_follows_publishing_unless_it_is_said() -> None:
    assert not grant(canPublish=False).may_publish_data()
    assert grant(canPublish=False, canPublishData=True).may_publish_data()
    assert not grant(canPublishData=False).may_publish_data()
    assert grant(canPublishSources=["camera"]).may_publish_data()


def test_sources_narrow_publishing_but_never_grant_it() -> None:
    camera = grant(canPublishSources=["camera", "screen_share"])
    assert camera.may_publish()
    assert camera.may_publish("screen_share")
    assert not camera.may_publish("microphone")
    assert not camera.may_publish("unknown")
    assert not grant(canPublish=False, canPublishSources=["camera"]).may_publish("camera")
    assert grant(canPublishSources=[]).may_publish("unknown")


def test_subscribe_only() -> None:
    listener = grant(canPublish=False)
    assert listener.may_subscribe()
    assert not listener.may_publish("microphone")
    assert not grant(canSubscribe=False).may_subscribe()


@pytest.mark.parametrize("room", ["*", "", "r*", ".*", "R"])
def test_administration_is_of_one_room_without_wildcards(room: str) -> None:
    assert not grant(roomAdmin=True, room=room).may_administer("r")


def test_administration_of_the_named_room() -> None:
    assert grant(roomAdmin=True, room="r").may_administer("r")
    assert not grant(roomAdmin=False, room="r").may_administer("r")
    assert not grant(roomAdmin=True).may_administer("")


def test_every_field_goes_to_json_and_back() -> None:
    every = VideoGrant(
        room_join=True,
        room="r",
        room_create=True,
        room_list=True,
        room_record=True,
        room_admin=True,
        can_publish=False,
        can_publish_sources=("camera",),
        can_subscribe=True,
        can_publish_data=False,
        can_update_own_metadata=True,
        can_subscribe_metrics=True,
        can_manage_agent_session=True,
        hidden=True,
        recorder=True,
        agent=True,
        ingress_admin=True,
        destination_room="d",
    )
    raw = every.to_json()
    assert raw["canUpdateOwnMetadata"] is True
    assert raw["canPublishSources"] == ["camera"]
    assert len(raw) == 18
    assert VideoGrant.from_json(raw) == every


def test_what_is_default_is_not_written() -> None:
    assert VideoGrant().to_json() == {}
    assert VideoGrant(can_publish=False).to_json() == {"canPublish": False}
    assert Claims(identity="u").to_json() == {"sub": "u"}
    assert Claims(video=VideoGrant()).to_json() == {"video": {}}


def test_unknown_claims_are_skipped() -> None:
    assert Claims.from_json({"sub": "u", "future": {"x": 1}, "video": {"future": 1}}).video == VideoGrant()


def test_wrong_type_names_its_claim() -> None:
    with pytest.raises(MalformedClaims) as caught:
        grant(hidden="yes")
    assert caught.value.claim == "video.hidden"


@pytest.mark.parametrize(
    ("has", "other", "left"),
    [
        ({}, {}, {}),
        ({}, {"canPublish": False}, {"canPublish": False, "canPublishData": False}),
        ({}, {"canSubscribe": False}, {"canSubscribe": False}),
        ({}, {"canPublishData": False}, {"canPublishData": False}),
        ({}, {"canPublishSources": ["camera"]}, {"canPublishSources": ["camera"]}),
        (
            {"canPublishSources": ["camera", "microphone"]},
            {"canPublishSources": ["microphone", "screen_share"]},
            {"canPublishSources": ["microphone"]},
        ),
        (
            {"canPublishSources": ["camera"]},
            {"canPublishSources": ["microphone"]},
            {"canPublish": False, "canPublishData": True},
        ),
        ({"roomAdmin": True}, {}, {}),
        ({"canUpdateOwnMetadata": True}, {}, {}),
        ({"canSubscribe": False}, {"roomAdmin": True}, {"canSubscribe": False}),
    ],
)
def test_rights_that_another_grant_has_too(
    has: dict[str, object], other: dict[str, object], left: dict[str, object]
) -> None:
    rights = ("may_publish", "may_subscribe", "may_publish_data")
    limited, wanted = grant(**has).limited_to(grant(**other)), grant(**left)
    assert [getattr(limited, right)() for right in rights] == [getattr(wanted, right)() for right in rights]
    for name in ("can_publish_sources", "room_admin", "can_update_own_metadata"):
        if limited.may_publish():
            assert getattr(limited, name) == getattr(wanted, name)


def test_a_grant_limited_to_itself_is_itself() -> None:
    one = grant(canPublish=True, canPublishSources=["camera"], roomAdmin=True, canSubscribe=True)
    assert one.limited_to(one) == one
    assert VideoGrant().limited_to(VideoGrant()) == VideoGrant()
