"""An engine without sockets, on a clock that the test moves, with an emulated network to each client.

The engine is the real one; only its UDP port is replaced by rows in memory, and its timer by :meth:`Lab.run`. Same
seed, same run.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from hubbub.testing.netem import PERFECT, Conditions
from sfu import control
from sfu.compiled.intake import ROW_BYTES
from sfu.config import MediaConfig
from sfu.control import Event, RouterId, TransportId
from sfu.engine import Engine
from sfu.housekeeping import URGENT_S
from sfu.net.dtls import Certificate
from sfu.net.mmsg import Receiver
from sfu.net.peers import address_of
from sfu.net.udp import AddressKey, _key_of
from tests.harness.lab_client import LabClient

START_S = 1e6
"""Later than any machine's monotonic clock, which the engine reads when a transport opens."""
UNIX_START_S = 1_735_689_600.0
PORT = 5000
_EPSILON_S = 1e-9


class MemoryPort:
    """Stands in for ``UdpPort``: datagrams are put in, and what is sent goes to ``deliver``."""

    def __init__(self, deliver: Callable[[str, bytes], None]) -> None:
        self.index = 0
        self.host, self.port, self.fileno = "10.0.0.1", 7882, -1
        self.batch_size = 64
        self.gso = False
        self.unread = 0
        self.timed, self.batched = True, False
        self.receiver = Receiver(self.batch_size, ROW_BYTES)
        self.memory = self.receiver.rows.data.cast("B")
        self._waiting: list[tuple[AddressKey, bytes, int]] = []
        self.filled = 0
        self._deliver = deliver

    def put(self, host: str, data: bytes, arrival_us: int) -> None:
        self._waiting.append((_key_of((host, PORT)), data, arrival_us))

    def fill(self, most: int | None = None) -> int:
        most = min(most or self.batch_size, self.batch_size)
        batch, self._waiting = self._waiting[:most], self._waiting[most:]
        for row, (key, data, arrival_us) in enumerate(batch):
            self.memory[row * ROW_BYTES : row * ROW_BYTES + len(data)] = data
            self.receiver.put(row, self.raw_address(key), len(data), arrival_us)
        self.filled = len(batch)
        return len(batch)

    def key(self, row: int) -> AddressKey:
        return int.from_bytes(self.receiver.raw_address(row)[:8], "little")

    def data(self, row: int, length: int) -> memoryview:
        return self.memory[row * ROW_BYTES : row * ROW_BYTES + length]

    def raw_address(self, key: AddressKey) -> bytes:
        assert isinstance(key, int)
        return key.to_bytes(8, "little").ljust(16, b"\0")

    def send(self, data: bytes, key: AddressKey) -> bool:
        return self.send_raw(data, self.raw_address(key))

    def send_raw(self, data: bytes | memoryview, raw_address: bytes) -> bool:
        self._deliver(address_of(raw_address)[0], bytes(data))
        return True


class Lab:
    """Make one inside a running event loop, :meth:`join` clients, and :meth:`run`."""

    def __init__(self, seed: int = 0, *, ice_disconnect_s: float = 1e6, **settings: Any) -> None:
        """Clients send no consent of their own, so ``ice_disconnect_s`` is nothing that a test waits for by chance."""
        self.now = START_S
        self.random = Random(seed)
        self.events: list[Event] = []
        config = MediaConfig(
            use_sendmmsg=False, dtls_timeout_s=1e6, ice_disconnect_s=ice_disconnect_s, **settings
        )
        self.engine = Engine(config, self._on_event)
        self.engine._certificate = Certificate.generate()
        self.engine._candidates = ("candidate:1 1 udp 2130706431 10.0.0.1 7882 typ host",)
        self.engine.forwarder._seeds = lambda: self.random.getrandbits(31)
        self.engine.context.new_ssrc = lambda: self.random.randrange(1, 1 << 32)
        self._port = MemoryPort(self._deliver)
        self.engine.add_port(self._port)  # type: ignore[arg-type]
        self.clients: dict[TransportId, LabClient] = {}
        self._by_host: dict[str, LabClient] = {}
        self._housekeeping_at = self.now

    @property
    def unix_now(self) -> float:
        return UNIX_START_S + self.now - START_S

    def join(
        self,
        name: str,
        *,
        room: str = "RM_room",
        up: Conditions = PERFECT,
        down: Conditions = PERFECT,
    ) -> LabClient:
        """A client in a room, behind a network of its own."""
        self.engine.execute(control.OpenRouter(RouterId(room)))
        host = f"10.0.{1 + len(self.clients) // 250}.{1 + len(self.clients) % 250}"
        client = LabClient(f"PC_{name}", self, host, room, up, down, seed=self.random.getrandbits(30))
        self.clients[client.peer.id] = client
        self._by_host[host] = client
        client.peer.open()
        return client

    def key(self, client: LabClient) -> None:
        """What ICE and DTLS would do: validate the client's address and give both ends their keys."""
        self._port.put(client.host, client.peer.check(), self._arrival_us())
        self._turn()
        self.engine.transports[client.peer.id].keyed(client.peer.keys)

    def run(self, duration_s: float) -> None:
        """Let time pass."""
        until = self.now + duration_s
        while self.now < until:
            self.now = max(self.now, min(until, self._next_at()))
            for client in list(self.clients.values()):
                for data in client.sent_by(self.now):
                    self._port.put(client.host, data, self._arrival_us())
            self._turn()
            if self.now >= self._housekeeping_at - _EPSILON_S:
                self._housekeeping_at = self.now + URGENT_S
                self.engine.tick.begin(self.now, self.unix_now)
                self.engine._housekeeping.run(self.now, self.unix_now)
                self.engine.tick.finish()
            for client in list(self.clients.values()):
                client.receive(self.now)

    def leave(self, client: LabClient) -> None:
        """The client is gone."""
        client.peer.close()
        del self.clients[client.peer.id], self._by_host[client.host]

    def close(self) -> None:
        """End everything; the event loop may be closed afterwards."""
        for router_id in list(self.engine.routers):
            self.engine.execute(control.CloseRouter(router_id))

    def _turn(self) -> None:
        self.engine.tick.begin(self.now, self.unix_now)
        while self._port._waiting:
            self.engine.tick.turn(self._port, self.now, self.unix_now)  # type: ignore[arg-type]
        while self.engine.backlog.copies:
            self.engine.tick.go_on()

    def _next_at(self) -> float:
        times = [self._housekeeping_at]
        times += [at for client in self.clients.values() for at in client.next_times()]
        return min(times)

    def _arrival_us(self) -> int:
        return round(self.unix_now * 1e6)

    def _deliver(self, host: str, data: bytes) -> None:
        client = self._by_host.get(host)
        if client is not None:
            client.down.send(data, self.now)

    def _on_event(self, event: Event) -> None:
        self.events.append(event)
        client = self.clients.get(getattr(event, "transport_id", TransportId("")))
        if client is not None:
            client.peer.on_event(event)
