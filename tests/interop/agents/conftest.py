"""A server for these tests alone: workers without a name get jobs in every room that there is."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from tests.harness.agent_process import AgentProcess, agent_process
from tests.harness.server import Server, running_server

StartWorker = Callable[..., AbstractAsyncContextManager[AgentProcess]]


@pytest.fixture(scope="module")
def server_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server"), {"logging.level": "debug"}) as server:
        yield server


@pytest.fixture
def start_worker(server: Server, tmp_path: Path) -> StartWorker:
    """Start a stock worker: its kind of jobs, and its name if it has one."""
    return partial(agent_process, server, tmp_path)


@pytest_asyncio.fixture(loop_scope="session")
async def two_workers(start_worker: StartWorker) -> AsyncIterator[tuple[AgentProcess, AgentProcess]]:
    """Two alike, named ``helper``."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(start_worker("room", "helper"))
        yield first, await stack.enter_async_context(start_worker("room", "helper"))
