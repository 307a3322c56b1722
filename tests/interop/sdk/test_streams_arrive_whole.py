import asyncio
import random
from typing import Any

from tests.harness.clients import Join, SdkClient, both_modes
from tests.harness.eventually import eventually


def collect(client: SdkClient) -> dict[str, Any]:
    """What arrives on the topics ``text`` and ``bytes``, as (info, sender, content)."""
    arrived: dict[str, Any] = {}
    reading: set[asyncio.Task[None]] = set()

    async def read(topic: str, reader: Any, identity: str) -> None:
        parts = [part async for part in reader]
        arrived[topic] = (reader.info, identity, (b"" if topic == "bytes" else "").join(parts))

    def start(topic: str, reader: Any, identity: str) -> None:
        reading.add(asyncio.create_task(read(topic, reader, identity)))

    client.room.register_text_stream_handler("text", lambda *opened: start("text", *opened))
    client.room.register_byte_stream_handler("bytes", lambda *opened: start("bytes", *opened))
    return arrived


async def test_sent_text_and_bytes_arrive_with_their_attributes(join: Join) -> None:
    text, blob = "grüße " * 20_000, random.Random(1).randbytes(200_000)
    async with join("alice") as alice, join("bob") as bob:
        arrived = collect(bob)
        await asyncio.gather(alice.sees("bob"), bob.sees("alice"))
        await alice.me.send_text(text, topic="text", attributes={"k": "v"})
        await alice.me.send_bytes(blob, topic="bytes", name="blob.bin", mime_type="image/png")
        await eventually(lambda: len(arrived) == 2, lambda: f"text and bytes, not {list(arrived)}")
    info, identity, content = arrived["text"]
    assert (identity, content == text, info.attributes["k"]) == ("alice", True, "v")
    info, identity, content = arrived["bytes"]
    assert (identity, content == blob, info.name, info.mime_type) == ("alice", True, "blob.bin", "image/png")


@both_modes
async def test_a_stream_written_in_pieces_goes_to_its_destination_alone(join: Join) -> None:
    async with join("alice") as alice, join("bob") as bob, join("carol") as carol:
        at_bob, at_carol = collect(bob), collect(carol)
        await asyncio.gather(*(alice.sees(other) for other in ("bob", "carol")), carol.sees("alice"))
        writer = await alice.me.stream_text(topic="text", destination_identities=["carol"])
        for word in ("one ", "two ", "three"):
            await writer.write(word)
        await writer.aclose()
        await eventually(lambda: "text" in at_carol, "the stream at carol")
        assert at_carol["text"][2] == "one two three"
        assert not at_bob
