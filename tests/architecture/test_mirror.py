"""Every module has a test file in its place, or says where else it is tested.

Modules that do nothing (records, protocols, exceptions, constants) need none.
"""

import ast
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, modules, relative

ELSEWHERE = {
    "auth/errors.py": "tests/auth/test_tokens.py",
    "hubbub/api/address.py": "tests/hubbub/api/test_token_endpoint.py",
    "hubbub/api/app.py": "tests/hubbub/api/test_http_table.py",
    "hubbub/api/health.py": "tests/hubbub/api/test_http_table.py",
    "hubbub/api/rest/data.py": "tests/hubbub/api/rest/test_participants.py",
    "hubbub/api/rest/endpoint.py": "tests/hubbub/api/rest/test_rooms.py",
    "hubbub/api/rest/errors.py": "tests/hubbub/api/rest/test_rooms.py",
    "hubbub/api/rest/history.py": "tests/hubbub/api/rest/test_past.py",
    "hubbub/api/rest/invitations.py": "tests/hubbub/api/rest/test_participants.py",
    "hubbub/api/rest/models.py": "tests/hubbub/api/rest/test_rooms.py",
    "hubbub/api/rest/service.py": "tests/hubbub/api/rest/test_openapi.py",
    "hubbub/api/rest/webhooks.py": "tests/hubbub/api/rest/test_past.py",
    "hubbub/api/twirp/room_service.py": "tests/hubbub/api/twirp/test_recorded.py",
    "hubbub/api/twirp/services.py": "tests/hubbub/api/twirp/test_recorded.py",
    "hubbub/banner.py": "tests/hubbub/cli/test_cli.py",
    "hubbub/bans/store.py": "tests/hubbub/bans/test_keeper.py",
    "hubbub/bans/waiting.py": "tests/hubbub/bans/test_keeper.py",
    "hubbub/cli/__init__.py": "tests/hubbub/cli/test_cli.py",
    "hubbub/cli/client.py": "tests/hubbub/cli/test_cli.py",
    "hubbub/cli/config.py": "tests/hubbub/cli/test_cli.py",
    "hubbub/cli/options.py": "tests/hubbub/cli/test_cli.py",
    "hubbub/cli/serve.py": "tests/hubbub/cli/test_cli.py",
    "hubbub/cli/token.py": "tests/hubbub/cli/test_cli.py",
    "hubbub/config/check.py": "tests/hubbub/config/test_load.py",
    "hubbub/config/keys.py": "tests/hubbub/config/test_load.py",
    "hubbub/config/options.py": "tests/hubbub/config/test_load.py",
    "hubbub/config/sources.py": "tests/hubbub/config/test_load.py",
    "hubbub/embedded/entrance.py": "tests/interop/embedded/test_bots_meet_people.py",
    "hubbub/embedded/local_participant.py": "tests/interop/embedded/test_bots_meet_people.py",
    "hubbub/embedded/local_tracks.py": "tests/interop/embedded/test_bots_meet_people.py",
    "hubbub/embedded/reading.py": "tests/interop/embedded/test_bots_meet_people.py",
    "hubbub/embedded/resident.py": "tests/interop/embedded/test_bots_meet_people.py",
    "hubbub/embedded/rooms.py": "tests/test_hubbub.py",
    "hubbub/errors.py": "tests/hubbub/test_server.py",
    "hubbub/history/recorder.py": "tests/hubbub/history/test_service.py",
    "hubbub/history/store.py": "tests/hubbub/history/test_service.py",
    "hubbub/hooks/hooks.py": "tests/hubbub/hooks/test_runner.py",
    "hubbub/keys/errors.py": "tests/hubbub/keys/test_table.py",
    "hubbub/load/cli.py": "tests/hubbub/load/test_command.py",
    "hubbub/load/client.py": "tests/hubbub/load/test_command.py",
    "hubbub/load/compare.py": "tests/hubbub/load/test_comparison.py",
    "hubbub/load/inbox.py": "tests/hubbub/load/test_command.py",
    "hubbub/load/measurement.py": "tests/hubbub/load/test_command.py",
    "hubbub/load/pacer.py": "tests/hubbub/load/test_command.py",
    "hubbub/load/progress.py": "tests/hubbub/load/test_summary.py",
    "hubbub/load/publication.py": "tests/hubbub/load/test_command.py",
    "hubbub/load/rtp.py": "tests/hubbub/load/test_media.py",
    "hubbub/load/run.py": "tests/hubbub/load/test_command.py",
    "hubbub/load/signal.py": "tests/hubbub/load/test_command.py",
    "hubbub/load/transport.py": "tests/hubbub/load/test_command.py",
    "hubbub/webhooks/queue.py": "tests/hubbub/webhooks/test_service.py",
    "hubbub/webhooks/worker.py": "tests/hubbub/webhooks/test_service.py",
    "rooms/agents/context.py": "tests/rooms/agents/test_service.py",
    "rooms/agents/dispatch.py": "tests/rooms/agents/test_service.py",
    "rooms/agents/errors.py": "tests/rooms/agents/test_worker_session.py",
    "rooms/agents/job.py": "tests/rooms/agents/test_supervision.py",
    "rooms/config.py": "tests/rooms/test_limits.py",
    "rooms/context.py": "tests/rooms/test_room.py",
    "rooms/departure.py": "tests/rooms/test_lifetime.py",
    "rooms/errors.py": "tests/hubbub/api/test_errors.py",
    "rooms/hosting.py": "tests/rooms/test_control.py",
    "rooms/legs.py": "tests/rooms/test_join.py",
    "rooms/lock.py": "tests/rooms/test_control.py",
    "rooms/media_events.py": "tests/rooms/test_negotiation.py",
    "rooms/participant.py": "tests/rooms/test_join.py",
    "rooms/ports.py": "tests/rooms/test_join.py",
    "rooms/publication.py": "tests/rooms/test_publishing.py",
    "rooms/room_settings.py": "tests/rooms/test_lifetime.py",
    "rooms/service.py": "tests/rooms/test_room.py",
    "rooms/session.py": "tests/rooms/test_lifetime.py",
    "rooms/signal.py": "tests/rooms/test_resume.py",
    "rooms/subscribing.py": "tests/rooms/test_subscription.py",
    "rooms/updates.py": "tests/rooms/test_metadata.py",
    "rooms/welcome.py": "tests/rooms/test_join.py",
    "sfu/compiled/batch.py": "tests/sfu/test_intake.py",
    "sfu/compiled/frames.py": "tests/sfu/streams/test_timeline.py",
    "sfu/compiled/history.py": "tests/sfu/forwarding/test_history.py",
    "sfu/compiled/intake.py": "tests/sfu/test_intake.py",
    "sfu/compiled/memory.py": "tests/sfu/compiled/test_copies.py",
    "sfu/compiled/numbering.py": "tests/sfu/forwarding/test_numbering.py",
    "sfu/compiled/octets.py": "tests/sfu/compiled/test_feedback.py",
    "sfu/compiled/places.py": "tests/sfu/net/test_places.py",
    "sfu/compiled/relay.py": "tests/sfu/test_intake.py",
    "sfu/compiled/srtp.py": "tests/sfu/net/test_srtp_table.py",
    "sfu/compiled/streams.py": "tests/sfu/test_intake.py",
    "sfu/compiled/table.py": "tests/sfu/net/test_lookup.py",
    "sfu/config.py": "tests/hubbub/config/test_load.py",
    "sfu/forwarding/arena.py": "tests/sfu/forwarding/test_matrix.py",
    "sfu/forwarding/binding.py": "tests/sfu/forwarding/test_ingress.py",
    "sfu/forwarding/delivery.py": "tests/sfu/forwarding/test_ingress.py",
    "sfu/forwarding/downtracks.py": "tests/sfu/forwarding/test_downtrack.py",
    "sfu/forwarding/fan.py": "tests/sfu/forwarding/test_rendition.py",
    "sfu/forwarding/tables.py": "tests/sfu/test_intake.py",
    "sfu/net/credentials.py": "tests/sfu/net/test_ice.py",
    "sfu/net/dtls_handshake.py": "tests/sfu/net/test_dtls.py",
    "sfu/net/interfaces.py": "tests/sfu/net/test_addresses.py",
    "sfu/net/sctp_chunks.py": "tests/sfu/net/test_sctp.py",
    "sfu/rtp/rtcp/build.py": "tests/sfu/rtp/test_rtcp.py",
    "sfu/rtp/rtcp/packets.py": "tests/sfu/rtp/test_rtcp.py",
    "sfu/rtp/rtcp/parse.py": "tests/sfu/rtp/test_rtcp.py",
    "sfu/sdp/attributes.py": "tests/sfu/sdp/test_parse.py",
    "sfu/sdp/codec_lines.py": "tests/sfu/sdp/test_parse.py",
    "sfu/sdp/continuity.py": "tests/sfu/sdp/test_offer.py",
    "sfu/sdp/description.py": "tests/sfu/sdp/test_parse.py",
    "sfu/sdp/stream_lines.py": "tests/sfu/sdp/test_parse.py",
    "sfu/sdp/transport_lines.py": "tests/sfu/sdp/test_parse.py",
    "sfu/sdp/write.py": "tests/sfu/sdp/test_answer.py",
    "sfu/streams/columns.py": "tests/sfu/test_intake.py",
    "signaling/app.py": "tests/hubbub/api/test_http_table.py",
    "signaling/jsonws/cids.py": "tests/signaling/jsonws/test_door.py",
    "signaling/jsonws/data.py": "tests/signaling/jsonws/test_door.py",
    "signaling/jsonws/errors.py": "tests/signaling/jsonws/test_door.py",
    "signaling/jsonws/shapes.py": "tests/signaling/jsonws/test_door.py",
    "signaling/jsonws/teller.py": "tests/signaling/jsonws/test_door.py",
    "signaling/jsonws/view.py": "tests/signaling/jsonws/test_door.py",
}
"""Where modules are tested that have no test file of their own: they are parts of what that one tests through their
user."""


