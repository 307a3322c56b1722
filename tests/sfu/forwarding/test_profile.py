"""Header extensions translated from a publisher's numbering to a subscriber's."""

from hypothesis import given
from hypothesis import strategies as st

from sfu.forwarding.layout import SourceExtensions
from sfu.forwarding.profile import FIXED_HEADER, Profile, ProfileRegistry, playout_delay
from sfu.rtp.extensions import ExtensionUri, walk
from sfu.rtp.header import parse_header
from tests.harness.forwarding import extensions

SENT_AT = 0x123456
LEVEL, ORIENTATION = ExtensionUri.AUDIO_LEVEL, ExtensionUri.VIDEO_ORIENTATION


def read(header: bytes) -> dict[int, bytes]:
    """The extensions, read as a receiver would."""
    parsed = parse_header(header, len(header))
    assert parsed.payload_start == len(header)
    places = walk(header, parsed.extension_profile, parsed.extension_start, parsed.extension_end)
    return {id_: bytes(header[at : at + size]) for id_, at, size in places}


def header_of(profile: Profile, uris: dict[int, str], elements: list[tuple[int, bytes]]) -> tuple[bytes, int]:
    """What the profile makes of a publisher's elements."""
    return profile.header(*extensions(SourceExtensions(uris), elements), SENT_AT)


def test_without_extensions_the_header_is_bare():
    header, twcc_at = header_of(Profile({}), {1: LEVEL}, [(1, b"\x80")])
    assert (len(header), header[0], twcc_at) == (FIXED_HEADER, 0x80, 0)


def test_what_both_know_is_renumbered():
    uris = {3: LEVEL, 5: ORIENTATION, 7: "urn:unknown"}
    elements = [(3, b"\x7f"), (5, b"\x01"), (7, b"secret")]
    header, _ = header_of(Profile({LEVEL: 9, ORIENTATION: 2}), uris, elements)
    assert read(header) == {9: b"\x7f", 2: b"\x01"}


def test_an_id_that_nobody_negotiated_is_dropped():
    header, _ = header_of(Profile({LEVEL: 9}), {3: LEVEL}, [(4, b"\x7f")])
    assert header[0] == 0x80


def test_the_publishers_own_numbers_are_replaced_by_ours():
    uris = {1: ExtensionUri.TRANSPORT_CC, 2: ExtensionUri.ABS_SEND_TIME, 3: ExtensionUri.MID}
    profile = Profile({uri: id_ for id_, uri in uris.items()})
    elements = [(1, b"\xaa\xbb"), (2, b"old"), (3, b"0")]
    header, twcc_at = header_of(profile, uris, elements)
    assert read(header) == {1: b"\0\0", 2: b"\x12\x34\x56"}
    stamped = bytearray(header)
    stamped[twcc_at : twcc_at + 2] = b"\xca\xfe"
    assert read(bytes(stamped))[1] == b"\xca\xfe"


def test_each_packet_has_its_own_time_and_values():
    ids = {ExtensionUri.ABS_SEND_TIME: 2, LEVEL: 9}
    profile, source = Profile(ids), SourceExtensions({3: LEVEL})
    loud, quiet = extensions(source, [(3, b"\x01")]), extensions(source, [(3, b"\x7f")])
    bare = extensions(source, [])
    for sent_at in (1, 1, 2):
        time = sent_at.to_bytes(3, "big")
        for _ in range(2):
            assert read(profile.header(*bare, sent_at)[0]) == {2: time}
            assert read(profile.header(*loud, sent_at)[0]) == {2: time, 9: b"\x01"}
            assert read(profile.header(*quiet, sent_at)[0]) == {2: time, 9: b"\x7f"}


def test_a_playout_delay_of_ours_replaces_the_publishers():
    uris = {3: ExtensionUri.PLAYOUT_DELAY, 5: ORIENTATION}
    elements = [(3, b"\0\0\0"), (5, b"\x01")]
    ids = {ExtensionUri.PLAYOUT_DELAY: 9, ORIENTATION: 2}
    registry = ProfileRegistry()
    ours = registry.profile(ids, playout_delay(100, 40_950))
    assert read(header_of(ours, uris, elements)[0]) == {9: b"\x00\xaf\xff", 2: b"\x01"}
    assert read(header_of(ours, uris, [])[0]) == {9: b"\x00\xaf\xff"}
    theirs = registry.profile(ids)
    assert read(header_of(theirs, uris, elements)[0]) == {9: b"\0\0\0", 2: b"\x01"}
    not_negotiated = registry.profile({ORIENTATION: 2}, playout_delay(0, 10))
    assert read(header_of(not_negotiated, uris, elements)[0]) == {2: b"\x01"}


def test_long_or_empty_values_take_the_two_byte_form():
    uris = {3: LEVEL, 4: ORIENTATION}
    profile = Profile({LEVEL: 1, ORIENTATION: 2, ExtensionUri.TRANSPORT_CC: 4})
    for value in (b"x" * 17, b""):
        header, twcc_at = header_of(profile, uris, [(3, value), (4, b"\x01")])
        assert header[12:14] == b"\x10\x00"
        assert read(header) == {1: value, 2: b"\x01", 4: b"\0\0"}
        stamped = bytearray(header)
        stamped[twcc_at : twcc_at + 2] = b"\xca\xfe"
        assert read(bytes(stamped))[4] == b"\xca\xfe"


@given(
    st.dictionaries(st.integers(1, 14), st.binary(min_size=1, max_size=16), max_size=8),
    st.permutations(range(1, 15)),
    st.booleans(),
)
def test_any_set_of_extensions_arrives(values: dict[int, bytes], order: list[int], twcc: bool):
    uris = {id_: f"urn:{id_}" for id_ in values}
    ids = {f"urn:{id_}": order[id_ - 1] for id_ in values}
    if twcc:
        ids[ExtensionUri.TRANSPORT_CC] = 20
    header, twcc_at = header_of(Profile(ids), uris, list(values.items()))
    expected = {ids[f"urn:{id_}"]: value for id_, value in values.items()}
    if twcc:
        expected[20] = b"\0\0"
    assert read(header) == expected
    assert (twcc_at > 0) == twcc


class TestRegistry:
    def test_equal_numberings_are_one_object(self):
        registry = ProfileRegistry()
        assert registry.profile({LEVEL: 1, ORIENTATION: 2}) is registry.profile({ORIENTATION: 2, LEVEL: 1})
        assert registry.profile({LEVEL: 1}) is not registry.profile({LEVEL: 2})
        assert registry.source({1: LEVEL}) is registry.source({1: LEVEL})
        assert registry.source({1: LEVEL}) is not registry.source({2: LEVEL})

    def test_it_stops_remembering_at_its_limit(self):
        registry = ProfileRegistry(limit=2)
        for id_ in range(1, 10):
            assert registry.profile({LEVEL: id_}).ids == {LEVEL: id_}
            assert registry.source({id_: LEVEL}).uris == {id_: LEVEL}
        assert len(registry._profiles) == len(registry._sources) == 2


def test_a_profile_remembers_a_bounded_number_of_layouts():
    profile, source = Profile({LEVEL: 1}), SourceExtensions({3: LEVEL})
    for size in range(1, 1500):
        layout, block = extensions(source, [(3, b"x"), (5, bytes(size % 250)), (6, bytes(size // 250))])
        assert read(profile.header(layout, block, SENT_AT)[0]) == {1: b"x"}
    assert len(profile._plans) <= 1024
    assert len(source._known) <= 256
