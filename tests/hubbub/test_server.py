import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import aiohttp
import pytest
from livekit.protocol import models, rtc

from auth.grants import Claims, VideoGrant
from auth.keys import KeyRing
from auth.tokens import mint
from hubbub.banner import banner
from hubbub.config import DEV_KEY, DEV_SECRET, Config, MetricsConfig
from hubbub.database import DatabaseConfig, DatabaseUnavailable
from hubbub.errors import StartError
from hubbub.server import Server
from sfu.config import MediaConfig
from tests.harness.eventually import PATIENCE_S
from tests.harness.listening import free_port
from tests.harness.raw_http import UPGRADE, ask, head
from tests.harness.server import REPOSITORY

CONFIG = Config(
    port=0,
    bind_addresses=("127.0.0.1",),
    development=True,
    keys=KeyRing({DEV_KEY: DEV_SECRET}),
    media=MediaConfig(udp_port=0, tcp_port=0, bind_addresses=("127.0.0.1",), enable_loopback_candidate=True),
)
DEV_TOKEN = mint(
    Claims(identity="ann", video=VideoGrant(room_join=True, room="r")), DEV_KEY, DEV_SECRET, now=time.time()
)


async def dev_token(client: aiohttp.ClientSession, server: Server) -> str:
    async with client.get(f"{server.url}dev/token?room=r&identity=ann") as answer:
        return str((await answer.json())["token"])


async def test_a_client_joins_and_hears_when_the_server_stops() -> None:
    async with aiohttp.ClientSession() as client, Server(CONFIG) as server:
        url = f"{server.url}rtc?access_token={await dev_token(client, server)}&protocol=17"
        socket_ = await client.ws_connect(url)
        join = rtc.SignalResponse.FromString(await socket_.receive_bytes()).join
        assert join.participant.identity == "ann"
        assert join.ping_interval > 0
        stopping = asyncio.create_task(server.stop())
        while True:
            message = rtc.SignalResponse.FromString(await socket_.receive_bytes(timeout=PATIENCE_S))
            if message.HasField("leave"):
                break
        assert message.leave.reason == models.DisconnectReason.SERVER_SHUTDOWN
        assert (await socket_.receive(timeout=PATIENCE_S)).type is aiohttp.WSMsgType.CLOSE
        assert socket_.close_code == 1000
        await asyncio.wait_for(stopping, PATIENCE_S)


async def test_a_client_that_does_not_listen_delays_the_end_only_a_little() -> None:
    async with Server(CONFIG) as server, aiohttp.ClientSession() as client:
        url = f"{server.url}rtc?access_token={await dev_token(client, server)}"
        async with client.ws_connect(url):
            await asyncio.wait_for(server.stop(), 6)


async def test_it_starts_again_on_the_same_port() -> None:
    async with Server(CONFIG) as server:
        port = server.port
    async with Server(replace(CONFIG, port=port)) as server:
        assert (await ask(port, "/")).body == "OK"


async def test_what_one_part_fails_at_stopping_keeps_no_other_open(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(CONFIG)
    await server.start()

    async def fail() -> None:
        raise OSError("no")

    monkeypatch.setattr(server.history, "_write", fail)
    with pytest.raises(OSError, match=r"^no$"):
        await server.stop()
    with pytest.raises(DatabaseUnavailable):
        await server.database.run(lambda db: db.rows("SELECT 1"))
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)
    await server.stop()


async def test_a_server_that_never_started_stops() -> None:
    await Server(CONFIG).stop()


async def test_a_port_in_use_is_one_clear_line() -> None:
    async with Server(CONFIG) as first:
        with pytest.raises(
            StartError, match=rf"^port {first.port} on 127\.0\.0\.1 is in use by another program"
        ):
            await Server(replace(CONFIG, port=first.port)).start()
        assert (await ask(first.port, "/")).body == "OK"


