"""Numbers by 64-bit keys."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sfu.net.lookup import MISSING, Lookup

KEYS = st.one_of(st.integers(0, 4), st.integers(2**63 - 2, 2**63 + 2), st.just(2**64 - 2))


@given(st.lists(st.tuples(KEYS, st.one_of(st.none(), st.integers(0, 100)))))
def test_it_knows_what_a_dictionary_knows(changes: list[tuple[int, int | None]]):
    lookup, known = Lookup(), dict[int, int]()
    for key, value in changes:
        if value is None:
            lookup.drop(key)
            known.pop(key, None)
        else:
            lookup.put(key, value)
            known[key] = value
    keys = [0, 1, 2, 3, 4, 2**63, 2**64 - 2, 2**64 - 1]
    assert lookup.find(np.array(keys, np.uint64)).tolist() == [known.get(key, MISSING) for key in keys]
    assert len(lookup) == len(known)
