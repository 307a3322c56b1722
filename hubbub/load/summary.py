"""What a test measured, as data, as text and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple


class Spread(NamedTuple):
    """How a duration was distributed, in seconds; zeros when it was never measured."""

    measured: int
    """How often it was measured."""
    median_s: float
    p95_s: float
    p99_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class Rate:
    """RTP of one direction during the measured interval. Bytes are those of UDP payloads."""

    packets: int
    packets_per_s: float
    bits_per_s: float


@dataclass(frozen=True, slots=True)
class Server:
    """Cost of the server's processes during the measured interval."""

    cpu_s: float
    cpu_percent: float
    """Of one core."""
    packets_out_per_cpu_s: float
    """Packets that the participants received, per second of the server's CPU time."""
    memory_bytes: int
    """At the end."""
    memory_per_participant_bytes: float | None
    """Growth since before the first participant, divided by those who joined; None if it shrank, which only a server
    does that still held memory of earlier participants."""


@dataclass(frozen=True, slots=True)
class OwnCost:
    """How hard this program worked: near 100 % CPU, or with drops, it measures itself."""

    cpu_percent: float
    socket_drops: int
    """Datagrams that came while the buffer of one of our sockets was full; part of the loss."""
    worst_send_lag_s: float
    missed_frames: int


@dataclass(frozen=True, slots=True)
class Summary:
    """All figures of one test."""

    url: str
    interrupted: bool
    planned: int
    joined: int
    failures: Mapping[str, int]
    """How many participants failed to join or were lost, by reason."""
    join: Spread
    """From opening the signal socket to DTLS connected."""
    first_packet: Spread
    """Per received stream: from the later of the receiver's opening of its socket and the sender's first packet."""
    streams: int
    streams_expected: int
    measured_s: float
    received: Rate
    sent: Rate
    retransmissions: int
    lost: int
    loss_percent: float
    duplicates: int
    authenticated: int
    """Packets of the sample whose SRTP tag was checked."""
    forged: int
    """Of these, packets that failed."""
    tester: OwnCost
    server: Server | None

    @property
    def ok(self) -> bool:
        """Whether everybody joined and stayed, and everything planned was received and authentic."""
        return not self.failures and not self.forged and self.streams >= self.streams_expected

    def to_json(self) -> dict[str, Any]:
        """Plain data; spreads become objects."""
        spreads = {"join": self.join._asdict(), "first_packet": self.first_packet._asdict()}
        return asdict(replace(self, failures={})) | spreads | {"failures": dict(self.failures), "ok": self.ok}


def spread(durations_s: Sequence[float]) -> Spread:
    """Median, 95th and 99th percentile (nearest rank) and maximum."""
    if not durations_s:
        return Spread(0, 0.0, 0.0, 0.0, 0.0)
    ordered = sorted(durations_s)
    count = len(ordered)
    middle = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    p95_s, p99_s = (ordered[-(-count * percent // 100) - 1] for percent in (95, 99))
    return Spread(count, middle, p95_s, p99_s, ordered[-1])


def text(summary: Summary) -> str:
    """The report for people."""
    rows = [("participants", f"{summary.joined} of {summary.planned} joined")]
    rows += [("failed", f"{count} × {reason}") for reason, count in summary.failures.items()]
    rows += [
        ("join time", _spread(summary.join)),
        ("first packet", _spread(summary.first_packet)),
        ("streams", f"{summary.streams} received of {summary.streams_expected} expected"),
        ("measured for", f"{summary.measured_s:.1f} s"),
        ("in", _rate(summary.received)),
        ("out", _rate(summary.sent)),
        ("loss", _loss(summary)),
        (
            "authentic",
            f"{summary.authenticated - summary.forged:,} of {summary.authenticated:,} packets checked",
        ),
    ]
    if summary.server is not None:
        rows += _server(summary.server)
    rows.append(("this program", _tester(summary.tester)))
    lines = [f"{name:<14}{value}" for name, value in rows]
    if summary.interrupted:
        lines.insert(0, "Interrupted: the figures are of the part that was done.")
    return "\n".join(lines)


def _spread(one: Spread) -> str:
    if not one.measured:
        return "none"
    return f"median {_ms(one.median_s)}, p95 {_ms(one.p95_s)}, p99 {_ms(one.p99_s)}, max {_ms(one.max_s)}"


def _ms(duration_s: float) -> str:
    return f"{duration_s * 1000:,.0f} ms"


def _rate(rate: Rate) -> str:
    return (
        f"{rate.packets_per_s:,.0f} packets/s, {rate.bits_per_s / 1e6:,.1f} Mbit/s ({rate.packets:,} packets)"
    )


def _loss(summary: Summary) -> str:
    details = [f"{summary.lost:,} packets"]
    if summary.retransmissions:
        details.append(f"{summary.retransmissions:,} retransmitted")
    if summary.duplicates:
        details.append(f"{summary.duplicates:,} duplicates")
    return f"{summary.loss_percent:.3f} % ({', '.join(details)})"


def _server(server: Server) -> list[tuple[str, str]]:
    cpu = f"{server.cpu_percent:.0f} % of a core"
    memory = f"{server.memory_bytes / 2**20:,.1f} MiB"
    each = server.memory_per_participant_bytes
    per_participant = (
        "less than before the test" if each is None else f"{each / 1024:,.0f} KiB per participant"
    )
    return [
        ("server CPU", f"{cpu}, {server.packets_out_per_cpu_s:,.0f} packets out per CPU-second"),
        ("server memory", f"{memory}, {per_participant}"),
    ]


def _tester(tester: OwnCost) -> str:
    notes = [
        f"{tester.cpu_percent:.0f} % of a core",
        f"packets late by {_ms(tester.worst_send_lag_s)} at most",
    ]
    if tester.socket_drops:
        notes.append(f"{tester.socket_drops:,} datagrams dropped here, not by the server")
    if tester.missed_frames:
        notes.append(f"{tester.missed_frames:,} frames not sent in time")
    if tester.cpu_percent > 90:
        notes.append("it was the bottleneck")
    return ", ".join(notes)
