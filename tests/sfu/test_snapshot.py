"""An engine's numbers, after things have happened to it of which the number is known."""

from collections.abc import AsyncIterator
from typing import cast

import pytest
import pytest_asyncio

from sfu.control import MediaKind
from sfu.net.tcp import TcpPeer
from sfu.rtp import rtcp
from sfu.rtp.header import parse_header
from sfu.snapshot import Loss, Snapshot, snapshot
from tests.harness.lab import Lab
from tests.harness.lab_client import LabClient
from tests.harness.offers import OPUS, Line
from tests.harness.rtp_stream import rtp_header

VP8_TYPE = 96


@pytest_asyncio.fixture
async def lab() -> AsyncIterator[Lab]:
    made = Lab(seed=3)
    yield made
    made.close()


@pytest_asyncio.fixture
async def speaker(lab: Lab) -> LabClient:
    """Publishes a microphone under SSRC 1 and a camera under SSRC 2."""
    made = lab.join("speaker")
    for mid, kind in (("0", MediaKind.AUDIO), ("1", MediaKind.VIDEO)):
        made.peer.expect(f"TR_{kind.value}", kind)
        made.peer.send_line(Line(kind.value, mid, cid=f"TR_{kind.value}", ssrcs=(1 + int(mid),)))
    made.negotiate()
    return made


@pytest_asyncio.fixture
async def listener(lab: Lab, speaker: LabClient) -> LabClient:
    made = lab.join("listener")
    made.watch("TR_audio", "TR_video")
    return made


def _put(lab: Lab, host: str, *datagrams: bytes) -> None:
    for data in datagrams:
        lab._port.put(host, data, lab._arrival_us())
    lab._turn()


def _sound(client: LabClient, sequence: int) -> bytes:
    return client.peer.srtp.protect(rtp_header(OPUS, sequence, 960 * sequence, 1, False) + b"sound")


def _picture(client: LabClient, sequence: int) -> bytes:
    key = b"\x90\x80\x80" + bytes([sequence]) + b"\x10\x00\x00\x9d\x01\x2a\x40\x01\xb4\x00rest"
    return client.peer.srtp.protect(rtp_header(VP8_TYPE, sequence, 3000 * sequence, 2, True) + key)


def _lost(lab: Lab) -> dict[Loss, int]:
    return {loss: count for loss, count in snapshot(lab.engine).lost.items() if count}


async def test_who_is_there_and_what_they_publish(lab: Lab, speaker: LabClient, listener: LabClient) -> None:
    now = snapshot(lab.engine)
    assert now.transports == 2
    assert now.published == now.subscribed == {MediaKind.AUDIO: 1, MediaKind.VIDEO: 1}
    second = lab.join("second")
    second.watch("TR_audio")
    assert snapshot(lab.engine).subscribed == {MediaKind.AUDIO: 2, MediaKind.VIDEO: 1}
    for client in (listener, second, speaker):
        lab.leave(client)
    now = snapshot(lab.engine)
    assert (now.transports, sum(now.published.values()), sum(now.subscribed.values())) == (0, 0, 0)


async def test_what_comes_and_goes(lab: Lab, speaker: LabClient, listener: LabClient) -> None:
    def gained(before: Snapshot) -> tuple[int, int, int]:
        now = snapshot(lab.engine)
        return (
            now.datagrams_in - before.datagrams_in,
            now.packets_out - before.packets_out,
            now.octets_out - before.octets_out,
        )

    _put(lab, speaker.host, _sound(speaker, 1))
    lab.run(0.02)
    listener.down.receive(lab.now + 1)
    before = snapshot(lab.engine)
    _put(lab, speaker.host, *(_sound(speaker, number) for number in (2, 3, 4)))
    sizes = [len(data) for data in listener.down.receive(lab.now + 1)]
    assert gained(before) == (3, 3, sum(sizes))
    lab.run(1.5)
    assert snapshot(lab.engine).rtcp_out > before.rtcp_out, "reports"
    assert not _lost(lab)


async def test_who_is_not_believed_is_counted(lab: Lab, speaker: LabClient) -> None:
    packet = _sound(speaker, 1)
    _put(lab, "10.9.9.9", packet, b"\x16\xfe\xfd" + bytes(50))
    _put(lab, speaker.host, packet, packet, packet[:-1] + bytes([packet[-1] ^ 1]))
    assert _lost(lab) == {Loss.STRANGER: 2, Loss.UNAUTHENTICATED: 2}


async def test_video_that_is_left_out_is_counted(lab: Lab, speaker: LabClient, listener: LabClient) -> None:
    _put(lab, speaker.host, _sound(speaker, 1), _picture(speaker, 1))
    before = snapshot(lab.engine)
    overload = lab.engine.tick.overload
    for now in (lab.now, lab.now + 0.9):  # a batch that has waited long, again and again
        overload.received(10.0, now, full=True)
    overload._changed_at = lab.now + 1  # it will not be calm soon
    _put(lab, speaker.host, *(_picture(speaker, number) for number in (2, 3, 4)), _sound(speaker, 2))
    after = snapshot(lab.engine)
    assert (after.overload, after.overloads - before.overloads) == (8, 1)
    assert after.lost[Loss.OVERLOAD] == 3
    assert after.packets_out - before.packets_out == 1


async def test_copies_for_who_is_not_connected_are_counted(
    lab: Lab, speaker: LabClient, listener: LabClient
) -> None:
    _put(lab, speaker.host, _sound(speaker, 1))
    row = lab.engine.transports[listener.peer.id].row
    lab.engine.peers.forget_address(row)
    _put(lab, speaker.host, _sound(speaker, 2), _sound(speaker, 3))
    assert _lost(lab) == {Loss.NO_DESTINATION: 2}


async def test_copies_that_a_full_connection_does_not_take_are_counted(
    lab: Lab, speaker: LabClient, listener: LabClient
) -> None:
    class Full:
        def send(self, data: bytes) -> bool:
            return False

    _put(lab, speaker.host, _sound(speaker, 1))
    lab.engine.peers.use_tcp(lab.engine.transports[listener.peer.id].row, cast(TcpPeer, Full()))
    _put(lab, speaker.host, _sound(speaker, 2), _sound(speaker, 3))
    assert _lost(lab) == {Loss.SEND_BUFFER: 2}
    lab.run(1.5)
    assert _lost(lab)[Loss.RTCP] > 0, "reports for it"


async def test_retransmissions_that_would_make_it_worse_are_counted(
    lab: Lab, speaker: LabClient, listener: LabClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(lab, speaker.host, *(_picture(speaker, number) for number in (1, 2, 3)))
    arrived = [listener.peer.srtp.unprotect(data) for data in listener.down.receive(lab.now + 1)]
    pictures = [parse_header(one, len(one)) for one in arrived if one and one[1] & 0x7F == VP8_TYPE]
    monkeypatch.setattr(lab.engine.tick.overload, "congested", lambda now: True)
    nack = rtcp.build_nack(7, pictures[-1].ssrc, [pictures[-1].sequence])
    _put(lab, listener.host, listener.peer.srtp.protect_rtcp(nack))
    assert _lost(lab) == {Loss.RETRANSMISSION: 1}


def test_each_loss_is_of_one_direction() -> None:
    assert {loss for loss in Loss if loss.incoming} == {
        Loss.RECEIVE_BUFFER,
        Loss.STRANGER,
        Loss.UNAUTHENTICATED,
        Loss.OVERLOAD,
        Loss.OVERSIZED,
    }