def _place(module: Path) -> Path:
    """Where a module's own tests belong; a package's are beside it."""
    path = module.parent if module.name == "__init__.py" else module.with_suffix("")
    return ROOT / "tests" / path.relative_to(ROOT).with_name(f"test_{path.name}.py")


def _does_nothing(module: Path) -> bool:
    """Whether no function of it has a body."""
    functions = [
        node
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return all(_is_empty(function.body) for function in functions)


def _is_empty(body: list[ast.stmt]) -> bool:
    return all(isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) for part in body)


@pytest.mark.parametrize("module", [pytest.param(m, id=relative(m)) for m in modules()])
def test_a_module_is_tested_in_its_place(module: Path) -> None:
    if not _does_nothing(module):
        assert _place(module).exists() or relative(module) in ELSEWHERE, f"no {relative(_place(module))}"


@pytest.mark.parametrize(("named", "tests"), ELSEWHERE.items())
def test_the_list_names_what_exists_and_needs_it(named: str, tests: str) -> None:
    module = ROOT / named
    assert not _does_nothing(module)
    assert not _place(module).exists()
    assert (ROOT / tests).is_file()


def test_the_list_is_in_order() -> None:
    assert list(ELSEWHERE) == sorted(ELSEWHERE)


def test_a_module_with_behaviour_is_noticed(tmp_path: Path) -> None:
    records = tmp_path / "records.py"
    records.write_text(
        'class Port(Protocol):\n    def send(self) -> None:\n        """Send."""\n        ...\n'
    )
    behaviour = tmp_path / "behaviour.py"
    behaviour.write_text("def double(n: int) -> int:\n    return 2 * n\n")
    assert _does_nothing(records)
    assert not _does_nothing(behaviour)
