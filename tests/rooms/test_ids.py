import re
import secrets

from rooms.ids import PARTICIPANT, Ids


def test_ids_have_the_form_that_sdks_expect() -> None:
    ids = Ids(secrets.token_bytes)
    made = {ids.make(PARTICIPANT) for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch(r"PA_[2-9A-HJ-NP-Za-km-z]{12}", sid) for sid in made)


def test_every_character_occurs() -> None:
    ids = Ids(secrets.token_bytes)
    assert len(set("".join(ids.make("") for _ in range(1000)))) == 57


def test_extreme_entropy() -> None:
    assert len(Ids(lambda size: b"\x00" * size).make("TR_")) == 15
    assert len(Ids(lambda size: b"\xff" * size).make("TR_")) == 15


def test_numbers_stay_in_their_bounds() -> None:
    ids = Ids(secrets.token_bytes)
    numbers = [ids.number(1, 4) for _ in range(200)]
    assert set(numbers) == {1, 2, 3, 4}