async def test_a_media_port_in_use_is_one_clear_line_too() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        media = replace(CONFIG.media, udp_port=taken.getsockname()[1])
        with pytest.raises(StartError, match=rf"UDP port {media.udp_port}"):
            await Server(replace(CONFIG, media=media)).start()


async def test_a_port_for_metrics_in_use_is_one_clear_line_and_leaves_nothing_open() -> None:
    async with Server(CONFIG) as first:
        server = Server(replace(CONFIG, metrics=MetricsConfig(port=first.port)))
        with pytest.raises(StartError, match=rf"port {first.port} .* choose another with prometheus\.port"):
            await server.start()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", server.port)


async def test_metrics_are_at_their_own_port_alone() -> None:
    port = free_port()
    async with Server(replace(CONFIG, metrics=MetricsConfig(port=port))) as server:
        assert "livekit_room_total" in (await ask(port, "/metrics")).body
        assert (await ask(server.port, "/metrics")).status == 404
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_an_address_of_another_machine_is_one_clear_line() -> None:
    with pytest.raises(StartError, match=r"192\.0\.2\.1 is no address of this machine"):
        await Server(replace(CONFIG, bind_addresses=("192.0.2.1",))).start()


async def test_browsers_get_the_page_and_probes_get_ok() -> None:
    async with Server(CONFIG) as server:
        page = await ask(server.port, "/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert page.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert (await ask(server.port, "/", headers={"Accept": "*/*"})).body == "OK"


async def test_outside_dev_mode_nobody_is_given_a_token() -> None:
    config = replace(CONFIG, development=False, database=DatabaseConfig(path=":memory:"))
    async with Server(config) as server:
        answer = await ask(server.port, "/dev/token?room=r&identity=ann")
        assert answer.status == 403
        assert "eyJ" not in answer.body


def test_the_banner_says_where_to_go() -> None:
    text = banner(CONFIG, "http://127.0.0.1:7880/", 50968)
    assert "http://127.0.0.1:7880/?room=" in text
    assert "ws://127.0.0.1:7880\n" in text
    assert "devkey, secret: secret" in text
    assert "UDP 50968\n" in text


def test_the_banner_keeps_secrets_that_are_some() -> None:
    own = replace(CONFIG, keys=KeyRing({"key": "a secret of our own"}))
    assert "a secret of our own" not in banner(own, "http://127.0.0.1:7880/", 1)
    assert banner(replace(own, development=False), "http://h/", 1).count("\n") == 1


@contextmanager
def process(*flags: str) -> Iterator["subprocess.Popen[str]"]:
    """``hubbub serve --dev`` on free ports."""
    command = [sys.executable, "-P", "-m", "hubbub", "serve", "--dev", "--port", "0", "--udp-port", "0"]
    server = subprocess.Popen(
        [*command, "--tcp-port", "0", *flags],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield server
    finally:
        server.kill()
        server.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_well(number: signal.Signals) -> None:
    with process() as server:
        port_of(server)
        server.send_signal(number)
        assert server.wait(5) == 0


def test_a_second_signal_waits_for_nobody() -> None:
    with process() as server, socket.socket() as deaf:
        deaf.connect(("127.0.0.1", port_of(server)))
        deaf.sendall(head(f"/rtc?access_token={DEV_TOKEN}", headers=UPGRADE))
        assert b"101" in deaf.recv(100)
        server.send_signal(signal.SIGTERM)
        assert server.stderr is not None
        assert any("stopping" in line for line in server.stderr)
        server.send_signal(signal.SIGTERM)
        # By the second signal, or because it had stopped before that one came.
        assert server.wait(10) in (-signal.SIGTERM, 0)


def port_of(server: "subprocess.Popen[str]") -> int:
    """The port in the banner's line for clients."""
    assert server.stdout is not None
    for line in server.stdout:
        if "ws://" in line:
            return int(line.rpartition(":")[2])
    raise AssertionError("no banner")
