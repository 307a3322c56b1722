import pytest
from livekit.protocol import models

from rooms.administration import Administration
from rooms.errors import InvalidRpc, NotNow, ParticipantNotFound, RpcError, RpcTimedOut, RpcUnavailable
from rooms.rpc import MAX_PAYLOAD_BYTES, Outcome
from sfu.control import SendData
from tests.harness.rooms import Guest, House


class Caller:
    """Calls bob, and keeps what is heard of it."""

    def __init__(self) -> None:
        self.house = House()
        self.alice, self.bob = self.house.pair()
        self.outcomes: list[Outcome] = []

    def call(self, payload: str = "ping", timeout_s: float = 10.0, identity: str = "bob") -> str:
        call = Administration(self.house.service).start_rpc(
            "room", identity, "echo", payload, timeout_s, self.outcomes.append
        )
        return call.id

    def requests(self) -> list[tuple[tuple[str, ...], models.DataPacket]]:
        return [
            (command.transport_ids, models.DataPacket.FromString(command.payload))
            for command in self.house.media.of(SendData)
        ]


def send(guest: Guest, **value: object) -> None:
    guest.send_data(models.DataPacket(**value).SerializeToString())


def ack(guest: Guest, id_: str) -> None:
    send(guest, rpc_ack=models.RpcAck(request_id=id_), destination_identities=[id_])


def respond(guest: Guest, id_: str, payload: str = "pong", error: models.RpcError | None = None) -> None:
    response = models.RpcResponse(request_id=id_)
    if error is None:
        response.payload = payload
    else:
        response.error.CopyFrom(error)
    send(guest, rpc_response=response, destination_identities=[id_])


def test_a_call_and_its_answer() -> None:
    caller = Caller()
    id_ = caller.call()
    ((legs, packet),) = caller.requests()
    assert legs == (caller.bob.primary,)
    assert (packet.participant_identity, list(packet.destination_identities)) == (id_, [])
    assert packet.rpc_request == models.RpcRequest(
        id=id_, method="echo", payload="ping", response_timeout_ms=10_000, version=1
    )
    ack(caller.bob, id_)
    respond(caller.bob, id_)
    assert caller.outcomes == ["pong"]
    assert len(caller.requests()) == 1, "answers go to nobody else"
    caller.house.advance(20)
    assert caller.outcomes == ["pong"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1400, "InvalidRpc"),
        (1404, "RpcUnsupported"),
        (1503, "RpcUnavailable"),
        (1500, "RpcFailed"),
        (7, "RpcFailed"),
    ],
)
def test_an_error_of_the_other_side(code: int, kind: str) -> None:
    caller = Caller()
    error = models.RpcError(code=code, message="no", data="why")
    respond(caller.bob, caller.call(), error=error)
    (outcome,) = caller.outcomes
    assert isinstance(outcome, RpcError)
    assert (type(outcome).__name__, outcome.code, outcome.message, outcome.data) == (kind, code, "no", "why")


def test_no_acknowledgement() -> None:
    caller = Caller()
    caller.call()
    caller.house.advance(1.9)
    assert not caller.outcomes
    caller.house.advance(0.2)
    (outcome,) = caller.outcomes
    assert isinstance(outcome, RpcTimedOut)
    assert outcome.code == 1501


def test_no_response() -> None:
    caller = Caller()
    id_ = caller.call(timeout_s=5)
    ack(caller.bob, id_)
    caller.house.advance(4.9)
    assert not caller.outcomes
    caller.house.advance(0.2)
    (outcome,) = caller.outcomes
    assert isinstance(outcome, RpcTimedOut)
    assert outcome.code == 1502
    respond(caller.bob, id_)
    assert len(caller.outcomes) == 1


def test_somebody_who_leaves_answers_nothing() -> None:
    caller = Caller()
    caller.call()
    caller.bob.session.leave(models.CLIENT_INITIATED)
    (outcome,) = caller.outcomes
    assert isinstance(outcome, RpcUnavailable)
    with pytest.raises(ParticipantNotFound):
        caller.call()


def test_nobody_answers_for_another() -> None:
    caller = Caller()
    id_ = caller.call()
    respond(caller.alice, id_, "forged")
    ack(caller.alice, id_)
    assert not caller.outcomes
    caller.house.advance(2.1)
    assert isinstance(caller.outcomes[0], RpcTimedOut)


def test_what_is_too_much() -> None:
    caller = Caller()
    with pytest.raises(InvalidRpc) as refused:
        caller.call("ä" * (MAX_PAYLOAD_BYTES // 2 + 1))
    assert refused.value.code == 1402
    for _ in range(1000):
        caller.call()
    with pytest.raises(NotNow):
        caller.call()
    caller.house.advance(3)
    caller.call()


def test_calls_among_participants_pass_as_before() -> None:
    caller = Caller()
    response = models.RpcResponse(request_id="of bob's", payload="pong")
    send(caller.alice, rpc_response=response, destination_identities=["bob"])
    ((legs, packet),) = caller.requests()
    assert packet.participant_identity == "alice"
    assert caller.bob.primary in legs
