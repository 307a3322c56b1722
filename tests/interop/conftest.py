"""What every interop test shares: the marker, and one event loop for the session.

Clients hold native threads, a browser and connections that belong to the loop they were made on.
"""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.harness.browser import JoinInBrowser, joined_in_browser, running_chromium, served_page
from tests.harness.clients import Join, joined
from tests.harness.plain_client import JoinPlainly, joined_plainly
from tests.harness.server import Server

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    one_loop = pytest.mark.asyncio(loop_scope="session")
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.interop)
            if pytest_asyncio.is_async_test(item):
                item.add_marker(one_loop, append=False)


@pytest.fixture
def join(request: pytest.FixtureRequest, server: Server, room: str) -> Join:
    """Join this test's room by the SDK; over ``/rtc/v1`` unless the test is for ``both_modes``."""
    return partial(joined, server, room, single_pc=getattr(request, "param", "v1") == "v1")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with running_chromium() as browser:
        yield browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def page_url() -> AsyncIterator[str]:
    async with served_page() as url:
        yield url


@pytest.fixture
def browse(
    request: pytest.FixtureRequest, chromium: Browser, page_url: str, server: Server, room: str
) -> JoinInBrowser:
    """Join this test's room by a browser; over ``/rtc/v1`` unless for ``both_browser_modes``."""
    single_pc = getattr(request, "param", "v1") == "v1"
    return partial(joined_in_browser, chromium, page_url, server, room, single_pc=single_pc)


@pytest.fixture
def join_plainly(request: pytest.FixtureRequest, server: Server, room: str) -> JoinPlainly:
    """Join this test's room by aiortc; over ``/rtc/v1`` unless for ``both_plain_modes``."""
    return partial(joined_plainly, server, room, single_pc=getattr(request, "param", "v1") == "v1")
