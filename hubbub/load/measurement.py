"""From counters to a summary."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from hubbub.load import process
from hubbub.load.client import Client
from hubbub.load.plan import Plan
from hubbub.load.process import Usage
from hubbub.load.streams import Bools, Snapshot, StreamTable
from hubbub.load.summary import OwnCost, Rate, Server, Summary, spread


@dataclass(frozen=True, slots=True)
class Mark:
    """Every counter at one moment."""

    at: float
    streams: Snapshot
    sent: int
    sent_octets: int
    missed_frames: int
    socket_drops: int
    own_cpu_s: float
    server: Usage | None

    @classmethod
    def take(cls, now: float, clients: Sequence[Client], table: StreamTable, pids: Sequence[int]) -> Self:
        inodes = {inode for client in clients if (inode := client.transport.inode) is not None}
        return cls(
            now,
            table.snapshot(),
            sum(client.transport.sent for client in clients),
            sum(client.transport.sent_octets for client in clients),
            sum(source.missed for client in clients for source in client.media.sources),
            process.socket_drops(inodes),
            process.own_cpu_s(),
            process.usage(pids) if pids else None,
        )


def summarize(
    plan: Plan,
    clients: Sequence[Client],
    table: StreamTable,
    start: Mark,
    end: Mark,
    idle: Usage | None,
    worst_lag_s: float,
    *,
    interrupted: bool,
) -> Summary:
    """Put everything together; ``idle`` is the server before anybody joined."""
    media, repairs = _masks(clients, table)
    counted = end.streams.since(start.streams, table.base, media)
    repaired = end.streams.since(start.streams, table.base, repairs)
    elapsed_s = max(end.at - start.at, 1e-9)
    joined = [client for client in clients if client.joined]
    firsts = _first_packets(clients)
    expected = counted.packets + counted.lost - counted.duplicates
    return Summary(
        url=plan.url,
        interrupted=interrupted,
        planned=plan.size,
        joined=len(joined),
        failures=Counter(client.failure for client in clients if client.failure),
        join=spread([client.connected_at - client.opened_at for client in joined if client.connected_at]),
        first_packet=spread(list(firsts.values())),
        streams=len(firsts),
        streams_expected=_expected_streams(plan, joined),
        measured_s=elapsed_s,
        received=_rate(counted.packets + repaired.packets, counted.octets + repaired.octets, elapsed_s),
        sent=_rate(end.sent - start.sent, end.sent_octets - start.sent_octets, elapsed_s),
        retransmissions=repaired.packets,
        lost=counted.lost,
        loss_percent=100 * counted.lost / expected if expected > 0 else 0.0,
        duplicates=counted.duplicates,
        authenticated=sum(client.transport.verified for client in clients),
        forged=sum(client.transport.forged for client in clients),
        tester=OwnCost(
            cpu_percent=100 * (end.own_cpu_s - start.own_cpu_s) / elapsed_s,
            socket_drops=end.socket_drops - start.socket_drops,
            worst_send_lag_s=worst_lag_s,
            missed_frames=end.missed_frames - start.missed_frames,
        ),
        server=_server(start, end, idle, counted.packets + repaired.packets, len(joined), elapsed_s),
    )


def _rate(packets: int, octets: int, elapsed_s: float) -> Rate:
    return Rate(packets, packets / elapsed_s, octets * 8 / elapsed_s)


def _masks(clients: Sequence[Client], table: StreamTable) -> tuple[Bools, Bools]:
    """Which slots hold media, and which retransmissions."""
    media, repairs = np.zeros((2, table.count), np.bool_)
    for client in clients:
        for ssrc in client.media.first_at:
            slot = table.slots.get((client.number, ssrc))
            if slot is not None:
                (repairs if ssrc in client.media.repairing else media)[slot] = True
    return media, repairs


def _first_packets(clients: Sequence[Client]) -> dict[tuple[int, str], float]:
    """Seconds to the first packet of each track that each client received."""
    firsts: dict[tuple[int, str], float] = {}
    for client in clients:
        media = client.media
        for ssrc, at in media.first_at.items():
            if ssrc in media.repairing:
                continue
            stream = media.announced.get(ssrc)
            track = stream.track_sid if stream and stream.track_sid else str(ssrc)
            begun_at = max(client.opened_at, client.track_began_at(track))
            waited_s = max(at - begun_at, 0.0)
            firsts[client.number, track] = min(waited_s, firsts.get((client.number, track), waited_s))
    return firsts


def _expected_streams(plan: Plan, joined: Sequence[Client]) -> int:
    """Tracks of others in the room, summed over all who subscribe."""
    tracks = plan.audio + (plan.video is not None)
    publishers = Counter(client.participant.room for client in joined if client.participant.publishes)
    return tracks * sum(
        publishers[client.participant.room] - client.participant.publishes
        for client in joined
        if client.participant.subscribes
    )


def _server(
    start: Mark, end: Mark, idle: Usage | None, packets: int, joined: int, elapsed_s: float
) -> Server | None:
    if start.server is None or end.server is None or idle is None:
        return None
    cpu_s = end.server.cpu_s - start.server.cpu_s
    grown = end.server.memory_bytes - idle.memory_bytes
    return Server(
        cpu_s=cpu_s,
        cpu_percent=100 * cpu_s / elapsed_s,
        packets_out_per_cpu_s=packets / cpu_s if cpu_s > 0 else 0.0,
        memory_bytes=end.server.memory_bytes,
        memory_per_participant_bytes=grown / joined if joined and grown >= 0 else None,
    )
