"""Hostile descriptions: cases 64 to 71 of the fault plan, and mutations of real offers."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfu.sdp import codecs, extensions
from sfu.sdp.description import Section
from sfu.sdp.errors import SdpError
from sfu.sdp.parse import MAX_BYTES, MAX_LINE, MAX_SECTIONS, parse
from tests.fuzz.sdp_targets import TARGETS, answer_to

DATA = Path(__file__).parents[1] / "data" / "sdp"
OFFERS = [path.read_bytes().decode() for path in sorted(DATA.glob("*.sdp"))]
JOIN = (DATA / "v1_offer_js.sdp").read_bytes().decode()
SIMULCAST = (DATA / "offer_simulcast_VP8.sdp").read_bytes().decode()
DEADLINE_S = 2.0
"""Generous for a busy machine: these inputs take tens of milliseconds, and hours where work grows squared."""


def refused(text: str) -> bool:
    """Whether parsing ends in SdpError, in bounded time either way."""
    started = time.perf_counter()
    try:
        answer_to(parse(text))
    except SdpError:
        return True
    finally:
        assert time.perf_counter() - started < DEADLINE_S
    return False


def repeated(line: Callable[[int], str], count: int, text: str = JOIN) -> str:
    """The text with lines added to its last section."""
    return text + "".join(line(number) + "\r\n" for number in range(count))


def video(text: str = JOIN) -> Section:
    return next(section for section in parse(text).sections if section.kind == "video")


# --- 64 sdp-size --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0",
        "v=0",
        "v=0\r\n" * 100_000,
        "a" * (MAX_BYTES + 1),
        "\u00e9" * (MAX_BYTES // 2 + 1),
        "v=0\r\n" + "a=x\n" * 400_000,
        "v=0\r\n" + "\n" * 1_000_000 + "a=x",
        JOIN + "a=x:" + "y" * 1_000_000 + "\r\n",
        JOIN + "a=x:" + "y" * MAX_LINE + "\r\n",
        JOIN.replace("\r\n", "\r"),
        JOIN.replace("a=mid:0", "a=mid:0\0"),
        JOIN.replace("s=-", "s=\udcff"),
        JOIN.replace("s=-", "s=\u2028a=x"),
        repeated(lambda number: "m=audio 9 UDP/TLS/RTP/SAVPF 0", 10_000),
        repeated(lambda number: f"m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:x{number}", MAX_SECTIONS),
    ],
    ids=lambda text: repr(text[:12]),
)
def test_sdp_size(text: str) -> None:
    parsed_nothing = not refused(text) and parse(text).transport is None
    assert parsed_nothing or refused(text)


def test_sdp_size_thousands_of_harmless_lines() -> None:
    assert not refused(repeated(lambda n: f"a=candidate:{n} 1 udp 1 192.0.2.1 {n} typ host", 5000))
    assert not refused(repeated(lambda n: f"a=fmtp:{n} x", 5000))
    assert not refused(repeated(lambda n: f"a=rtpmap:{n} x/1", 5000))


@pytest.mark.parametrize("line", ["a=rtcp-fb:* a{}", "a=rtcp-fb:96 a{}", "a=extmap:{} urn:x", "a=ssrc:{} x"])
@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_sdp_size_lists_are_bounded(line: str, line_end: str) -> None:
    lines = "".join(f"{line.format(number)}\r\n" for number in range(1, 3000))
    assert refused(JOIN.replace("a=mid:3\r\n", "a=mid:3\r\n" + lines).replace("\r\n", line_end))


# --- 65 sdp-pt ----------------------------------------------------------------------------------


@pytest.mark.parametrize("payload_type", ["128", "255", "-1", "+1", "0x60", "1e1", "99999999999", "\u0661"])
def test_sdp_pt_out_of_range(payload_type: str) -> None:
    assert refused(JOIN.replace("SAVPF 96 97", f"SAVPF {payload_type} 97"))


def test_sdp_pt_duplicates_and_loops() -> None:
    twice = video(JOIN.replace("SAVPF 96 97", "SAVPF 96 96 97"))
    assert [codec.payload_type for codec in twice.codecs][:2] == [96, 97]
    for apt in ("97", "99", "127", "x", "-96", "96;apt=97", "\u0661"):
        section = video(JOIN.replace("a=fmtp:97 apt=96", f"a=fmtp:97 apt={apt}"))
        accepted = codecs.accept_publish(section)
        numbers = [codec.payload_type for codec in accepted]
        assert len(numbers) == len(set(numbers))
        media = [codec.payload_type for codec in accepted if codec.mime != "video/rtx"]
        assert all(codec.apt in media for codec in accepted if codec.mime == "video/rtx")


@pytest.mark.parametrize(
    "fmtp", [";;;", "=", "==;=", "a" * 8000, "profile-level-id", "\u00e9=1", "x=y;" * 2000]
)
def test_sdp_pt_garbage_fmtp(fmtp: str) -> None:
    for payload_type in (96, 98, 108):
        text = JOIN.replace(
            f"a=rtpmap:{payload_type} ", f"a=fmtp:{payload_type} {fmtp}\r\na=rtpmap:{payload_type} "
        )
        assert not refused(text)
        assert answer_to(parse(text)).isascii()


@pytest.mark.parametrize(
    "rtpmap", ["VP8", "VP8/", "VP8/x", "/90000", "VP8/90000/2/3", "\u00e9/90000", "VP8/" + "9" * 40]
)
def test_sdp_pt_garbage_rtpmap(rtpmap: str) -> None:
    section = video(JOIN.replace("a=rtpmap:96 VP8/90000", f"a=rtpmap:96 {rtpmap}"))
    assert section.codec(96) is None


# --- 66 sdp-bundle ------------------------------------------------------------------------------


def test_sdp_bundle_missing_or_odd() -> None:
    assert sum(not s.rejected for s in parse(JOIN.replace("a=group:BUNDLE", "a=group:LS")).sections) == 1
    assert parse(JOIN.replace("BUNDLE 0", "BUNDLE ghost 0 0")).bundle == tuple("0123456")
    assert not parse(JOIN.replace("BUNDLE 0 1", "BUNDLE 1")).sections[1].rejected
    assert refused(JOIN.replace("a=mid:1\r", "a=mid:0\r"))
    assert refused(JOIN.replace("a=mid:1\r", "a=mid:12345678901234567\r"))


def test_sdp_bundle_rejected_first_section() -> None:
    text = JOIN.replace("m=audio 9", "m=audio 0", 1)
    offer = parse(text)
    assert offer.sections[0].rejected
    assert offer.transport is offer.sections[1]
    assert "a=group:BUNDLE 1 2 3 4 5 6\r\n" in answer_to(offer)


def test_sdp_bundle_nothing_but_rejected_sections() -> None:
    text = JOIN.replace("m=audio 9", "m=audio 0").replace("m=video 9", "m=video 0")
    offer = parse(text.replace("m=application 9", "m=application 0"))
    assert offer.transport is None
    assert "BUNDLE" not in answer_to(offer)


# --- 67 sdp-dir ---------------------------------------------------------------------------------


def test_sdp_dir_data_twice() -> None:
    data = JOIN[JOIN.index("m=application") :]
    offer = parse(JOIN.replace("BUNDLE 0", "BUNDLE 7 0") + data.replace("a=mid:6", "a=mid:7"))
    assert offer.sections[7].rejected
    assert "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n" in answer_to(offer)


def test_sdp_dir_several_directions() -> None:
    assert not refused(JOIN.replace("a=recvonly", "a=recvonly\r\na=sendonly\r\na=sendrecv\r\na=inactive"))


# --- 68 sdp-simulcast ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "rids"),
    [
        ("send ~q;~h;~f", ("q", "h", "f")),
        ("send q;ghost;f", ("q", "f")),
        ("recv q;h;f", ("q", "h", "f")),
        ("recv x send f", ("f",)),
        ("send ;;;,,,;q", ("q",)),
        ("send", ("q", "h", "f")),
        ("send q;q;q", ("q",)),
        ("~", ("q", "h", "f")),
    ],
)
def test_sdp_simulcast_lists(line: str, rids: tuple[str, ...]) -> None:
    assert video(SIMULCAST.replace("simulcast:send q;h;f", f"simulcast:{line}")).rids == rids


def test_sdp_simulcast_rid_limits() -> None:
    many = "".join(f"a=rid:r{number} send\r\n" for number in range(100))
    assert refused(SIMULCAST.replace("a=rid:q send\r\n", many))
    assert video(SIMULCAST.replace("a=rid:q send", "a=rid:" + "q" * 17 + " send")).rids == ("h", "f")
    assert video(SIMULCAST.replace("a=rid:q send", "a=rid:q recv")).rids == ("h", "f")
    assert video(SIMULCAST.replace("a=rid:q send", "a=rid:q\u00e9 send")).rids == ("h", "f")


# --- 69 sdp-ext ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["0", "15", "256", "4096", "70000", "-1", "x", ""])
def test_sdp_ext_impossible_ids(number: str) -> None:
    section = video(JOIN.replace(f"a=extmap:10 {extensions.RID}", f"a=extmap:{number} {extensions.RID}"))
    assert extensions.RID not in section.extensions.values()


def test_sdp_ext_duplicates() -> None:
    section = video(JOIN.replace("a=extmap:11 ", "a=extmap:10 "))
    assert (section.extensions[10], 11 in section.extensions) == (extensions.RID, False)
    section = video(JOIN.replace(extensions.REPAIRED_RID, extensions.RID))
    assert list(section.extensions.values()).count(extensions.RID) == 1


# --- 71 ice-lite-both, setup, fingerprint, ice-pwd ----------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("setup:actpass", "setup:server"),
        ("ice-pwd:bMMz", "ice-pwd:b"),
        ("ice-ufrag:ZrCA", "ice-ufrag:ZrC"),
        ("ice-ufrag:ZrCA", "ice-ufrag:" + "Z" * 257),
        ("ice-ufrag:ZrCA", "ice-ufrag:Z:CA"),
        ("sha-256 80:EF", "sha-256 80-EF"),
        ("sha-256 80:EF", "sha-256 EF"),
        ("sha-256 80:EF", "80:EF"),
    ],
)
def test_transport_attributes_that_can_not_be(old: str, new: str) -> None:
    assert old in JOIN
    assert refused(JOIN.replace(old, new))


def test_transport_attributes_that_can() -> None:
    assert parse(JOIN.replace("sha-256 80:EF", "SHA-256   80:ef")).fingerprints == parse(JOIN).fingerprints
    assert parse(JOIN.replace("t=0 0", "t=0 0\r\na=ice-lite")).ice_lite


# --- mutations ----------------------------------------------------------------------------------

LINES = sorted({line for text in OFFERS for line in text.split("\r\n") if line})
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["drop", "repeat", "insert", "swap", "cut", "garble"]),
        st.integers(0, 10_000),
        st.integers(0, 10_000),
        st.text(max_size=20),
    ),
    min_size=1,
    max_size=8,
)


def mutate(text: str, edits: list[tuple[str, int, int, str]]) -> str:
    """Line edits that keep most of a description whole."""
    lines = text.split("\r\n")
    for kind, one, two, noise in edits:
        place = one % len(lines)
        line = lines[place]
        if kind == "drop" and len(lines) > 1:
            del lines[place]
        elif kind == "repeat":
            lines.insert(two % len(lines), line)
        elif kind == "insert":
            lines.insert(place, LINES[two % len(LINES)])
        elif kind == "swap":
            other = two % len(lines)
            lines[place], lines[other] = lines[other], line
        elif kind == "cut":
            lines[place] = line[: two % (len(line) + 1)]
        elif kind == "garble":
            at = two % (len(line) + 1)
            lines[place] = line[:at] + noise + line[at:]
    return "\r\n".join(lines)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(OFFERS), EDITS)
def test_mutated_offers_are_answered_or_refused(offer: str, edits: list[tuple[str, int, int, str]]) -> None:
    TARGETS["sdp_parse"](mutate(offer, edits).encode(errors="replace"))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(OFFERS), EDITS, EDITS)
def test_the_cache_changes_nothing(offer: str, one: list[tuple[str, int, int, str]], two: list) -> None:
    texts = (mutate(offer, one).replace("\0", ""), mutate(offer, two).replace("\0", ""))
    TARGETS["sdp_renegotiation"]("\0".join(texts).encode(errors="replace"))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_bytes_are_refused(payload: bytes) -> None:
    for target in TARGETS.values():
        target(payload)
        target(b"v=0\r\n" + payload)
