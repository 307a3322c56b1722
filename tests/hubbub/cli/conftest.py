"""Commands as somebody at a terminal gives them, about a server that runs."""

import asyncio
import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hubbub.cli import hubbub as command
from hubbub.testing.server import HubbubServer


class Terminal:
    """Runs ``hubbub …`` with variables that name the server and its key."""

    def __init__(self, server: HubbubServer) -> None:
        self.variables: dict[str, str | None] = {
            "HUBBUB_URL": None,
            "HUBBUB_CONFIG_FILE": None,
            "HUBBUB_KEYS": None,
            "LIVEKIT_KEYS": None,
            "LIVEKIT_URL": server.url,
            "LIVEKIT_API_KEY": server.api_key,
            "LIVEKIT_API_SECRET": server.api_secret,
        }

    async def __call__(self, *arguments: str) -> Result:
        """In a thread, for it has an event loop of its own."""
        return await asyncio.to_thread(CliRunner(env=self.variables).invoke, command, arguments)

    async def says(self, *arguments: str) -> str:
        result = await self(*arguments)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.stdout

    async def json(self, *arguments: str) -> Any:
        return json.loads(await self.says(*arguments, "--json"))

    async def fails(self, *arguments: str) -> BaseException:
        error = (await self(*arguments)).exception
        assert error is not None
        return error


@pytest.fixture
def terminal(hubbub: HubbubServer) -> Terminal:
    return Terminal(hubbub)


@pytest.fixture
def terminal_for() -> type[Terminal]:
    """For tests that start their own server."""
    return Terminal
