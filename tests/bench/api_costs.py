"""What the server API costs, and whether its calls keep media waiting.

A whole server has the engine's core to itself; callers, the load's participants and their sockets share the other.
There are 1,000 rooms, and 1,000 people without media in one of them. Then 200 more join another room over WebSocket,
ICE and DTLS, and receive a camera and a microphone, first alone, then beside 200 calls a second.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from auth.grants import Claims, VideoGrant
from auth.keys import KeyRing
from auth.tokens import mint
from hubbub.api.access import caller
from hubbub.config import DEV_KEY, DEV_SECRET
from hubbub.load.inbox import Inbox
from hubbub.load.plan import PRESETS, Plan, Video
from hubbub.load.progress import Progress as Bar
from hubbub.load.run import Run
from hubbub.load.streams import Int64s
from sfu.config import MediaConfig
from tests.bench.api_server import ONE_ROOM, ApiServer
from tests.bench.machine import ROOT
from tests.bench.scene import ENGINE_CORE, Progress
from tests.bench.webhooks import webhooks_to_disk

ROOMS = PEOPLE = 1_000
SUBSCRIBERS = 200
CALLS_PER_S = 200
JOINS_PER_S = 20
SMALL_CALLS, LARGE_CALLS = 500, 20
TOKENS = 3_000
PHASE_S = 8.0
AUDIO_MAX_OCTETS = 200
"""Media packets up to this size are sound, of which there is one every 20 ms."""

Call = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ApiCosts:
    """CPU time is that of the server's process for one call, HTTP included; stalls are of its event loop."""

    token_check_us: float
    create_room_us: float
    list_rooms_ms: float
    """1,000 rooms in protobuf, as the SDKs for Python and Go ask; …"""
    list_rooms_json_ms: float
    """… and in JSON, as that for Node does."""
    list_participants_ms: float
    list_participants_json_ms: float
    lists_stall_ms: float
    """The longest stall while these lists were asked for, one after the other."""
    webhooks_per_s: float
    webhooks_stall_ms: float
    calls_per_s: float
    calls_p99_ms: float
    """How long callers waited for an answer, large lists included."""
    subscribers: int
    stall_ms: float
    media_waited_ms: float
    """The longest stall but for what media itself did in it."""
    media_waited_alone_ms: float
    stall_busy_ms: float
    """The most CPU time between two turns: a stall without it is the machine's."""
    stalls_over_5_ms: int
    stall_alone_ms: float
    """The same without calls."""
    stall_alone_busy_ms: float
    gap_ms: float
    """Longest time without sound at any subscriber, by the kernel's time stamps; 20 ms is none."""
    gap_alone_ms: float
    server_cpu: float
    """Share of its core beside the calls, …"""
    server_cpu_alone: float
    """… and without them."""
    lost: int


def measure(_config: MediaConfig, progress: Progress) -> ApiCosts:
    """All of it, half a minute."""
    progress("token checks")
    found: dict[str, Any] = {"token_check_us": _token_check_us()}
    progress("webhooks")
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".bench-") as directory:
        webhooks = asyncio.run(webhooks_to_disk(Path(directory)))
    found |= {"webhooks_per_s": webhooks.per_s, "webhooks_stall_ms": webhooks.longest_stall_ms}
    with ApiServer(ENGINE_CORE) as server:
        progress("filling the server")
        server.fill(ROOMS, PEOPLE)
        found |= asyncio.run(_single_calls(server, progress))
        found |= asyncio.run(_beside_media(server, progress))
    progress("done")
    return ApiCosts(**found)


def _token(**grants: Any) -> str:
    claims = Claims(identity="bench", video=VideoGrant(**grants))
    return mint(claims, DEV_KEY, DEV_SECRET, now=time.time())


