"""Fault 98 in an engine of the test's own: a kernel that takes some packets, one at a time, or none for somebody."""

import asyncio
from typing import Any

import pytest

from sfu.compiled.messages import SENDMMSG
from sfu.net import mmsg
from tests.faults.engine_peer import EnginePeer, Hall, hall
from tests.harness.eventually import eventually

PACKET = bytes(1000)


async def audience(here: Hall, size: int) -> tuple[EnginePeer, list[EnginePeer]]:
    """A speaker and who listens, all with paths."""
    speaker = here.peer("speaker")
    speaker.publish()
    listeners = [here.peer(f"listener{number}") for number in range(size)]
    for listener in listeners:
        listener.listen_to("speaker")
    for peer in (speaker, *listeners):
        peer.consent()
        await eventually(peer.confirmed, f"the path of {peer.id}")
    silent = list(listeners)
    while silent:  # what comes before the track has started is not forwarded
        speaker.speak(PACKET)
        await asyncio.sleep(0.01)
        silent = [listener for listener in silent if not listener.heard()]
    return speaker, listeners


async def all_hear(speaker: EnginePeer, listeners: list[EnginePeer], packets: int = 20) -> None:
    """Assert that everybody gets the next packets, each once."""
    for listener in listeners:
        listener.heard()
    heard = [0] * len(listeners)

    def complete() -> bool:
        for index, listener in enumerate(listeners):
            heard[index] += len(listener.heard())
        return min(heard) >= packets

    for _ in range(packets):
        speaker.speak(PACKET)
        await asyncio.sleep(0.002)
        complete()  # their own buffers hold fewer than a hundred
    await eventually(complete, lambda: f"{packets} packets for each: {heard}")
    assert max(heard) == packets


@pytest.mark.parametrize(
    "settings",
    [{}, {"use_gso": False}, {"use_sendmmsg": False}, {"use_sendmmsg": False, "batch_size": 1}],
    ids=["gso", "sendmmsg", "sendto", "one by one"],
)
async def test_98_every_way_out_serves_everybody(settings: dict[str, Any]) -> None:
    async with hall(**settings) as here:
        speaker, listeners = await audience(here, 5)
        await all_hear(speaker, listeners)
        assert here.engine.egress.counters.dropped == 0


@pytest.mark.parametrize("settings", [{}, {"use_sendmmsg": False}], ids=["sendmmsg", "sendto"])
async def test_98_a_full_socket_buffer_drops_and_goes_on(settings: dict[str, Any]) -> None:
    """Partial results and EAGAIN. Loopback delivers at once, so the receivers' buffers count for nothing here."""
    async with hall(socket_buffer_bytes=1, **settings) as here:
        speaker, listeners = await audience(here, 30)
        counters = here.engine.egress.counters
        for _ in range(40):
            for _ in range(5):
                speaker.speak(PACKET)
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        assert counters.packets > 0
        assert counters.packets + counters.dropped <= 200 * 30
        await all_hear(speaker, listeners[:1], 5)


async def test_98_partial_results_of_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """``sendmmsg`` takes a few, is interrupted, refuses a destination, is out of buffers; then all is well."""
    async with hall() as here:
        speaker, listeners = await audience(here, 6)
        real, script = mmsg._lib.sendmmsg, iter([2, -4, -111, 1, -105])  # EINTR, ECONNREFUSED, ENOBUFS

        class Kernel:
            """Answers by the script, then as it is."""

            recvmmsg = mmsg._lib.recvmmsg

            def sendmmsg(self, fd: int, messages: Any, count: int, flags: int) -> int:
                step = next(script, None)
                if step is None:
                    return int(real(fd, messages, count, flags))
                if step < 0:
                    mmsg._ffi.errno = -step
                    return -1
                return int(real(fd, messages, min(step, count), flags))

        for listener in listeners:
            listener.heard()
        counters = here.engine.egress.counters
        before = counters.packets
        kernel = Kernel()

        @mmsg._ffi.callback("int(int, void *, unsigned int, int)")
        def from_compiled_loops(fd: int, messages: Any, count: int, flags: int) -> int:
            return kernel.sendmmsg(fd, messages, count, flags)

        sender = here.engine.egress._sender
        assert sender is not None
        sender.words[SENDMMSG] = int(mmsg._ffi.cast("intptr_t", from_compiled_loops))
        monkeypatch.setattr(mmsg, "_lib", kernel)
        speaker.speak(PACKET)
        await asyncio.sleep(0.05)
        assert (counters.packets - before, counters.dropped) == (3, 3)
        assert [len(listener.heard()) for listener in listeners].count(1) == 3
        await all_hear(speaker, listeners)


async def test_98_listeners_whose_ports_are_closed_cost_the_others_nothing() -> None:
    async with hall() as here:
        speaker, listeners = await audience(here, 8)
        for listener in listeners[::2]:
            listener.socket.close()  # the kernel answers with ICMP from now on
        await all_hear(speaker, listeners[1::2], 100)
