"""Fault 90 against a running server: receivers that hang, fail, redirect and speak no TLS, beside one that works."""

from pathlib import Path

from tests.faults.bystander import bystander
from tests.harness.eventually import eventually
from tests.harness.raw_signal import signalling
from tests.harness.server import running_server
from tests.harness.webhook_receiver import receiving

ROOMS = 40
TOLD = ["room_started", "participant_connection_aborted"]


async def test_90_bad_receivers_hinder_nobody(tmp_path: Path) -> None:
    async with (
        receiving() as good,
        receiving() as hanging,
        receiving(lambda event, attempt: 500) as failing,
        receiving(lambda event, attempt: 307) as elsewhere,
    ):
        hanging.go.clear()
        elsewhere.headers["Location"] = elsewhere.url
        no_tls = good.url.replace("http:", "https:").replace("/hook", "/no-tls")
        urls = [hanging.url, failing.url, elsewhere.url, no_tls, good.url]
        # The one that hangs has time left until the end, however busy the machine is.
        with running_server(tmp_path, {"webhook.urls": urls, "webhook.timeout_s": 60}) as server:
            async with bystander(server) as media:
                for number in range(ROOMS):
                    async with signalling(server, server.token(f"attacked-{number}", "mallory")) as signal:
                        await signal.hears("join")
                await eventually(
                    lambda: all(good.names(f"attacked-{number}") == TOLD for number in range(ROOMS)),
                    lambda: str(good.names()),
                )
                await media.goes_on()
                assert hanging.most_waiting <= 8
                # A redirect is refused for good, so that each event is sent once.
                assert len(elsewhere.received) == len({item.event["id"] for item in elsewhere.received})
        log = server.log()
        assert "Traceback" not in log
        assert log.count("webhooks do not arrive") == 3
        assert "eyJ" not in log
