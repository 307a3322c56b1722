"""The network between clients and a server, as bad as a test wants it: a UDP relay in a thread of its own."""

import selectors
import socket
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from .netem import PERFECT, Conditions, Netem

_HOST = "127.0.0.1"
_BUFFER_BYTES = 4 * 1024 * 1024
_DATAGRAM_BYTES = 65_536
MAX_CLIENTS = 1024
"""Client addresses that the relay knows at a time; the oldest is forgotten for another."""
CUT = Conditions(loss=1.0)


@dataclass(slots=True)
class _Client:
    """One client address: its socket towards the server, and both directions of its link."""

    address: tuple[str, int]
    socket: socket.socket
    up: Netem
    down: Netem


class Network:
    """Clients send to :attr:`port`; what passes is sent on to the server, and its answers back.

    Each client address has a link of its own; conditions hold for all of them.
    """

    def __init__(self, seed: int = 0) -> None:
        self._front = _socket()
        self.port: int = self._front.getsockname()[1]
        self._server: tuple[str, int] | None = None
        self._up = self._down = PERFECT
        self._seed = seed
        self._clients: OrderedDict[tuple[str, int], _Client] = OrderedDict()
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._front, selectors.EVENT_READ)
        self._woken, self._waker = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="hubbub-network", daemon=True)
        self._thread.start()

    def impair(
        self, both: Conditions | None = None, *, up: Conditions | None = None, down: Conditions | None = None
    ) -> None:
        """New conditions for what clients send (``up``), what they get (``down``), or for both."""
        with self._lock:
            self._up, self._down = up or both or self._up, down or both or self._down
            now = time.monotonic()
            for client in self._clients.values():
                client.up.change(self._up, now)
                client.down.change(self._down, now)
        self._wake()

    def heal(self) -> None:
        """A perfect network again."""
        self.impair(PERFECT)

    def cut(self) -> None:
        """Nothing passes any more."""
        self.impair(CUT)

    def lead_to(self, port: int) -> None:
        """Where the server's UDP port is."""
        with self._lock:
            self._server = (_HOST, port)

    def close(self) -> None:
        """Stop relaying."""
        self._closing = True
        self._wake()
        self._thread.join()
        for client in self._clients.values():
            client.socket.close()
        for one in (self._front, self._woken, self._waker):
            one.close()
        self._selector.close()

    # --- inside the thread ---

    def _run(self) -> None:
        while not self._closing:
            ready = self._selector.select(self._timeout_s())
            with self._lock:
                now = time.monotonic()
                for key, _ in ready:
                    self._receive(key.fileobj, key.data, now)  # type: ignore[arg-type]
                for client in self._clients.values():
                    self._deliver(client, now)

    def _timeout_s(self) -> float | None:
        with self._lock:
            due = [
                at
                for client in self._clients.values()
                for link in (client.up, client.down)
                if (at := link.next_timeout()) is not None
            ]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _receive(self, source: socket.socket, client: _Client | None, now: float) -> None:
        if source is self._woken:
            source.recv(1024)
            return
        while True:
            try:
                data, address = source.recvfrom(_DATAGRAM_BYTES)
            except OSError:
                return  # nothing more, or nobody listens over there
            if client is not None:
                client.down.send(data, now)
            else:
                self._client(address).up.send(data, now)

    def _client(self, address: tuple[str, int]) -> _Client:
        client = self._clients.get(address)
        if client is None:
            if len(self._clients) >= MAX_CLIENTS:
                _, oldest = self._clients.popitem(last=False)
                self._selector.unregister(oldest.socket)
                oldest.socket.close()
            self._seed += 2
            client = _Client(
                address, _socket(), Netem(self._up, self._seed), Netem(self._down, self._seed + 1)
            )
            self._clients[address] = client
            self._selector.register(client.socket, selectors.EVENT_READ, client)
        return client

    def _deliver(self, client: _Client, now: float) -> None:
        for data in client.up.receive(now):
            if self._server is not None:
                _send(client.socket, data, self._server)
        for data in client.down.receive(now):
            _send(self._front, data, client.address)

    def _wake(self) -> None:
        self._waker.send(b"\0")


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((_HOST, 0))
    made.setblocking(False)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        made.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
    return made


def _send(sender: socket.socket, data: bytes, address: tuple[str, int]) -> None:
    try:
        sender.sendto(data, address)
    except OSError:
        return  # a full buffer loses packets, as networks do
