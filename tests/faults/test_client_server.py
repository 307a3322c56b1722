"""Faults 98 and 105 to 107 against the running server: clients that vanish, hurry, crowd, and speak of the future."""

import asyncio
import contextlib
import random
from typing import Any

import pytest
from livekit.protocol import models, rtc

from tests.faults.bystander import Media
from tests.harness.attacker import Attacker
from tests.harness.eventually import eventually
from tests.harness.raw_signal import LIKE_JS, V0, V1, RawSignal, join_parameters, signalling
from tests.harness.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_98_a_receiver_that_vanished(media: Media, mallory: Attacker) -> None:
    """Its port is closed, so each packet to it comes back as an ICMP error."""
    await mallory.settles()
    media.stage.clients.remove(mallory.client)
    media.stage.shared.inbox.remove(mallory.client.transport.fd)
    socket = mallory.client.transport._socket
    assert socket is not None
    socket.close()
    mallory.client.transport._socket = None
    await asyncio.sleep(0.5)
    await media.goes_on()
    await mallory.client.leave()


async def test_105_everything_at_once(media: Media, server: Server, room: str, mallory: Attacker) -> None:
    """Leave, mute, switch and renegotiate in any order and in the same turn, again and again."""
    chosen = random.Random(105)
    await mallory.settles()
    sids = [one.track_sid for one in mallory.downstream.values()]
    for round_ in range(12):
        client = await media.stage.join(room, f"hasty{round_}", subscribes=round_ % 2 == 0)
        own = [one.sid for one in client._publications.values()]
        signal = client._signal
        assert signal is not None
        requests: list[dict[str, Any]] = [
            *({"mute": rtc.MuteTrackRequest(sid=sid, muted=n % 2 == 0)} for n in range(4) for sid in own),
            *(
                {"subscription": rtc.UpdateSubscription(track_sids=sids, subscribe=n % 2 == 0)}
                for n in range(6)
            ),
            *(
                {
                    "track_setting": rtc.UpdateTrackSettings(
                        track_sids=sids, disabled=n % 2 == 0, quality=n % 3
                    )
                }  # type: ignore[arg-type]
                for n in range(6)
            ),
            {"add_track": rtc.AddTrackRequest(cid="more", type=models.AUDIO, source=models.MICROPHONE)},
            {"simulate": rtc.SimulateScenario(speaker_update=1)},
            {"sync_state": rtc.SyncState()},
        ]
        chosen.shuffle(requests)
        for request in requests:
            await signal.send(rtc.SignalRequest(**request))
        for _ in range(3):
            client._negotiation._wanted, client._negotiation._waiting = True, False
            await client._send_offer()
        if round_ % 3 == 0:
            await mallory.request(mute=rtc.MuteTrackRequest(sid=mallory.audio.sid, muted=round_ % 2 == 0))
        if round_ % 4 == 0:
            await signal._socket.close()  # or not even a goodbye
        await media.stage.leave(client)
    await mallory.request(mute=rtc.MuteTrackRequest(sid=mallory.audio.sid, muted=False))
    await mallory.hears()
    await mallory.is_heard()


async def test_106_a_crowd_that_comes_and_goes(media: Media, server: Server, room: str) -> None:
    """Fifty join and leave at once, twice; what the second crowd leaves behind is what the first one did."""

    async def visit(number: int, version: str) -> None:
        parameters = join_parameters() if version == V1 else LIKE_JS
        token = server.token(f"{room}-{number % 10}", f"guest{number}")
        async with signalling(server, token, version, parameters) as signal:
            await signal.hears("join", within_s=15)
            await asyncio.sleep(0.05)

    async def crowd() -> None:
        await asyncio.gather(*(visit(number, (V0, V1)[number % 2]) for number in range(50)))
        await asyncio.sleep(0.2)

    await crowd()
    media.begin()
    files = media.process.num_fds() if media.process else 0
    await crowd()
    if media.process is not None:
        process = media.process
        await eventually(lambda: process.num_fds() <= files + 2, "files to be closed")
    media.stays_small(6 << 20)


