"""The process that servers are forked from."""

import os
from pathlib import Path

import pytest

from hubbub.testing.server import HubbubServer, Nursery, ServerFailed


def test_servers_end_with_it(tmp_path: Path) -> None:
    nursery = Nursery()
    server = HubbubServer(nursery, tmp_path)
    server.start()
    nursery.close()
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


def test_one_that_is_gone_says_so(tmp_path: Path) -> None:
    nursery = Nursery()
    nursery.close()
    with pytest.raises(ServerFailed, match=r"hubbub\.testing\.nursery"):
        HubbubServer(nursery, tmp_path).start()


def test_an_end_is_told_once_and_for_all(tmp_path: Path) -> None:
    nursery = Nursery()
    with HubbubServer(nursery, tmp_path) as server:
        server.stop()
        assert nursery.status(server.pid) == 0
        assert nursery.status(server.pid) == 0
    nursery.close()
