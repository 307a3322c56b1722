"""Receivers from the configuration, and what each of them is told."""

import pytest

from hubbub.config import load
from hubbub.errors import ConfigError
from hubbub.webhooks.config import WebhookConfig, WebhookTarget

LIVEKIT = """
webhook:
  api_key: devkey
  urls: [https://a.example/hook, "http://10.0.0.1:8080/hook?token=x"]
  filter_params:
    include_events: [room_started]
room:
  enable_full_room_in_webhooks: true
"""
OURS = """
webhook:
  urls: [https://a.example/hook]
  targets:
    - url: https://a.example/hook
      rooms: ["prod-*"]
    - {url: "https://b.example", name: billing, include_events: [room_finished]}
"""


def webhooks(text: str, **env: str) -> WebhookConfig:
    config, warnings = load(text, env=env, flags={"development": True})
    assert warnings == ()
    return config.webhooks


def problems(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(text, flags={"development": True})
    return str(caught.value)


def test_livekits_own_section() -> None:
    config = webhooks(LIVEKIT)
    assert config.full_room
    first, second = config.receivers()
    assert first == WebhookTarget(
        "https://a.example/hook", "https://a.example/hook", "devkey", include_events=("room_started",)
    )
    # The query may hold a secret.
    assert second.name == "http://10.0.0.1:8080/hook"
    assert second.url.endswith("?token=x")


def test_targets_have_names_of_their_own() -> None:
    names = [target.name for target in webhooks(OURS).receivers()]
    assert names == ["https://a.example/hook", "https://a.example/hook (2)", "billing"]


def test_targets_can_come_from_a_variable() -> None:
    (target,) = webhooks("", HUBBUB_WEBHOOK_TARGETS='[{"url": "https://a.example"}]').targets
    assert target.url == "https://a.example"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("webhook: {urls: [ftp://a.example]}", "webhook.urls, item 1: should be a URL"),
        (
            "webhook: {urls: ['https://user:word@a.example']}",
            "webhook.urls, item 1: should have no user name",
        ),
        ("webhook: {filter_params: {include_events: [room_opened]}}", "item 1: is no event"),
        ("webhook: {targets: [{name: x}]}", "webhook.targets, item 1, url: Field required"),
        ("webhook: {targets: [{url: 'https://a.example', room: [x]}]}", "webhook.targets, item 1, room"),
        ("webhook: {targets: [{url: 7}]}", "webhook.targets, item 1, url: should be a valid string"),
        ("webhook: {targets: https}", "webhook.targets: should be a valid list"),
        ("webhook: {targets: '[}'}", "webhook.targets: should be a list"),
        ("webhook: {urls: [https://a.example], api_key: nobody}", "the API key nobody of"),
        (
            "webhook: {url: https://a.example}",
            "webhook.url: there is no such option; did you mean webhook.urls",
        ),
    ],
)
def test_mistakes_are_told(text: str, problem: str) -> None:
    assert problem in problems(text)


def test_include_wins_over_exclude() -> None:
    target = WebhookTarget("u", include_events=("room_started",), exclude_events=("room_started",))
    assert target.wants("room_started", "r")
    assert not target.wants("room_finished", "r")
    assert not WebhookTarget("u", exclude_events=("room_started",)).wants("room_started", "r")


def test_rooms_are_patterns() -> None:
    target = WebhookTarget("u", rooms=("prod-*", "demo"))
    assert [target.wants("room_started", room) for room in ("prod-1", "demo", "Prod-1", "demo2", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]
