"""Numbers by keys of several words."""

from hypothesis import given
from hypothesis import strategies as st

from sfu.net.lookup import MISSING, Key, Lookup

WORDS = st.one_of(st.integers(0, 2), st.just(-1), st.integers(-(2**63), 2**63 - 1))
KEYS = st.one_of(st.tuples(WORDS, WORDS, WORDS, WORDS), st.tuples(*[st.integers(0, 1)] * 4))


@given(st.lists(st.tuples(KEYS, st.one_of(st.none(), st.integers(0, 100)))), st.lists(KEYS))
def test_it_knows_what_a_dictionary_knows(changes: list[tuple[Key, int | None]], others: list[Key]):
    lookup, known = Lookup(), dict[Key, int]()
    for key, value in changes:
        if value is None:
            lookup.drop(key)
            known.pop(key, None)
        else:
            lookup.put(key, value)
            known[key] = value
    for key in [*others, *(key for key, _ in changes)]:
        assert lookup.find(key) == known.get(key, MISSING)
    assert len(lookup) == len(known)


def test_many_come_and_go():
    lookup = Lookup()
    for key in range(5000):
        lookup.put((key, 7, 0, 0), key)
    for key in range(0, 5000, 2):
        lookup.drop((key, 7, 0, 0))
    found = [lookup.find((key, 7, 0, 0)) for key in range(5000)]
    assert found == [key if key % 2 else MISSING for key in range(5000)]
    assert len(lookup) == 2500


def test_tables_differ_in_where_keys_go():
    one, other = Lookup(), Lookup()
    for lookup in (one, other):
        for key in range(7):
            lookup.put((key, 0, 0, 0), 1)
    assert (one.table != other.table).any(), "else peers could choose keys that all go to one place"
