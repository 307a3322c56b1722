"""The recorded RTP and RTCP of ``tests/data/rtp``."""

from pathlib import Path

from sfu.rtp.extensions import walk
from sfu.rtp.header import parse_header

FOLDER = Path(__file__).parents[1] / "data" / "rtp"
STREAMS = tuple(sorted(path.stem for path in FOLDER.glob("*.bin") if path.stem != "rtcp"))

DEPENDENCY_DESCRIPTOR_ID = 13


def datagrams(name: str) -> list[bytes]:
    """Read one file."""
    data = (FOLDER / f"{name}.bin").read_bytes()
    found = []
    while data:
        end = 2 + int.from_bytes(data[:2], "big")
        found.append(data[2:end])
        data = data[end:]
    return found


def payloads(name: str) -> list[bytes]:
    """Take the payloads of a stream, without its padding packets."""
    found = []
    for packet in datagrams(name):
        header = parse_header(packet, len(packet))
        found.append(packet[header.payload_start : header.payload_end])
    return [payload for payload in found if payload]


def elements(packet: bytes) -> list[tuple[int, bytes]]:
    """List header extensions as id and value."""
    header = parse_header(packet, len(packet))
    found = walk(packet, header.extension_profile, header.extension_start, header.extension_end)
    return [(number, packet[at : at + length]) for number, at, length in found]


def descriptors(name: str) -> list[bytes]:
    """Take the dependency descriptors of a stream."""
    return [
        value
        for packet in datagrams(name)
        for number, value in elements(packet)
        if number == DEPENDENCY_DESCRIPTOR_ID
    ]
