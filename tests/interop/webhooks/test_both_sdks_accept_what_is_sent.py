import json
import subprocess
from pathlib import Path

from livekit import api

from hubbub.web.build import find_node
from tests.harness.clients import joined
from tests.harness.eventually import eventually
from tests.harness.npm import install
from tests.harness.server import Server, running_server
from tests.harness.webhook_receiver import Received, Receiver
from tests.harness.webhooks import LIFE

NODE = Path(__file__).parents[1] / "node"


def verified_by_node(server: Server, items: list[Received]) -> list[dict[str, str]]:
    install(NODE)
    node, _, environment = find_node()
    lines = [json.dumps({"body": item.body, "authorization": item.authorization}) for item in items]
    run = subprocess.run(
        [*node, "receiver.mjs", server.api_key, server.api_secret],
        cwd=NODE,
        env=environment,
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


async def test_a_call_is_told_and_verified(
    tmp_path: Path, receiver: Receiver, options: dict[str, object]
) -> None:
    with running_server(tmp_path, options) as server:
        async with joined(server, "call", "alice") as alice:
            await alice.publish_tone(440)
            await eventually(lambda: "track_published" in receiver.names())
        await eventually(lambda: "room_finished" in receiver.names())
        assert receiver.names() == LIFE
        events = [
            api.WebhookReceiver(api.TokenVerifier(server.api_key, server.api_secret)).receive(
                item.body, item.authorization
            )
            for item in receiver.received
        ]
        assert [event.event for event in events] == LIFE
        assert {event.room.name for event in events} == {"call"}
        assert events[4].participant.identity == "alice"
        by_node = verified_by_node(server, receiver.received)
        assert [item["event"] for item in by_node] == LIFE
        assert [item["id"] for item in by_node] == [event.id for event in events]
        track = events[2].track.sid
        assert [item.get("track") for item in by_node] == [None, None, track, track, None, None]
        forged = Received(receiver.received[0].body + " ", receiver.received[0].authorization, {}, 200)
        assert "checksum" in verified_by_node(server, [forged])[0]["error"]
        assert "secret" not in server.log().replace("secret: secret", "")
