"""The pytest plugin: a real server for a test, up in a fraction of a second.

::

    async def test_two_people_meet(hubbub):
        room = rtc.Room()
        await room.connect(hubbub.url, hubbub.token("kitchen", "ann"))

    @pytest.mark.hubbub(options={"room.empty_timeout": 1}, network=True)
    def test_something_else(hubbub):
        hubbub.network.impair(Conditions(loss=0.05, latency_s=0.04))
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from .server import HubbubServer, Nursery

StartHubbub = Callable[..., HubbubServer]
FIXTURES = frozenset({"hubbub", "start_hubbub", "hubbub_nursery"})


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "hubbub(options=None, network=False): options of the `hubbub` fixture's server, by path as in its "
        "configuration file, and whether its network can be impaired",
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let Hubbub be imported in the background while the first tests begin."""
    if any(FIXTURES.intersection(getattr(item, "fixturenames", ())) for item in session.items):
        session.config.stash[_NURSERY] = Nursery()


def pytest_sessionfinish(session: pytest.Session) -> None:
    nursery = session.config.stash.get(_NURSERY, None)
    if nursery is not None:
        nursery.close()


_NURSERY = pytest.StashKey[Nursery]()


@pytest.fixture(scope="session")
def hubbub_nursery(request: pytest.FixtureRequest) -> Nursery:
    """What servers are forked from, for fixtures of your own with another scope: see HubbubServer."""
    nursery = request.config.stash.get(_NURSERY, None)
    if nursery is None:
        nursery = request.config.stash[_NURSERY] = Nursery()
    return nursery


@pytest.fixture
def start_hubbub(hubbub_nursery: Nursery, tmp_path: Path) -> Iterator[StartHubbub]:
    """Starts servers: ``start_hubbub(options={"room.max_participants": 2}, network=True)``; they end with the test."""
    with ExitStack() as stack:
        count = 0

        def start(*, options: Mapping[str, object] | None = None, network: bool = False) -> HubbubServer:
            nonlocal count
            directory = tmp_path / f"hubbub-{count}"
            directory.mkdir()
            count += 1
            return stack.enter_context(
                HubbubServer(hubbub_nursery, directory, options=options, network=network)
            )

        yield start


@pytest.fixture
def hubbub(request: pytest.FixtureRequest, start_hubbub: StartHubbub) -> HubbubServer:
    """A server of the test's own. It fails the test if it doesn't end cleanly or logs a traceback."""
    marker = request.node.get_closest_marker("hubbub")
    return start_hubbub(**(marker.kwargs if marker is not None else {}))
