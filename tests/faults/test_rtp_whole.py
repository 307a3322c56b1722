"""Faults 29 to 44 and 51 to 54 against a running server: RTP of somebody who has keys, with others in the house."""

import pytest

from tests.faults.bystander import Media
from tests.harness.attacker import Attacker

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_33_rtp_ssrc_flood(media: Media, mallory: Attacker) -> None:
    def packets():
        for ssrc in range(0x10000, 0x10000 + 20_000):
            yield mallory.video.packet(ssrc=ssrc)
            mallory.forget(ssrc)

    await mallory.flood(packets(), mallory.rtp)
    await mallory.is_served()
    media.stays_small(12 << 20)
