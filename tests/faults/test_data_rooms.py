"""Fault 77 in rooms without a network: data packets whose fields weigh more than they should."""

import os

from livekit.protocol import models

from sfu.control import SendData
from tests.harness.rooms import House


def test_77_nonces_are_remembered_cheaply() -> None:
    """A room remembers a thousand nonces; what one of them weighs is not up to its sender."""
    house = House()
    alice, _ = house.pair()
    nonces = [os.urandom(60_000) for _ in range(30)]
    for nonce in (*nonces, *nonces):
        packet = models.DataPacket(user=models.UserPacket(payload=b"x", nonce=nonce))
        alice.send_data(packet.SerializeToString())
    room = house.service.room("room")
    assert room is not None
    assert sum(map(len, room.data._nonces)) < 1000
    assert len(house.media.of(SendData)) == len(nonces)
