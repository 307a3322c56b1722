import asyncio
import time

from livekit.protocol import models, rtc

from auth.grants import Claims, VideoGrant
from hubbub.room_clock import SystemClock, TimedRooms
from rooms.config import RoomConfig
from rooms.ids import Ids
from rooms.join import JoinRequest
from rooms.service import RoomService
from tests.harness.eventually import PATIENCE_S
from tests.harness.media_plane import MediaPlaneStandIn
from tests.harness.rooms import PlainMinter, RecordingSink

REQUEST = JoinRequest(claims=Claims(identity="ann", video=VideoGrant(room_join=True, room="r")))


def timed(**config: float) -> TimedRooms:
    clock = SystemClock()
    service = RoomService(
        RoomConfig(**config), MediaPlaneStandIn(), PlainMinter(), clock, Ids(lambda size: b"\1" * size)
    )
    return TimedRooms(service, clock)


async def until(condition, within_s: float = PATIENCE_S) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_join_that_comes_to_nothing_ends_in_time() -> None:
    rooms, sink = timed(join_timeout_s=0.1), RecordingSink()
    started = time.monotonic()
    rooms.join(REQUEST, sink)
    await until(lambda: sink.closed_with is not None)
    assert time.monotonic() - started >= 0.1
    assert sink.kinds()[-1] == "leave"


async def test_an_earlier_wish_overtakes_the_armed_timer() -> None:
    rooms, sink = timed(join_timeout_s=60, signal_loss_grace_s=60, departure_timeout_s=0.1), RecordingSink()
    session = rooms.join(REQUEST, sink)
    assert rooms.service.room("r") is not None
    session.handle(rtc.SignalRequest(leave=rtc.LeaveRequest()))
    await until(lambda: rooms.service.room("r") is None)


async def test_nothing_happens_after_the_end() -> None:
    rooms, sink = timed(join_timeout_s=0.05), RecordingSink()
    rooms.join(REQUEST, sink)
    rooms.shutdown()
    told = len(sink.messages)
    await asyncio.sleep(0.1)
    assert len(sink.messages) == told
    assert sink.messages[-1].leave.reason == models.DisconnectReason.SERVER_SHUTDOWN


async def test_the_clock_is_monotonic_and_knows_the_date() -> None:
    clock = SystemClock()
    assert clock.now() <= clock.now()
    assert abs(clock.wall() - time.time()) < 1
