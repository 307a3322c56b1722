"""Joining the test's room with the LiveKit SDK."""

from functools import partial

import pytest

from tests.harness.clients import Join, joined
from tests.harness.server import Server


@pytest.fixture
def join(request: pytest.FixtureRequest, server: Server, room: str) -> Join:
    """``joined`` for this test's server and room; over ``/rtc/v1`` unless the test is for ``both_modes``."""
    return partial(joined, server, room, single_pc=getattr(request, "param", "v1") == "v1")