@pytest.mark.parametrize("protocol", ["0", "1", "2", "9", "16", "999", "-1", "x", ""])
async def test_107_clients_of_any_age(media: Media, server: Server, room: str, protocol: str) -> None:
    parameters = LIKE_JS | {"protocol": protocol, "sdk": "from the future", "version": "999.0"}
    async with signalling(server, server.token(room, "guest"), V0, parameters) as signal:
        await signal.hears("join")
        await still_answers(signal)


async def test_107_messages_and_values_of_the_future(media: Media, server: Server, room: str) -> None:
    info = models.ClientInfo(protocol=99, sdk=77, capabilities=[50, 60])  # type: ignore[arg-type, list-item]
    request = rtc.JoinRequest(client_info=info, reconnect_reason=99)  # type: ignore[arg-type]
    async with signalling(server, server.token(room, "guest"), V1, join_parameters(request)) as signal:
        await signal.hears("join")
        ping = rtc.SignalRequest(ping=1).SerializeToString()
        for unknown in (
            b"\xfa\x7f\x03abc",  # field 2047
            b"\xfa\x7f\x03abc" + ping,
            b"",
            ping + b"\x98\x7f\x01",
        ):
            await signal.socket.send_bytes(unknown)
        for text in ("{}", '{"tomorrow": {"x": [1, {}]}}', '{"ping": "7", "later": null}'):
            await signal.send_text(text)
        await still_answers(signal)
        values: list[dict[str, Any]] = [
            {"add_track": rtc.AddTrackRequest(cid="a", type=9, source=99)},  # type: ignore[arg-type]
            {"add_track": rtc.AddTrackRequest(cid="b", type=1, encryption=9, layers=[{"quality": 77}])},  # type: ignore[arg-type, list-item]
            {"add_track": rtc.AddTrackRequest(cid="c", simulcast_codecs=[{"codec": "vp99", "cid": "c"}])},  # type: ignore[list-item]
            {"track_setting": rtc.UpdateTrackSettings(track_sids=["TR_nobody"], quality=77, fps=1 << 31)},  # type: ignore[arg-type]
            {"trickle": rtc.TrickleRequest(candidateInit="{}", target=9)},  # type: ignore[arg-type]
            {"leave": rtc.LeaveRequest(reason=99, action=99)},  # type: ignore[arg-type]
        ]
        for value in values[:-1]:
            await signal.send(**value)
        await still_answers(signal)
        await signal.send(**values[-1])
        await signal.hears("leave")
    async with signalling(server, server.token(room, "next"), V1, join_parameters()) as signal:
        assert (await signal.hears("join")).room.name == room


async def test_107_ids_as_long_as_a_message(media: Media, server: Server, room: str) -> None:
    """What is remembered of tracks that are not there (yet) is counted; so must be how long their names are."""
    async with signalling(server, server.token(room, "guest"), V1, join_parameters()) as signal:
        await signal.hears("join")
        for number in range(30):
            sids = [f"TR_{number}" + "x" * 500_000]
            await signal.send(track_setting=rtc.UpdateTrackSettings(track_sids=sids, disabled=True))
            await signal.send(subscription=rtc.UpdateSubscription(track_sids=sids, subscribe=True))
            update = rtc.UpdateDataSubscription.Update(track_sid=sids[0], subscribe=True)
            await signal.send(update_data_subscription=rtc.UpdateDataSubscription(updates=[update]))
        await still_answers(signal)
        media.stays_small(8 << 20)


async def still_answers(signal: RawSignal) -> None:
    before = len(signal.heard("pong"))
    with contextlib.suppress(ConnectionError):
        await signal.send(ping=1)
    await eventually(lambda: len(signal.heard("pong")) > before, "a pong")
