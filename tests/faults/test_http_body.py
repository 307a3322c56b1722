"""Fault 82: bodies, paths and headers that HTTP servers have stumbled over."""

import asyncio

import pytest

from tests.faults.conftest import Target, token
from tests.harness.raw_http import ask, head, read_answer


async def test_ten_gigabytes_announced_are_refused_unread(target: Target) -> None:
    answer = await ask(
        target.port, "/rtc/validate", method="POST", headers={"Content-Length": str(10 * 2**30)}
    )
    assert (answer.status, answer.body) == (413, "request body too large")


async def test_chunks_without_end_are_not_read_for_ever(target: Target) -> None:
    reader, writer = await target.connect()
    headers = {"Transfer-Encoding": "chunked", "Connection": "keep-alive"}
    writer.write(head(f"/rtc/validate?access_token={token()}", method="POST", headers=headers))
    assert (await read_answer(reader)).body == "success"
    async with asyncio.timeout(10):
        while not reader.at_eof() and not writer.transport.is_closing():
            writer.write(b"1000\r\n" + bytes(4096) + b"\r\n")
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    "smuggled",
    [
        {"Content-Length": "5", "Transfer-Encoding": "chunked"},
        {"Content-Length": "+5"},
        {"Content-Length": "5, 6"},
        {"Content-Length": "-1"},
        {"Transfer-Encoding": "chunked, identity"},
        {"Transfer-Encoding": "xchunked"},
        {"Content-Length\t": "5"},
        {"Bad Name": "x"},
        {"X-Split": "a\rInjected: yes"},
        {"X-Nul": "a\0b"},
    ],
    ids=str,
)
async def test_ambiguous_framing_is_refused(target: Target, smuggled: dict[str, str]) -> None:
    assert (await ask(target.port, "/", method="POST", headers=smuggled)).status == 400


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/assets/../../../../../etc/passwd",
        "/assets/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/assets/%00",
        "/assets//etc/passwd",
        "/%ff%fe",
        "/rtc%00",
    ],
)
async def test_paths_lead_nowhere(target: Target, path: str) -> None:
    answer = await ask(target.port, path)
    assert answer.status in (400, 403, 404)
    assert "root:" not in answer.body


@pytest.mark.parametrize(
    "query",
    ["access_token=%ff%fe", "access_token=%00", "access_token=" + "a." * 30_000, "&&&=&=%", "join_request=%"],
)
@pytest.mark.parametrize("path", ["/rtc/validate", "/rtc/v1/validate"])
async def test_odd_queries_are_refused_in_words(target: Target, path: str, query: str) -> None:
    answer = await ask(target.port, f"{path}?{query}")
    assert answer.status == 401
    assert answer.body


async def test_a_header_of_the_client_is_not_put_into_an_answer_unchecked(target: Target) -> None:
    headers = {"Origin": "http://a.test", "Access-Control-Request-Method": "GET"}
    answer = await ask(
        target.port, "/rtc", method="OPTIONS", headers=headers | {"Access-Control-Request-Headers": "a\x0bb"}
    )
    assert answer.status in (204, 400)
    assert set(answer.headers) <= {
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
        "access-control-expose-headers",
        "access-control-max-age",
        "connection",
        "content-length",
        "content-type",
        "date",
        "server",
        "vary",
    }


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH", "X-ODD"])
@pytest.mark.parametrize("path", ["/", "/rtc", "/rtc/v1/validate", "/nowhere"])
async def test_preflights_pass_on_every_path(target: Target, method: str, path: str) -> None:
    headers = {"Origin": "null", "Access-Control-Request-Method": method}
    answer = await ask(target.port, path, method="OPTIONS", headers=headers)
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "null"
    assert answer.headers["access-control-allow-methods"] == method
    assert "access-control-allow-headers" not in answer.headers


async def test_ten_thousand_pipelined_requests_are_answered_in_turn_or_not_at_all(target: Target) -> None:
    reader, writer = await target.connect()
    one = head("/", headers={"Connection": "keep-alive"})
    writer.write(one * 10_000)
    for _ in range(1000):
        assert (await asyncio.wait_for(read_answer(reader), 5)).body == "OK"
    writer.transport.abort()
