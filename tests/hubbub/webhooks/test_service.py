"""From an event to a receiver: order, retries, dead letters, replay, and what a restart finds."""

import asyncio
import secrets
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from livekit import api
from livekit.protocol import webhook

from hubbub.database import Database
from hubbub.webhooks import service as module
from hubbub.webhooks.config import WebhookTarget
from hubbub.webhooks.errors import NoSuchDelivery, NoSuchTarget
from hubbub.webhooks.queue import SCHEMA
from hubbub.webhooks.service import Webhooks
from rooms.ids import Ids
from tests.harness.eventually import eventually
from tests.harness.webhook_receiver import Receiver, receiving
from tests.harness.webhooks import KEYS, LIFE, QUICK, Wall, life, person, room, sending


async def arrived(receiver: Receiver, count: int) -> None:
    await eventually(lambda: len(receiver.accepted()) >= count, lambda: f"{count}: {receiver.names()}")


async def settled(webhooks: Webhooks) -> None:
    """Nothing waits any more."""
    await eventually(lambda: not any(counter.pending for counter in webhooks.counters.values()))
    await eventually(lambda: _nothing_pending(webhooks))


async def _nothing_pending(webhooks: Webhooks) -> bool:
    return not (await webhooks.deliveries(state="pending")).deliveries


async def test_a_rooms_life_arrives_in_order_and_signed() -> None:
    async with receiving() as receiver, sending(receiver.url) as webhooks:
        life(webhooks)
        await arrived(receiver, 6)
        assert receiver.names() == LIFE
        verifier = api.WebhookReceiver(api.TokenVerifier("devkey", KEYS.secret("devkey")))
        for item in receiver.received:
            event = verifier.receive(item.body, item.authorization)
            assert event.id.startswith("EV_")
            assert not item.authorization.startswith("Bearer")
            assert item.headers["Content-Type"] == "application/webhook+json"
            assert item.headers["User-Agent"] == "LiveKit"
        assert len({item.event["id"] for item in receiver.received}) == 6


async def test_the_signature_belongs_to_the_body() -> None:
    async with receiving() as receiver, sending(receiver.url) as webhooks:
        webhooks.observer.room_started(room())
        await arrived(receiver, 1)
    item = receiver.received[0]
    verifier = api.WebhookReceiver(api.TokenVerifier("devkey", KEYS.secret("devkey")))
    with pytest.raises(Exception, match="hash"):
        verifier.receive(item.body + " ", item.authorization)


async def test_a_failed_delivery_is_repeated_and_the_rooms_later_events_wait() -> None:
    async with (
        receiving(lambda event, attempt: 500 if attempt == 1 else 200) as receiver,
        sending(receiver.url) as webhooks,
    ):
        life(webhooks)
        await arrived(receiver, 6)
        assert receiver.names() == LIFE
        # Each was sent twice, the same twice, and the next only when it had been taken.
        assert [item.name for item in receiver.received] == [name for name in LIFE for _ in range(2)]
        pairs = zip(receiver.received[::2], receiver.received[1::2], strict=True)
        assert all(first.body == second.body for first, second in pairs)
        counters = webhooks.counters[receiver.url]
        assert (counters.delivered, counters.retried, counters.pending) == (6, 6, 0)


async def test_rooms_do_not_wait_for_each_other() -> None:
    def behaviour(event, attempt: int) -> int:
        return 503 if event["room"]["name"] == "bad" else 200

    async with receiving(behaviour) as receiver, sending(receiver.url) as webhooks:
        life(webhooks, "bad")
        for number in range(20):
            life(webhooks, f"good-{number}")
        await arrived(receiver, 120)
        for number in range(20):
            assert receiver.names(f"good-{number}") == LIFE
        assert {item.name for item in receiver.received if item.status == 503} == {"room_started"}


async def test_a_receiver_that_hangs_delays_nobody_else() -> None:
    async with receiving() as hanging, receiving() as good:
        hanging.go.clear()
        async with sending(hanging.url, good.url, max_connections=3) as webhooks:
            for number in range(30):
                life(webhooks, f"room-{number}")
            await arrived(good, 180)
            assert hanging.received == []
            assert hanging.most_waiting == 3
            assert webhooks.counters[hanging.url].pending == 180
            hanging.go.set()
            await arrived(hanging, 180)
            assert all(hanging.names(f"room-{number}") == LIFE for number in range(30))
            assert hanging.most_waiting == 3


