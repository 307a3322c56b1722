from livekit.protocol import models, rtc

from auth.grants import VideoGrant
from rooms.permissions import SubscriptionPolicy, may_publish, permission_of

SOURCES = (models.CAMERA, models.MICROPHONE, models.SCREEN_SHARE, models.SCREEN_SHARE_AUDIO, models.UNKNOWN)


def test_defaults_allow_publishing_and_subscribing() -> None:
    permission = permission_of(VideoGrant())
    assert permission.can_publish
    assert permission.can_subscribe
    assert permission.can_publish_data
    assert not permission.can_update_metadata
    assert all(may_publish(permission, source) for source in SOURCES)


def test_data_follows_publishing_unless_named() -> None:
    assert not permission_of(VideoGrant(can_publish=False)).can_publish_data
    assert permission_of(VideoGrant(can_publish=False, can_publish_data=True)).can_publish_data
    assert not permission_of(VideoGrant(can_publish_data=False)).can_publish_data


def test_sources_limit_publishing() -> None:
    permission = permission_of(VideoGrant(can_publish_sources=("microphone", "screen_share_audio")))
    allowed = [source for source in SOURCES if may_publish(permission, source)]
    assert allowed == [models.MICROPHONE, models.SCREEN_SHARE_AUDIO]


def test_sources_that_nobody_knows_allow_nothing() -> None:
    permission = permission_of(VideoGrant(can_publish_sources=("hologram",)))
    assert not any(may_publish(permission, source) for source in SOURCES)


def test_flags_are_mirrored() -> None:
    grant = VideoGrant(
        hidden=True, recorder=True, agent=True, can_subscribe_metrics=True, can_manage_agent_session=True
    )
    permission = permission_of(grant)
    assert permission.hidden
    assert permission.recorder
    assert permission.agent
    assert permission.can_subscribe_metrics
    assert permission.can_manage_agent_session


def test_policy_of_everybody() -> None:
    assert SubscriptionPolicy().allows("anybody", "PA_any", "TR_any")
    message = rtc.SubscriptionPermission(all_participants=True)
    assert SubscriptionPolicy.from_request(message).allows("anybody", "PA_any", "TR_any")


def test_policy_of_nobody() -> None:
    policy = SubscriptionPolicy.from_request(rtc.SubscriptionPermission())
    assert not policy.allows("anybody", "PA_any", "TR_any")
    unnamed = rtc.SubscriptionPermission(track_permissions=[rtc.TrackPermission(all_tracks=True)])
    assert not SubscriptionPolicy.from_request(unnamed).allows("", "", "TR_any")


def test_entries_of_one_subscriber_add_up() -> None:
    message = rtc.SubscriptionPermission(
        track_permissions=[
            rtc.TrackPermission(participant_identity="bob", track_sids=["TR_1"]),
            rtc.TrackPermission(participant_identity="bob", track_sids=["TR_2"]),
            rtc.TrackPermission(participant_sid="PA_carol", all_tracks=True),
        ]
    )
    policy = SubscriptionPolicy.from_request(message)
    assert policy.allows("bob", "PA_bob", "TR_1")
    assert policy.allows("bob", "PA_bob", "TR_2")
    assert not policy.allows("bob", "PA_bob", "TR_3")
    assert policy.allows("carol", "PA_carol", "TR_3")
    assert not policy.allows("dave", "PA_dave", "TR_1")
