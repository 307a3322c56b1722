"""Who must notice nothing: two people in a room of their own, one of whom hears and sees the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import psutil

from hubbub.load.client import Client
from tests.harness.attacker import Stage, stage
from tests.harness.eventually import eventually
from tests.harness.server import Server

LONGEST_SILENCE_S = 2.0
"""Without a single packet of a stream; the machine may be busy, but nobody is to be forgotten."""
MOST_LOSS = 0.03
MOST_GROWTH_BYTES = 24 << 20
"""Of the server's memory in one test. Whatever a peer could grow without bound passes this soon."""
_SAMPLE_S = 0.02


@dataclass
class _Seen:
    packets: int
    silent_samples: int = 0


@dataclass
class Media:
    """The media from ``speaker`` to ``listener``, watched all the time."""

    stage: Stage
    server: Server
    process: psutil.Process | None
    """The server's; None if it is not ours."""
    speaker: Client
    listener: Client
    longest_silence_s: float = 0.0
    _seen: dict[int, _Seen] = field(default_factory=dict)
    _rss: int = 0

    @property
    def counts(self) -> dict[int, int]:
        """Packets received by SSRC."""
        table, listener = self.stage.shared.inbox.table, self.listener
        announced = listener.media.announced
        slots = table.slots_of.get(listener.number, [])
        return {
            int(table.ssrc[slot]): int(table.packets[slot])
            for slot in slots
            if (stream := announced.get(int(table.ssrc[slot]))) is not None and not stream.repairs
        }

    @property
    def lost(self) -> float:
        """Share of all packets so far."""
        table, number = self.stage.shared.inbox.table, self.listener.number
        slots = [table.slots[number, ssrc] for ssrc in self.counts]
        lost = sum(max(0, table.lost(slot)) for slot in slots)
        return lost / max(1, lost + sum(self.counts.values()))

    async def goes_on(self, packets: int = 4, within_s: float = 10.0) -> None:
        """Assert that audio and video still arrive, and always did, almost without loss."""
        before = self.counts
        assert len(before) == 2, f"{len(before)} streams of the bystanders arrive"
        for client in (self.speaker, self.listener):
            assert not client.failure, f"{client.participant.identity}: {client.failure}"
        await eventually(
            lambda: all(count >= before[ssrc] + packets for ssrc, count in self.counts.items()),
            lambda: f"the bystanders' media: {before} was followed by {self.counts}",
            within_s=within_s,
        )
        assert self.longest_silence_s < LONGEST_SILENCE_S, f"silence of {self.longest_silence_s:.2f} s"
        assert self.lost < MOST_LOSS, f"{self.lost:.1%} of the bystanders' packets were lost"

    def begin(self) -> None:
        """Measure memory and silence from here."""
        self.longest_silence_s = 0.0
        self._rss = self._memory()

    def grown(self) -> int:
        """Bytes of the server's memory since :meth:`begin`."""
        return self._memory() - self._rss

    def stays_small(self, limit: int = MOST_GROWTH_BYTES) -> None:
        """Assert that the server has not grown by more than that since :meth:`begin`."""
        grown = self.grown()
        assert grown <= limit, f"the server grew by {grown / (1 << 20):.1f} MiB"

    async def watch(self) -> None:
        """Note silences, until cancelled. Samples count, not time: this loop may be busy itself."""
        while True:
            await asyncio.sleep(_SAMPLE_S)
            for ssrc, packets in self.counts.items():
                seen = self._seen.setdefault(ssrc, _Seen(packets))
                seen.silent_samples = 0 if packets > seen.packets else seen.silent_samples + 1
                seen.packets = packets
                self.longest_silence_s = max(self.longest_silence_s, seen.silent_samples * _SAMPLE_S)

    def _memory(self) -> int:
        return int(self.process.memory_info().rss) if self.process is not None else 0


@asynccontextmanager
async def bystander(server: Server, room: str = "bystanders") -> AsyncIterator[Media]:
    """Two people whose media flows when this begins; use :meth:`Media.goes_on` as often as you like."""
    async with stage(server) as made:
        speaker = await made.join(room, "speaker", subscribes=False)
        listener = await made.join(room, "listener", publishes=False)
        process = psutil.Process(server.pid) if server.pid is not None else None
        media = Media(made, server, process, speaker, listener)
        await eventually(lambda: len(media.counts) == 2, "the bystanders' media")
        media.begin()
        watch = asyncio.create_task(media.watch())
        try:
            yield media
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
