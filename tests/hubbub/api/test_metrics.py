"""The port for Prometheus: any path, one answer; with a password, nothing without it."""

import base64

import pytest

from hubbub.api.metrics import metrics_app
from hubbub.config import MetricsConfig
from tests.harness.listening import listening
from tests.harness.raw_http import Answer, ask

GUARDED = MetricsConfig(port=1, username="prometheus", password="pässword")
RIGHT = "prometheus:pässword"


async def answered(config: MetricsConfig, target: str = "/metrics", **request: object) -> Answer:
    async with listening(metrics_app(config, lambda: b"up 1\n", "text/plain; version=0.0.4")) as port:
        return await ask(port, target, **request)  # type: ignore[arg-type]


def basic(text: str, scheme: str = "Basic") -> dict[str, str]:
    return {"Authorization": f"{scheme} {base64.b64encode(text.encode()).decode()}"}


@pytest.mark.parametrize("target", ["/metrics", "/", "/any/path?x=1"])
async def test_any_path_has_the_metrics(target: str) -> None:
    answer = await answered(MetricsConfig(port=1), target)
    assert (answer.status, answer.body) == (200, "up 1\n")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4"


async def test_whoever_has_the_password_reads() -> None:
    for scheme in ("Basic", "basic"):
        assert (await answered(GUARDED, headers=basic(RIGHT, scheme))).body == "up 1\n"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("prometheus:password"),
        basic("prometheus:"),
        basic("other:pässword"),
        basic("pässword"),
        basic(RIGHT, "Bearer"),
        {"Authorization": "Basic"},
        {"Authorization": "Basic \xff\xfe"},
        {"Authorization": "Basic =" + "A" * 2000},
    ],
    ids=["none", "password", "no password", "name", "no name", "scheme", "empty", "no text", "no base64"],
)
async def test_nobody_else_reads(headers: dict[str, str]) -> None:
    answer = await answered(GUARDED, headers=headers)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Basic realm=")
    assert "up" not in answer.body


async def test_other_methods_are_refused() -> None:
    assert (await answered(MetricsConfig(port=1), method="POST")).status == 405
