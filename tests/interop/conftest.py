"""What every interop test shares: the marker, and one event loop for the session.

Clients hold native threads, a browser and connections that belong to the loop they were made on.
"""

from pathlib import Path

import pytest
import pytest_asyncio

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    one_loop = pytest.mark.asyncio(loop_scope="session")
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.interop)
            if pytest_asyncio.is_async_test(item):
                item.add_marker(one_loop, append=False)
