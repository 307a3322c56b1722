"""Where the system has neither ``sendmmsg`` nor UDP GSO, calls work all the same.

This is part of the suite over such a server; ``make test-fallback`` runs all of it.
"""

from collections.abc import Iterator

import pytest

from tests.harness.server import PLAIN_SOCKETS, Server, running_server
from tests.interop.sdk.test_a_subscriber_chooses_the_layer import *  # noqa: F403
from tests.interop.sdk.test_a_tone_is_heard import *  # noqa: F403
from tests.interop.sdk.test_every_codec_is_forwarded import *  # noqa: F403
from tests.interop.sdk.test_video_is_seen import *  # noqa: F403


@pytest.fixture(scope="module")
def server_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server"), PLAIN_SOCKETS) as server:
        yield server
