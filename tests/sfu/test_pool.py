"""An engine behind the pool: commands go in, events come later and one by one."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from sfu import control
from sfu.config import MediaConfig
from sfu.control import Event, RouterId, TransportId, TransportRole
from sfu.errors import MediaStartError
from sfu.pool import LocalPool
from tests.harness.offers import Line, write_offer

CONFIG = MediaConfig(udp_port=0, tcp_port=0, bind_addresses=("127.0.0.1",))


class Above:
    """The control plane, as far as the pool can tell."""

    def __init__(self) -> None:
        self.pool = LocalPool(CONFIG, self.on_event)
        self.heard: list[Event] = []
        self.fails_on: type[Event] | None = None

    def on_event(self, event: Event) -> None:
        self.heard.append(event)
        if self.fails_on is not None and isinstance(event, self.fails_on):
            raise RuntimeError("a fault above the line")

    def open(self, name: str, role: TransportRole = TransportRole.SINGLE) -> TransportId:
        self.pool.execute(control.OpenRouter(RouterId("RM")))
        self.pool.execute(control.OpenTransport(RouterId("RM"), TransportId(name), role, f"PA_{name}"))
        return TransportId(name)

    def offer(self, transport_id: TransportId, offer_id: int = 1) -> None:
        text = write_offer([Line("audio", "0")], "ufrag", "passwordOfTwentyTwoLetters")
        self.pool.execute(control.Offer(transport_id, offer_id, text))


@pytest.fixture
async def above() -> AsyncIterator[Above]:
    made = Above()
    await made.pool.start()
    yield made
    await made.pool.close()


async def test_events_come_after_the_command_has_returned(above: Above) -> None:
    above.offer(above.open("PC"))
    assert above.heard == []
    await asyncio.sleep(0)
    assert [type(event) for event in above.heard] == [control.AnswerReady]


async def test_events_come_in_order(above: Above) -> None:
    transport_id = above.open("PC")
    for offer_id in range(5):
        above.offer(transport_id, offer_id)
    await asyncio.sleep(0)
    assert [event.offer_id for event in above.heard] == list(range(5))  # type: ignore[union-attr]


async def test_a_command_from_within_an_event_is_carried_out_and_told_later(above: Above) -> None:
    transport_id = above.open("PC")
    deliver = above.on_event

    def offer_again(event: Event) -> None:
        deliver(event)
        if len(above.heard) < 3:
            above.offer(transport_id, len(above.heard))
            assert above.heard[-1] is event  # nothing was heard meanwhile

    above.pool._on_event = offer_again
    above.offer(transport_id, 0)
    for _ in range(4):
        await asyncio.sleep(0)
    assert [event.offer_id for event in above.heard] == [0, 1, 2]  # type: ignore[union-attr]


async def test_a_fault_in_one_event_does_not_stop_the_others(
    above: Above, caplog: pytest.LogCaptureFixture
) -> None:
    above.fails_on = control.AnswerReady
    above.offer(above.open("one"))
    above.open("two", TransportRole.SUBSCRIBER)
    with caplog.at_level(logging.ERROR):
        await asyncio.sleep(0)
    assert [type(event) for event in above.heard] == [control.AnswerReady, control.OfferReady]
    assert "AnswerReady" in caplog.text


async def test_a_port_that_is_taken_is_an_error_to_show(above: Above) -> None:
    port = above.pool.engine.ports[0].port
    other = LocalPool(MediaConfig(udp_port=port, tcp_port=0, bind_addresses=("127.0.0.1",)), above.on_event)
    with pytest.raises(MediaStartError, match=f"UDP port {port}"):
        await other.start()
    await other.close()


async def test_closing_ends_transports_and_frees_the_port(above: Above) -> None:
    above.offer(above.open("PC"))
    port = above.pool.engine.ports[0].port
    await above.pool.close()
    assert above.pool.engine.transports == {}
    again = LocalPool(MediaConfig(udp_port=port, tcp_port=0, bind_addresses=("127.0.0.1",)), above.on_event)
    await again.start()
    await again.close()
    for _ in range(5):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
