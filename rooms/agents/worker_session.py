"""One worker's connection: its messages in order, and an end to those that break the rules."""

from collections.abc import Callable
from typing import Any

from livekit.protocol import agent

from rooms.context import ServerIdentity
from rooms.ids import WORKER
from rooms.rate import Gcra

from .errors import WorkerRefused
from .ports import WorkerSink
from .registration import Registration
from .service import AgentService
from .worker import Worker

_BURST_S = 10.0
"""How much of its allowance of messages a worker may save up."""


class WorkerSession:
    """Begins with the connection, knows a worker once that has registered."""

    def __init__(self, service: AgentService, sink: WorkerSink, issuer: str, server: ServerIdentity) -> None:
        """``issuer`` is the API key of the token that the worker came with."""
        self._service = service
        self._sink = sink
        self._issuer = issuer
        self._server = server
        self._worker: Worker | None = None
        self._ended = False
        context = service.context
        self._registering = context.later(
            service.config.register_timeout_s,
            lambda: self.refuse(WorkerRefused("did not register in time")),
        )
        self._rate = Gcra(service.config.max_messages_per_s, _BURST_S)

    @property
    def worker_id(self) -> str:
        """Empty before it has registered."""
        return "" if self._worker is None else self._worker.id

    @property
    def busy(self) -> bool:
        """Whether it has said that it is full, or drains: it is asked about no job then."""
        return self._worker is not None and (self._worker.full or self._worker.draining)

    def handle(self, message: agent.WorkerMessage) -> None:
        """Take one message; what breaks a rule ends the connection."""
        if self._ended:
            return
        kind = message.WhichOneof("message")
        try:
            self._count()
            if kind == "ping":
                self._pong(message.ping)
            elif kind == "register":
                self._register(message.register)
            else:
                self._dispatch(kind or "", message)
        except WorkerRefused as refusal:
            self.refuse(refusal)

    def lost(self) -> None:
        """The connection is gone, whoever closed it."""
        if not self._ended:
            self._ended = True
            self._registering.cancel()
            if self._worker is not None:
                self._service.lost(self._worker)

    def refuse(self, refusal: WorkerRefused) -> None:
        """Close the connection and say why."""
        if not self._ended:
            self._sink.close(refusal.code, str(refusal))
            self.lost()

    def _dispatch(self, kind: str, message: agent.WorkerMessage) -> None:
        handler = _HANDLERS.get(kind)
        if handler is None:
            raise WorkerRefused("unknown message")
        if self._worker is None:
            raise WorkerRefused("not registered")
        handler(self._service, self._worker, getattr(message, kind))

    def _register(self, request: agent.RegisterWorkerRequest) -> None:
        if self._worker is not None:
            raise WorkerRefused("already registered")
        registration = Registration.read(request)
        self._service.check_place()
        context = self._service.context
        self._registering.cancel()
        worker = Worker(
            context.ids.make(WORKER), registration, self._issuer, self._sink, self._service.config
        )
        worker.refuse = self.refuse
        # Workers give up when anything else comes first.
        answer = agent.RegisterWorkerResponse(worker_id=worker.id, server_info=self._server.info())
        self._sink.send(agent.ServerMessage(register=answer))
        self._worker = worker
        self._service.register(worker)

    def _pong(self, ping: agent.WorkerPing) -> None:
        now_ms = int(self._service.context.clock.wall() * 1000)
        pong = agent.WorkerPong(last_timestamp=ping.timestamp, timestamp=now_ms)
        self._sink.send(agent.ServerMessage(pong=pong))

    def _count(self) -> None:
        now = self._service.context.clock.now()
        if not self._rate.fits(now, 1):
            raise WorkerRefused("too many messages")
        self._rate.take(now, 1)


_HANDLERS: dict[str, Callable[[AgentService, Worker, Any], None]] = {
    "availability": AgentService.answer,
    "update_worker": AgentService.update_worker,
    "update_job": AgentService.update_job,
    "simulate_job": AgentService.simulate,
    "migrate_job": lambda service, worker, request: service.migrate(worker, request.job_ids),
}
