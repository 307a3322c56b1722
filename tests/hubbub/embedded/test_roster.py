from livekit.protocol import models

from hubbub.embedded.roster import Roster


def info(identity: str, sid: str = "PA_1", version: int = 1, **fields: object) -> models.ParticipantInfo:
    return models.ParticipantInfo(identity=identity, sid=sid, version=version, **fields)


MIC = models.TrackInfo(sid="TR_mic", type=models.AUDIO)
CAM = models.TrackInfo(sid="TR_cam", type=models.VIDEO)
GONE = models.ParticipantInfo.DISCONNECTED


def test_tracks_are_found_by_sid_and_by_owner() -> None:
    roster = Roster()
    roster.take([info("ann", tracks=[MIC, CAM]), info("bob", "PA_2")])
    assert roster.track("TR_cam") == CAM
    assert roster.first("ann", models.AUDIO) == MIC
    assert roster.first("bob", models.AUDIO) is None
    assert roster.first("carl", models.AUDIO) is None


def test_old_news_is_no_news() -> None:
    roster = Roster()
    roster.take([info("ann", version=3, tracks=[MIC]), info("ann", version=2)])
    assert roster.track("TR_mic")
    roster.take([info("ann", version=4)])
    assert roster.track("TR_mic") is None


def test_who_left_is_gone_unless_another_session_has_begun() -> None:
    roster = Roster()
    roster.take([info("ann"), info("ann", "PA_2"), info("ann", "PA_1", state=GONE)])
    assert "ann" in roster
    roster.take([info("ann", "PA_2", state=GONE)])
    assert "ann" not in roster
