"""One POST: what counts as delivered, what is worth another try, and what is told of it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from auth.keys import KeyRing
from hubbub.webhooks.config import WebhookTarget
from hubbub.webhooks.sender import Fate, Outcome, Sender
from tests.harness.webhook_receiver import Receiver, receiving
from tests.harness.webhooks import KEYS, QUICK, Wall


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


async def send(url: str, keys: KeyRing = KEYS, **target: str) -> Outcome:
    config = replace(QUICK, timeout_s=1.0)
    async with Sender(WebhookTarget(url, **target), keys, Wall(), config) as sender:
        return await sender.send('{"id": "EV_1"}')


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (200, Fate.DELIVERED),
        (204, Fate.DELIVERED),
        (301, Fate.REFUSED),
        (308, Fate.REFUSED),
        (400, Fate.REFUSED),
        (401, Fate.REFUSED),
        (404, Fate.REFUSED),
        (408, Fate.RETRY),
        (429, Fate.RETRY),
        (500, Fate.RETRY),
        (501, Fate.REFUSED),
        (503, Fate.RETRY),
    ],
)
async def test_the_status_decides(receiver: Receiver, status: int, fate: Fate) -> None:
    receiver.behaviour = lambda event, attempt: status
    receiver.headers["Location"] = receiver.url
    outcome = await send(receiver.url)
    assert (outcome.fate, outcome.status) == (fate, status)
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7.0), ("soon", 0.0), ("-1", 0.0), ("9" * 30, 0.0), ("²", 0.0)]
)
async def test_retry_after(receiver: Receiver, text: str, seconds: float) -> None:
    receiver.behaviour = lambda event, attempt: 503
    receiver.headers["Retry-After"] = text
    assert (await send(receiver.url)).retry_after_s == seconds


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://127.0.0.1:9/hook?token=hidden", "can't connect"),
        ("http://name.invalid/hook?token=hidden", "name is not known"),
    ],
)
async def test_what_goes_wrong_is_told_without_the_urls_secrets(url: str, error: str) -> None:
    outcome = await send(url)
    assert outcome.fate is Fate.RETRY
    assert error in outcome.error
    assert "hidden" not in outcome.error


async def test_a_receiver_without_tls_behind_https(receiver: Receiver) -> None:
    outcome = await send(receiver.url.replace("http:", "https:"))
    assert outcome.fate is Fate.RETRY
    assert "TLS" in outcome.error


async def raw(answer: bytes, *, hold: bool = False, context: ssl.SSLContext | None = None) -> Outcome:
    """Send to somebody who says this and nothing else."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if hold:
            await asyncio.sleep(30)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        return await send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")


@pytest.mark.parametrize(
    "answer",
    [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000],
)
async def test_answers_that_are_none(answer: bytes) -> None:
    assert (await raw(answer)).fate is Fate.RETRY


async def test_an_answer_without_end_is_not_read_to_the_end() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"
    outcome = await asyncio.wait_for(raw(head + b"x" * 200_000, hold=True), 5)
    assert outcome.fate is Fate.DELIVERED


async def test_a_body_that_dribbles_ends_in_time() -> None:
    outcome = await asyncio.wait_for(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx", hold=True), 5)
    assert outcome == Outcome(Fate.RETRY, error="no answer in time")


async def test_a_key_that_was_withdrawn_is_waited_for(receiver: Receiver) -> None:
    outcome = await send(receiver.url, api_key="gone")
    assert outcome.fate is Fate.RETRY
    assert "API key gone" in outcome.error
    assert receiver.received == []
    assert (await send(receiver.url, KeyRing({}))).fate is Fate.RETRY


async def test_proxies_of_the_environment_are_not_asked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert (await send(receiver.url)).fate is Fate.DELIVERED
