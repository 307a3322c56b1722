"""The server under test, as a process of its own.

By default :func:`running_server` starts Hubbub in development mode on free ports of the loopback. To
develop these tests, or to see how LiveKit itself behaves, name a server that already runs, such as
``HUBBUB_TEST_PEER_URL=ws://127.0.0.1:7980``, its API key in ``HUBBUB_TEST_PEER_KEY`` and the key's secret in
``HUBBUB_TEST_PEER_SECRET``. With ``HUBBUB_TEST_PLAIN_SOCKETS=1`` Hubbub does without ``sendmmsg`` and UDP GSO.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from livekit import api

from hubbub.testing.server import HubbubServer, Nursery

REPOSITORY = Path(__file__).resolve().parents[2]
PLAIN_SOCKETS = {"rtc.use_gso": False, "rtc.use_sendmmsg": False}
"""Options of a server that sends and receives datagrams one by one, as on systems that can't do better."""
DEV_KEY, DEV_SECRET = "devkey", "secret"


@dataclass(frozen=True)
class Server:
    """Where the server is, the key it accepts, and what it logs."""

    url: str
    """WebSocket URL without a path."""
    api_key: str
    api_secret: str
    is_hubbub: bool
    log_path: Path | None = None
    """Standard output and error of the process; None when it is not ours."""
    pid: int | None = None
    """Its process; None when it is not ours."""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def http_url(self) -> str:
        return self.url.replace("ws", "http", 1)

    def token(
        self,
        room: str,
        identity: str,
        *,
        name: str = "",
        metadata: str = "",
        attributes: Mapping[str, str] | None = None,
        kind: str = "standard",
        ttl_s: float = 3600,
        **grants: Any,
    ) -> str:
        """An access token to join ``room``; ``grants`` are fields of ``livekit.api.VideoGrants``."""
        video = api.VideoGrants(**({"room_join": True, "room": room} | grants))
        token = api.AccessToken(self.api_key, self.api_secret).with_identity(identity).with_grants(video)
        token = token.with_name(name).with_metadata(metadata).with_attributes(dict(attributes or {}))
        return str(token.with_kind(kind).with_ttl(timedelta(seconds=ttl_s)).to_jwt())

    def log(self, since: int = 0) -> str:
        """What the server wrote after byte ``since``; empty when its log is not ours."""
        return self.log_path.read_bytes()[since:].decode(errors="replace") if self.log_path else ""

    def log_size(self) -> int:
        return self.log_path.stat().st_size if self.log_path else 0


@contextmanager
def running_server(directory: Path, options: Mapping[str, object] | None = None) -> Iterator[Server]:
    """Start Hubbub with these options and stop it at the end, or give the server that the environment names.

    Raises ServerFailed with the log when it does not start, or does not end cleanly.
    """
    if peer_url := os.environ.get("HUBBUB_TEST_PEER_URL"):
        key, secret = os.environ["HUBBUB_TEST_PEER_KEY"], os.environ["HUBBUB_TEST_PEER_SECRET"]
        yield Server(peer_url, key, secret, is_hubbub=False)
        return
    options = dict(options or {}) | (PLAIN_SOCKETS if os.environ.get("HUBBUB_TEST_PLAIN_SOCKETS") else {})
    nursery = Nursery()
    try:
        with HubbubServer(nursery, directory, options=options, key=(DEV_KEY, DEV_SECRET)) as process:
            yield Server(
                process.url,
                DEV_KEY,
                DEV_SECRET,
                is_hubbub=True,
                log_path=process.log_path,
                pid=process.pid,
            )
    finally:
        nursery.close()
