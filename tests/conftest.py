"""The server that the tests of several folders talk to."""

import secrets
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.harness.server import Server, running_server

pytest_plugins = ["hubbub.testing.plugin", "pytester"]


def pytest_configure(config: pytest.Config) -> None:
    # The secret of `serve --dev` is short by intention.
    config.addinivalue_line("filterwarnings", "ignore::jwt.warnings.InsecureKeyLengthWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes begins first, or the other workers have nothing to do at the end."""
    items.sort(key=lambda item: item.get_closest_marker("takes_minutes") is None)


# Machines are noisy: a slow example is no failure.
settings.register_profile("hubbub", deadline=None)
settings.load_profile("hubbub")


@pytest.fixture(scope="session")
def server_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the whole session (per worker, under xdist)."""
    with running_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def server(server_process: Server) -> Iterator[Server]:
    """The session's server; the test fails if the server logs a traceback meanwhile."""
    before = server_process.log_size()
    yield server_process
    log = server_process.log(before)
    if "Traceback (most recent call last)" in log:
        pytest.fail(f"the server logged a traceback:\n{log}", pytrace=False)


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    """The name of a room of the test's own."""
    return f"{request.node.name[:80]}-{secrets.token_hex(3)}"
