"""The course of a test: everybody joins, traffic is measured, everybody leaves."""

import asyncio
import signal
import time
from contextlib import suppress
from random import Random

import aiohttp

from hubbub.load import process, vp8
from hubbub.load.client import Client, Shared
from hubbub.load.errors import JoinError, LoadError, ServerRefused
from hubbub.load.inbox import Inbox
from hubbub.load.measurement import Mark, summarize
from hubbub.load.pacer import Pacer
from hubbub.load.plan import Layer, Plan
from hubbub.load.progress import Progress
from hubbub.load.streams import StreamTable
from hubbub.load.summary import Summary
from hubbub.load.vp8 import Frame
from sfu.net.dtls import Certificate

CHORES_PER_S = 20
"""Rounds a second, each of which does the chores of as large a part of the clients."""
PING_EVERY_S = 5
"""Between pings of the signal connection (LiveKit's ping_interval)."""
SHOWN_EVERY_S = 0.2


class Run:
    """One test."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self._plan = plan
        self._progress = progress
        # The same payloads and numbers in every test.
        self._random = Random(0)  # noqa: S311 - nothing secret is made of it
        self._inbox = Inbox(StreamTable(), verify_all=plan.verify_all)
        self._pacer = Pacer()
        self._clients: list[Client] = []
        self._stop = asyncio.Event()
        self._round = 0

    async def run(self) -> Summary:
        """Do the whole test, or the part of it until Ctrl-C. Raises LoadError when the server takes nobody."""
        process.allow_open_files()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            certificate = Certificate.generate()
            shared = Shared(
                self._plan, http, certificate, self._inbox, self._pacer, self._pictures(), self._random
            )
            self._inbox.start()
            self._pacer.start()
            chores = asyncio.create_task(self._do_chores())
            try:
                return await self._measure(shared)
            finally:
                chores.cancel()
                self._pacer.stop()
                await asyncio.gather(*(client.leave() for client in self._clients), return_exceptions=True)
                self._inbox.stop()
                self._progress.clear()
                loop.remove_signal_handler(signal.SIGINT)

    def _interrupt(self) -> None:
        """Ctrl-C: report what there is; the second time, stop at once."""
        self._stop.set()
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)

    def _pictures(self) -> dict[Layer, tuple[Frame, ...]]:
        video = self._plan.video
        if video is None:
            return {}
        return {
            layer: vp8.group_of_pictures(layer, video.fps, video.keyframe_interval_s, self._random)
            for layer in video.layers
        }

    async def _measure(self, shared: Shared) -> Summary:
        pids = self._plan.server_pids
        idle = process.usage(pids) if pids else None
        start = self._mark()
        await self._join_all(shared)
        if await self._pause(self._plan.settle_s, "settling"):
            start = self._mark()
            self._pacer.reset()
            await self._pause(self._plan.duration_s, "measuring")
        return summarize(
            self._plan,
            self._clients,
            self._inbox.table,
            start,
            self._mark(),
            idle,
            self._pacer.worst_lag_s,
            interrupted=self._stop.is_set(),
        )

    def _mark(self) -> Mark:
        now = time.monotonic()
        return Mark.take(now, self._clients, self._inbox.table, self._plan.server_pids)

    async def _join_all(self, shared: Shared) -> None:
        """Let everybody join at the planned rate. The first goes alone: what it is refused for may hold for all."""
        joining: set[asyncio.Task[None]] = set()
        started_at = time.monotonic()
        for number, participant in enumerate(self._plan.participants()):
            await self._until(started_at + number / self._plan.join_rate)
            if self._stop.is_set():
                break
            client = Client(number, participant, shared)
            self._clients.append(client)
            joining.add(task := asyncio.create_task(self._join(client)))
            if number == 0:
                await self._first(task)
        while joining and not self._stop.is_set():
            self._show_joining()
            _, joining = await asyncio.wait(joining, timeout=SHOWN_EVERY_S)
        for task in joining:
            task.cancel()
        await asyncio.gather(*joining, return_exceptions=True)

    async def _first(self, task: "asyncio.Task[None]") -> None:
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if task.done() and isinstance(error := task.exception(), ServerRefused):
            raise LoadError(str(error))

    @staticmethod
    async def _join(client: Client) -> None:
        try:
            await client.join()
        except ServerRefused:
            if client.number == 0:
                raise
        except JoinError:
            return  # counted by the client's failure

    async def _until(self, at: float) -> None:
        while not self._stop.is_set() and (left := at - time.monotonic()) > 0:
            self._show_joining()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, SHOWN_EVERY_S)):
                    await self._stop.wait()

    def _show_joining(self) -> None:
        joined = sum(client.joined for client in self._clients)
        failed = sum(bool(client.failure) for client in self._clients)
        note = f"{joined} of {self._plan.size}" + (f", {failed} failed" if failed else "")
        self._progress.show("joining", joined, self._plan.size, note)

    async def _pause(self, duration_s: float, label: str) -> bool:
        """Wait; False when Ctrl-C ended it."""
        start_at = shown_at = time.monotonic()
        packets = self._inbox.table.total_packets
        while not self._stop.is_set() and (now := time.monotonic()) < start_at + duration_s:
            arrived = self._inbox.table.total_packets
            rate = (arrived - packets) / (now - shown_at) if now > shown_at else 0.0
            packets, shown_at = arrived, now
            note = f"{now - start_at:.0f} of {duration_s:.0f} s, {rate:,.0f} packets/s in"
            self._progress.show(label, now - start_at, duration_s, note)
            with suppress(TimeoutError):
                async with asyncio.timeout(min(SHOWN_EVERY_S, start_at + duration_s - now)):
                    await self._stop.wait()
        return not self._stop.is_set()

    async def _do_chores(self) -> None:
        while True:
            await asyncio.sleep(1 / CHORES_PER_S)
            now = time.monotonic()
            for client in self._clients[self._round % CHORES_PER_S :: CHORES_PER_S]:
                client.chores(now)
                if self._round // CHORES_PER_S % PING_EVERY_S == 0:
                    await client.ping()
            for client in self._clients:
                client.media.send_feedback(now)
            self._round += 1
