"""``hubbub webhooks`` about a server whose receiver is broken, and then isn't."""

from pathlib import Path
from typing import Any

from hubbub.cli.client import RequestRefused
from tests.harness.eventually import eventually
from tests.harness.webhook_receiver import receiving


async def test_dead_letters_are_listed_and_sent_again(
    terminal_for: Any, start_hubbub: Any, tmp_path: Path
) -> None:
    async with receiving() as receiver:
        receiver.behaviour = lambda event, attempt: 400
        options = {
            "webhook.targets": [{"url": receiver.url, "name": "billing"}],
            "database.path": str(tmp_path / "hubbub.db"),
        }
        terminal = terminal_for(start_hubbub(options=options))
        assert await terminal.json("webhooks", "list") == []
        await terminal.says("rooms", "create", "kitchen")

        async def dead() -> Any:
            return await terminal.json("webhooks", "list", "--state", "dead")

        for _ in range(100):
            if found := await dead():
                break
        (letter,) = found
        assert (letter["event"], letter["room"], letter["status"]) == ("room_started", "kitchen", 400)
        assert "HTTP 400" in await terminal.says("webhooks", "list", "--target", "billing") or letter["error"]
        assert await terminal.json("webhooks", "list", "--room", "garden") == []

        receiver.behaviour = lambda event, attempt: 200
        assert await terminal.says("webhooks", "replay", letter["id"]) == f"{letter['id']} is sent again.\n"
        await eventually(lambda: receiver.names() == ["room_started"])

        receiver.behaviour = lambda event, attempt: 400
        await terminal.says("rooms", "delete", "kitchen")
        for _ in range(100):
            if await dead():
                break
        receiver.behaviour = lambda event, attempt: 200
        assert await terminal.json("webhooks", "replay", "--dead", "billing") == {"replayed": 1}
        await eventually(lambda: receiver.names() == ["room_started", "room_finished"])


async def test_what_is_not_there(terminal: Any) -> None:
    for arguments in (("12345",), ("../../rooms",), ("--dead", "nobody")):
        error = await terminal.fails("webhooks", "replay", *arguments)
        assert isinstance(error, RequestRefused), error
    assert (await terminal("webhooks", "replay")).exit_code == 2
    assert (await terminal("webhooks", "replay", "1", "--dead", "x")).exit_code == 2
