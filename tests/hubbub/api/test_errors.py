import pytest

import auth.errors
import rooms.errors
import signaling.errors
from hubbub.api.errors import CODES, status_of


def leaves(error: type[Exception]) -> list[type[Exception]]:
    below = [leaf for child in error.__subclasses__() for leaf in leaves(child)]
    return below or [error]


@pytest.mark.parametrize(
    "error", [*leaves(rooms.errors.RoomsError), *leaves(auth.errors.TokenError), auth.errors.UnknownKey]
)
def test_every_refusal_has_a_status(error: type[Exception]) -> None:
    assert 400 <= status_of(error.__new__(error)) < 600


def test_every_error_of_the_doors_that_a_handler_can_raise_has_a_status() -> None:
    unanswered = {signaling.errors.BadFrame}
    for error in set(leaves(signaling.errors.SignalingError)) - unanswered:
        assert 400 <= status_of(error()) < 500


def test_no_row_hides_a_later_one() -> None:
    kinds = [kind for kind, _ in CODES]
    for index, kind in enumerate(kinds):
        assert not any(issubclass(kind, earlier) for earlier in kinds[:index])


def test_a_missing_room_says_what_livekit_client_looks_for() -> None:
    assert status_of(rooms.errors.RoomNotFound("requested room does not exist")) == 404