def _token_check_us() -> float:
    """Every time another token: what was checked before is not checked more quickly."""
    keys = KeyRing({DEV_KEY: DEV_SECRET})
    headers = [
        {"Authorization": f"Bearer {_token(room_admin=True, room=f'room-{number}')}"}
        for number in range(TOKENS)
    ]
    started_at = time.process_time()
    for one in headers:
        caller(one, {}, keys, time.time)
    return 1e6 * (time.process_time() - started_at) / TOKENS


class Api:
    """Calls RoomService over connections that stay open."""

    def __init__(self, http: aiohttp.ClientSession, port: int) -> None:
        self._http = http
        self._url = f"http://127.0.0.1:{port}/twirp/livekit.RoomService/"
        self._token = _token(room_create=True, room_list=True, room_admin=True, room=ONE_ROOM)

    async def json(self, method: str, body: str) -> None:
        await self._call(method, body.encode(), "application/json")

    async def protobuf(self, method: str, body: bytes = b"") -> None:
        await self._call(method, body, "application/protobuf")

    async def _call(self, method: str, body: bytes, kind: str) -> None:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        async with self._http.post(self._url + method, data=body, headers=headers) as answer:
            await answer.read()
            answer.raise_for_status()


@asynccontextmanager
async def _api(server: ApiServer) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as http:
        yield Api(http, server.port)


_ROOM_FIELD = bytes([10, len(ONE_ROOM)]) + ONE_ROOM.encode()
"""ListParticipantsRequest in protobuf."""


async def _single_calls(server: ApiServer, progress: Progress) -> dict[str, float]:
    """Server's CPU time of each kind of call, one after the other."""
    async with _api(server) as api:
        numbers = count()

        async def create() -> None:
            await api.json("CreateRoom", f'{{"name":"new-{next(numbers)}"}}')

        async def each_s(call: Call, times: int) -> float:
            before = server.stalls()
            for _ in range(times):
                await call()
            return (server.stalls().cpu_s - before.cpu_s) / times

        progress("CreateRoom")
        found = {"create_room_us": 1e6 * await each_s(create, SMALL_CALLS)}
        for number in range(SMALL_CALLS):
            await api.json("DeleteRoom", f'{{"room":"new-{number}"}}')
        lists: dict[str, Call] = {
            "list_rooms_ms": lambda: api.protobuf("ListRooms"),
            "list_rooms_json_ms": lambda: api.json("ListRooms", "{}"),
            "list_participants_ms": lambda: api.protobuf("ListParticipants", _ROOM_FIELD),
            "list_participants_json_ms": lambda: api.json("ListParticipants", f'{{"room":"{ONE_ROOM}"}}'),
        }
        longest_ms = 0.0
        for name, call in lists.items():
            progress(name.removesuffix("_ms"))
            before = server.stalls()
            for _ in range(LARGE_CALLS):
                await call()
            after = server.stalls()
            found[name] = 1e3 * (after.cpu_s - before.cpu_s) / LARGE_CALLS
            longest_ms = max(longest_ms, after.longest_ms)
        return found | {"lists_stall_ms": longest_ms}


class _Gaps(Inbox):
    """Also notes the longest time between two packets of sound at each receiver."""

    last_us: dict[int, int]
    longest_us = 0

    def _count(self, rows: Int64s, owners: Int64s, sizes: Int64s, arrivals: Int64s, offset_s: float) -> None:
        for row in np.flatnonzero(sizes <= AUDIO_MAX_OCTETS).tolist():
            owner, at = int(owners[row]), int(arrivals[row])
            self.longest_us = max(self.longest_us, at - self.last_us.get(owner, at))
            self.last_us[owner] = at
        super()._count(rows, owners, sizes, arrivals, offset_s)

    def begin(self) -> None:
        self.last_us, self.longest_us = {}, 0


