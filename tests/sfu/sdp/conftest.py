"""What the SDP tests share: recorded descriptions, and a server's reply to any offer."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from sfu.sdp import codecs, extensions
from sfu.sdp.answer import LocalTransport, SectionAnswer, SendingTrack, write_answer
from sfu.sdp.description import Description, Section

DATA = Path(__file__).parents[2] / "data" / "sdp"

LOCAL = LocalTransport(
    ice_ufrag="serverUfrag",
    ice_pwd="serverPasswordOfThirtyTwoLetters",
    fingerprint=("sha-256", ":".join(["AB"] * 32)),
    candidates=(
        "candidate:1 1 udp 2130706431 127.0.0.1 7882 typ host",
        "candidate:2 1 tcp 1671430143 127.0.0.1 7881 typ host tcptype passive",
    ),
    setup="passive",
)


@dataclass(frozen=True)
class Exchange:
    """One recorded offer with its answer."""

    name: str
    offerer: str
    offer: str
    answer: str


def read(name: str) -> str:
    """A recorded description, line ends untouched."""
    return (DATA / name).read_bytes().decode()


def exchanges() -> list[Exchange]:
    found = []
    for path in sorted(DATA.glob("*.jsonl")):
        for number, line in enumerate(path.read_text().splitlines()):
            row = json.loads(line)
            found.append(Exchange(f"{path.stem}-{number}", row["offerer"], row["offer"], row["answer"]))
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``exchange``: every recorded pair; ``livekit_answer``: those that LiveKit answered; ``offer_file``."""
    if "exchange" in metafunc.fixturenames:
        metafunc.parametrize("exchange", exchanges(), ids=lambda exchange: exchange.name)
    if "livekit_answer" in metafunc.fixturenames:
        pairs = [exchange for exchange in exchanges() if exchange.offerer == "client"]
        metafunc.parametrize("livekit_answer", pairs, ids=lambda exchange: exchange.name)
    if "offer_file" in metafunc.fixturenames:
        metafunc.parametrize("offer_file", sorted(path.name for path in DATA.glob("*.sdp")))


@pytest.fixture
def local() -> LocalTransport:
    return LOCAL


@pytest.fixture
def recorded() -> Callable[[str], str]:
    """Text of a recorded ``.sdp`` file."""
    return read


def reply_to(section: Section, video: str = "video/vp8") -> SectionAnswer:
    """Take what the client sends; send a track of ours where it only receives."""
    if not section.is_media:
        return SectionAnswer()
    accepted = extensions.accept_publish(section)
    if section.direction in ("sendrecv", "sendonly"):
        return SectionAnswer("recvonly", codecs.accept_publish(section), accepted, section.rids)
    mimes: Sequence[str] = [video] if section.kind == "video" else ["audio/red", "audio/opus"]
    fitting = codecs.accept_subscribe(section, mimes)
    if section.direction == "inactive" or not fitting:
        return SectionAnswer("inactive", codecs.accept_idle(section), accepted, section.rids)
    ssrc = 1000 + int(section.mid)
    sending = SendingTrack(
        stream_id=f"PA_publisher|TR_{section.mid}",
        track_id=f"TR_{section.mid}",
        ssrc=ssrc,
        rtx_ssrc=ssrc + 1000 if section.kind == "video" else None,
        cname="PA_publisher",
    )
    return SectionAnswer("sendonly", fitting, accepted, section.rids, sending)


@pytest.fixture
def answer() -> Callable[[Description], str]:
    """Writes a server's whole answer to an offer."""
    return lambda offer: write_answer(offer, [reply_to(section) for section in offer.sections], LOCAL, 42, 1)


@pytest.fixture
def exchange_runs() -> list[list[str]]:
    """The client's offers of each recorded connection, in order."""
    runs: dict[str, list[str]] = {}
    for exchange in exchanges():
        if exchange.offerer == "client":
            runs.setdefault(exchange.name.rpartition("-")[0], []).append(exchange.offer)
    return list(runs.values())
