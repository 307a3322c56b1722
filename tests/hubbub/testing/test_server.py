"""A server's life, as a test leads it."""

import socket
import time
from pathlib import Path

import pytest

import hubbub.testing.server as module
from hubbub.testing import HubbubServer, ServerFailed
from hubbub.testing.plugin import StartHubbub
from hubbub.testing.server import HOST, Nursery


def test_a_server_comes_back_where_it_was(hubbub: HubbubServer) -> None:
    before = hubbub.url
    hubbub.kill()
    hubbub.start()
    assert hubbub.url == before
    assert hubbub.running


def test_options_reach_the_server(start_hubbub: StartHubbub) -> None:
    with pytest.raises(ServerFailed, match=r"rtc\.udp_prot: there is no such option"):
        start_hubbub(options={"rtc.udp_prot": 1})


def test_a_port_that_somebody_else_takes_first_is_given_up_for_another(
    hubbub_nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server((HOST, 0)) as somebody:
        taken = somebody.getsockname()[1]
        chosen = [taken, taken, module._free_tcp_port()]
        monkeypatch.setattr(module, "_free_tcp_port", lambda: chosen.pop(0))
        with HubbubServer(hubbub_nursery, tmp_path) as server:
            assert server.running
            assert server.log().count(f"can't open TCP port {taken} ") == 2
        monkeypatch.setattr(module, "_free_tcp_port", lambda: taken)
        (tmp_path / "second").mkdir()
        with pytest.raises(ServerFailed, match=f"TCP port {taken}"):
            HubbubServer(hubbub_nursery, tmp_path / "second").start()


def test_a_server_that_dies_is_told_of(hubbub_nursery: Nursery, tmp_path: Path) -> None:
    with HubbubServer(hubbub_nursery, tmp_path) as server:
        server.kill()
        with pytest.raises(ServerFailed, match="status -9"):
            server.stop()


def test_starting_is_quick(hubbub_nursery: Nursery, tmp_path: Path) -> None:
    with HubbubServer(hubbub_nursery, tmp_path):
        pass  # imports are done
    started_at = time.process_time()
    (tmp_path / "second").mkdir()
    with HubbubServer(hubbub_nursery, tmp_path / "second") as server:
        assert server.running
    assert time.process_time() - started_at < 1