async def test_no_answer_in_time_is_a_failure() -> None:
    async with receiving() as receiver:
        receiver.go.clear()
        async with sending(receiver.url, timeout_s=0.1) as webhooks:
            webhooks.observer.room_started(room())
            await eventually(lambda: webhooks.counters[receiver.url].retried >= 2)
            page = await webhooks.deliveries()
            assert page.deliveries[0].error == "no answer in time"
            receiver.go.set()
            await arrived(receiver, 1)


@pytest.mark.parametrize("status", [301, 400, 404, 410, 501])
async def test_what_is_refused_is_a_dead_letter_at_once(status: int) -> None:
    def behaviour(event, attempt: int) -> int:
        return status if event["event"] == "participant_joined" else 200

    async with receiving(behaviour) as receiver, sending(receiver.url) as webhooks:
        receiver.headers["Location"] = receiver.url + "/elsewhere"
        life(webhooks)
        await arrived(receiver, 5)
        await settled(webhooks)
        (dead,) = (await webhooks.deliveries(state="dead")).deliveries
        assert (dead.event, dead.status, dead.attempts) == ("participant_joined", status, 1)
        assert len(receiver.received) == 6


async def test_what_is_tried_too_long_is_a_dead_letter_and_the_next_has_its_turn() -> None:
    def behaviour(event, attempt: int) -> int:
        return 500 if event["event"] == "room_started" else 200

    async with receiving(behaviour) as receiver, sending(receiver.url, retry_for_s=0.5) as webhooks:
        life(webhooks)
        await arrived(receiver, 5)
        (dead,) = (await webhooks.deliveries(state="dead")).deliveries
        assert dead.event == "room_started"
        assert dead.attempts > 2
        assert receiver.names() == LIFE[1:]


async def test_a_dead_letter_can_be_replayed_with_the_same_id() -> None:
    answers = [404, 200]
    async with (
        receiving(lambda event, attempt: answers[attempt - 1]) as receiver,
        sending(receiver.url) as webhooks,
    ):
        webhooks.observer.room_started(room())
        await settled(webhooks)
        (dead,) = (await webhooks.deliveries(state="dead")).deliveries
        replayed = await webhooks.replay(dead.id)
        assert replayed.event_id == dead.event_id
        await arrived(receiver, 1)
        await settled(webhooks)
        assert (await webhooks.deliveries(state="dead")).deliveries == ()
        delivery, body = await webhooks.delivery(dead.id)
        assert delivery.state == "delivered"
        assert body == receiver.received[0].body == receiver.received[1].body
        with pytest.raises(NoSuchDelivery):
            await webhooks.replay("12345")
        with pytest.raises(NoSuchDelivery):
            await webhooks.replay("' OR 1=1")


async def test_all_dead_letters_are_replayed_in_order() -> None:
    working = False
    async with (
        receiving(lambda event, attempt: 200 if working else 404) as receiver,
        sending(receiver.url) as webhooks,
    ):
        life(webhooks)
        await settled(webhooks)
        working = True
        assert await webhooks.replay_dead(receiver.url) == 6
        await arrived(receiver, 6)
        assert receiver.names() == LIFE
        with pytest.raises(NoSuchTarget):
            await webhooks.replay_dead("nobody")


async def test_the_list_has_pages() -> None:
    async with receiving() as receiver, sending(receiver.url) as webhooks:
        life(webhooks, "a")
        life(webhooks, "b")
        await settled(webhooks)
        page = await webhooks.deliveries(limit=5)
        shown = list(page.deliveries)
        while page.next_page:
            page = await webhooks.deliveries(limit=5, page=page.next_page)
            shown += page.deliveries
        assert [item.event for item in shown] == LIFE[::-1] * 2
        assert {item.room for item in (await webhooks.deliveries(room="a")).deliveries} == {"a"}
        assert (await webhooks.deliveries(target="nobody")).deliveries == ()
        assert (await webhooks.deliveries(page="nonsense")).deliveries == ()


async def test_targets_get_what_they_want() -> None:
    async with receiving() as rooms, receiving() as production:
        targets = (
            WebhookTarget(rooms.url, "rooms", include_events=("room_started", "room_finished")),
            WebhookTarget(production.url, "production", "other", rooms=("prod-*",)),
        )
        async with sending(targets=targets) as webhooks:
            life(webhooks, "prod-1")
            life(webhooks, "test-1")
            await arrived(rooms, 4)
            await arrived(production, 6)
            await settled(webhooks)
        assert rooms.names("test-1") == ["room_started", "room_finished"]
        assert production.names() == LIFE
        assert production.names("test-1") == []
        verifier = api.WebhookReceiver(api.TokenVerifier("other", KEYS.secret("other")))
        assert verifier.receive(production.received[0].body, production.received[0].authorization)