async def _beside_media(server: ApiServer, progress: Progress) -> dict[str, Any]:
    plan = Plan(
        f"ws://127.0.0.1:{server.port}",
        DEV_KEY,
        DEV_SECRET,
        subscribers=SUBSCRIBERS,
        join_rate=JOINS_PER_S,
        duration_s=600.0,
        video=Video((PRESETS["360p"],)),
    )
    run = Run(plan, Bar(enabled=False))
    inbox = run._inbox = _Gaps(run._inbox.table, verify_all=False)
    inbox.begin()
    playing = asyncio.create_task(run.run())
    progress(f"{SUBSCRIBERS} join")
    while sum(client.joined for client in run._clients) <= SUBSCRIBERS:
        await asyncio.sleep(0.1)
        if playing.done():
            raise RuntimeError(f"nobody plays: {playing.result()}")
    await asyncio.sleep(3.0)

    async def phase(work: Call) -> tuple[Any, float, float]:
        before = server.stalls()
        inbox.begin()
        await work()
        gap_ms = inbox.longest_us / 1e3
        after = server.stalls()
        return after, gap_ms, (after.cpu_s - before.cpu_s) / (after.at - before.at)

    progress("media alone")
    alone, gap_alone_ms, cpu_alone = await phase(lambda: asyncio.sleep(PHASE_S))
    progress(f"media beside {CALLS_PER_S} calls a second")
    waited_s: list[float] = []
    async with _api(server) as api:
        beside, gap_ms, cpu = await phase(lambda: _calls(api, waited_s))
    run._stop.set()
    summary = await playing
    return {
        "calls_per_s": len(waited_s) / PHASE_S,
        "calls_p99_ms": 1e3 * sorted(waited_s)[int(0.99 * len(waited_s))],
        "subscribers": summary.joined - 1,
        "stall_ms": beside.longest_ms,
        "media_waited_ms": beside.others_ms,
        "media_waited_alone_ms": alone.others_ms,
        "stall_busy_ms": beside.longest_busy_ms,
        "stalls_over_5_ms": beside.over_5_ms,
        "stall_alone_ms": alone.longest_ms,
        "stall_alone_busy_ms": alone.longest_busy_ms,
        "gap_ms": gap_ms,
        "gap_alone_ms": gap_alone_ms,
        "server_cpu": cpu,
        "server_cpu_alone": cpu_alone,
        "lost": summary.lost,
    }


async def _calls(api: Api, waited_s: list[float]) -> None:
    """So many a second, whether or not those before are answered: small ones, and each list once a second."""
    underway: set[asyncio.Task[None]] = set()

    async def timed(number: int) -> None:
        started_at = time.monotonic()
        await _call(api, number)
        waited_s.append(time.monotonic() - started_at)

    started_at = time.monotonic()
    for number in range(int(PHASE_S * CALLS_PER_S)):
        await asyncio.sleep(max(0.0, started_at + number / CALLS_PER_S - time.monotonic()))
        task = asyncio.create_task(timed(number))
        underway.add(task)
        task.add_done_callback(underway.discard)
    await asyncio.gather(*underway)


async def _call(api: Api, number: int) -> None:
    match number % CALLS_PER_S:
        case 10:
            await api.protobuf("ListRooms")
        case 60:
            await api.json("ListRooms", "{}")
        case 110:
            await api.protobuf("ListParticipants", _ROOM_FIELD)
        case 160:
            await api.json("ListParticipants", f'{{"room":"{ONE_ROOM}"}}')
        case place if place % 4 == 0:
            await api.json("CreateRoom", f'{{"name":"beside-{number}"}}')
        case place if place % 4 == 1:
            await api.json("ListRooms", f'{{"names":["room-{number % ROOMS:04}"]}}')
        case place if place % 4 == 2:
            await api.json(
                "GetParticipant", f'{{"room":"{ONE_ROOM}","identity":"person-{number % PEOPLE:04}"}}'
            )
        case _:
            await api.json(
                "SendData", f'{{"room":"{ONE_ROOM}","data":"aGk=","destination_identities":["person-0001"]}}'
            )
