"""Where compiled loops find arrays, also after they have moved."""

import numpy as np
import pytest

from sfu.compiled import places
from sfu.compiled.srtp import KEY_WORDS, STATE_WORDS
from sfu.net.lookup import Lookup
from sfu.net.peers import PeerTable
from sfu.net.places import Place, Places
from sfu.streams.columns import StreamRows


def test_an_array_is_found_as_what_it_is() -> None:
    halves, cube = np.arange(6.0) / 2, np.arange(24, dtype=np.int64)
    words = places.words
    listed = Places({0: Place(halves), 1: cube.view(np.uint8), 2: cube}).words
    assert places.floats(listed, 0).tolist() == halves.tolist()
    assert places.floats2(listed, 0, 1).tolist() == [[half] for half in halves.tolist()]
    assert places.octets(listed, 1).tolist() == cube.view(np.uint8).tolist()
    assert places.octets2(listed, 1, 1).shape == (192, 1)
    assert words(listed, 2).tolist() == cube.tolist()
    table = cube.reshape(3, 8)
    listed = Places({0: table}).words
    assert places.words2(listed, 0, 8).tolist() == table.tolist()
    assert places.words3(listed, 0, 4, 2).tolist() == table.reshape(3, 4, 2).tolist()


def test_an_array_in_pieces_is_refused() -> None:
    with pytest.raises(ValueError, match="one piece"):
        Place(np.zeros((4, 4))[:, 1])


def test_tables_that_grow_say_so() -> None:
    lookup, rows, peers = Lookup(), StreamRows(), PeerTable(capacity=1)
    listed = Places({**peers.srtp.places, 4: lookup.place, 5: rows.place}).words
    for number in range(100):
        lookup.put((number, 0, 0, 0), number)
        rows.begin(number + 1)
        row = peers.allocate()
        peers.srtp._keys[row] = number + 1
        peers.srtp.reserve(number)
        assert (places.words2(listed, 4, 5) == lookup.table).all()
        assert (places.words2(listed, 5, rows.WIDTH) == rows.words).all()
        keys, windows = peers.srtp.tables(0)[:2]
        assert (places.words2(listed, places.KEYS, KEY_WORDS) == keys).all()
        assert (places.words2(listed, places.WINDOWS, STATE_WORDS) == windows).all()
    lookup.clear()
    assert len(lookup) == 0
    assert (places.words2(listed, 4, 5) == lookup.table).all()
    assert lookup.find((1, 0, 0, 0)) == -1