async def test_a_restart_goes_on_where_the_last_process_was(tmp_path: Path) -> None:
    path = str(tmp_path / "hubbub.db")
    async with receiving() as receiver:
        pass
    async with sending(receiver.url, path=path) as webhooks:
        life(webhooks)
        await eventually(lambda: webhooks.counters[receiver.url].retried)
    async with receiving(port=receiver.port) as again, sending(again.url, path=path) as webhooks:
        assert webhooks.counters[again.url].pending == 6
        await arrived(again, 6)
        assert again.names() == LIFE


async def test_what_waits_for_a_target_that_is_gone_is_a_dead_letter(tmp_path: Path) -> None:
    path = str(tmp_path / "hubbub.db")
    async with sending("http://127.0.0.1:9/gone", path=path) as webhooks:
        life(webhooks)
    async with receiving() as receiver, sending(receiver.url, path=path) as webhooks:
        dead = (await webhooks.deliveries(state="dead")).deliveries
        assert len(dead) == 6
        assert "no longer configured" in dead[0].error
        with pytest.raises(NoSuchTarget):
            await webhooks.replay(dead[0].id)
        assert receiver.received == []


async def test_without_targets_nothing_is_kept() -> None:
    async with sending() as webhooks:
        life(webhooks)
        assert (await webhooks.deliveries()).deliveries == ()


async def test_too_many_waiting_are_dropped_and_counted() -> None:
    async with sending("http://127.0.0.1:9/down", max_pending=4) as webhooks:
        life(webhooks)
        await eventually(lambda: webhooks.counters["http://127.0.0.1:9/down"].retried)
        counters = webhooks.counters["http://127.0.0.1:9/down"]
        assert (counters.pending, counters.dropped) == (4, 2)


async def test_old_deliveries_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PURGE_EVERY_S", 0.02)
    wall = Wall()
    async with receiving() as receiver, sending(receiver.url, wall=wall) as webhooks:
        life(webhooks)
        await settled(webhooks)
        assert len((await webhooks.deliveries()).deliveries) == 6
        wall.ahead_s = 25 * 3600

        async def gone() -> bool:
            return not (await webhooks.deliveries()).deliveries

        await eventually(gone)
        assert await webhooks._database.run(lambda db: db.rows("SELECT * FROM webhook_events")) == []


async def test_a_clock_that_is_set_back_stops_nothing() -> None:
    wall = Wall()
    async with (
        receiving(lambda event, attempt: 500 if attempt == 1 else 200) as receiver,
        sending(receiver.url, wall=wall) as webhooks,
    ):
        life(webhooks)
        await eventually(lambda: len(receiver.received) == 1)
        wall.ahead_s = -7200.0
        await arrived(receiver, 6)
        assert receiver.names() == LIFE


async def test_the_event_loop_is_free_while_thousands_wait() -> None:
    async with receiving() as receiver, sending(receiver.url) as webhooks:
        receiver.go.clear()
        for number in range(200):
            life(webhooks, f"room-{number}", people=3)
        assert sum(worker.counters.pending for worker in webhooks._workers.values()) == 2800
        before = asyncio.get_running_loop().time()
        await asyncio.sleep(0)
        assert asyncio.get_running_loop().time() - before < 0.5


async def test_other_services_may_emit_events_of_their_own() -> None:
    async with receiving() as receiver, sending(receiver.url) as webhooks:
        event = webhook.WebhookEvent(event="egress_started", room=room())
        event.egress_info.egress_id = "EG_1"
        webhooks.emit(event)
        await arrived(receiver, 1)
        assert receiver.received[0].event["egressInfo"]["egressId"] == "EG_1"


async def test_nobody_in_memory_keeps_what_waits_on_disk() -> None:
    async with receiving() as receiver, sending(receiver.url) as webhooks:
        receiver.go.clear()
        webhooks.observer.participant_joined(room(), person())
        await eventually(lambda: receiver.waiting)
        assert not webhooks._inbox._items


async def test_a_closed_database_is_no_reason_to_hang() -> None:
    database = Database()
    config = replace(QUICK, urls=("http://127.0.0.1:9/down",))
    webhooks = Webhooks(config, database, KEYS, Ids(secrets.token_bytes), Wall())
    await database.open([SCHEMA])
    await webhooks.start()
    await database.close()
    life(webhooks)
    with structlog.testing.capture_logs() as logged:
        await asyncio.wait_for(webhooks.close(), 5)
    assert {
        "event": "webhooks are lost that could not be written",
        "events": 6,
        "log_level": "error",
    } in logged
