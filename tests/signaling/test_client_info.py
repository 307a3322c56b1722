import pytest
from livekit.protocol import models

from signaling.client_info import SDKS, complete, from_query, int32

CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
)
AGENTS = {
    CHROME: ("Chrome", "156.0.0.0", "Linux"),
    CHROME + " Edg/156.0.1": ("Edge", "156.0.1", "Linux"),
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": ("Firefox", "140.0", "Linux"),
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/18.3 Safari/605.1.15": ("Safari", "18.3", "Mac OS X"),
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " FxiOS/140.0 Mobile/15E148 Safari/605.1.15": ("Firefox", "140.0", "iOS"),
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0"
    " Mobile Safari/537.36": ("Chrome", "156.0.0.0", "Android"),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Firefox/140.0": ("Firefox", "140.0", "Windows"),
    "Python/3.11 websockets": ("", "", ""),
    "": ("", "", ""),
}


def test_reads_what_livekit_client_sends() -> None:
    query = {
        "sdk": "js",
        "version": "2.23.0",
        "protocol": "17",
        "client_protocol": "2",
        "capabilities": "CAP_PACKET_TRAILER, CAP_COMPRESSION_DEFLATE_RAW,CAP_OF_TOMORROW,",
        "network": "wifi",
    }
    assert from_query(query) == models.ClientInfo(
        sdk=models.ClientInfo.SDK.JS,
        version="2.23.0",
        protocol=17,
        client_protocol=2,
        capabilities=["CAP_PACKET_TRAILER", "CAP_COMPRESSION_DEFLATE_RAW"],
        network="wifi",
    )


def test_an_empty_query_is_an_unknown_client() -> None:
    assert from_query({}) == models.ClientInfo()
    assert from_query({"sdk": "abacus", "protocol": "seventeen"}) == models.ClientInfo()


def test_every_sdk_of_the_protocol_has_a_name() -> None:
    assert set(SDKS.values()) == set(models.ClientInfo.SDK.values()) - {models.ClientInfo.SDK.UNKNOWN}


@pytest.mark.parametrize(("agent", "expected"), AGENTS.items())
def test_browser_and_system_come_from_the_user_agent(agent: str, expected: tuple[str, str, str]) -> None:
    client = models.ClientInfo(sdk=models.ClientInfo.SDK.JS)
    complete(client, agent, "192.0.2.1")
    assert (client.browser, client.browser_version, client.os) == expected
    assert client.address == "192.0.2.1"


def test_what_the_sdk_says_of_itself_stays() -> None:
    client = models.ClientInfo(browser="Brave", browser_version="1", os="Plan 9", address="10.0.0.1")
    complete(client, CHROME, "192.0.2.1")
    assert (client.browser, client.browser_version, client.os) == ("Brave", "1", "Plan 9")
    assert client.address == "192.0.2.1"


def test_a_huge_user_agent_costs_nothing() -> None:
    client = models.ClientInfo()
    complete(client, "iPhone" * 10_000, "")
    assert client.os == ""


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("17", 17),
        ("-1", -1),
        ("", 0),
        ("1.5", 0),
        ("２", 0),
        ("2147483647", 2147483647),
        ("2147483648", 0),
        ("9" * 99, 0),
    ],
)
def test_numbers(text: str, number: int) -> None:
    assert int32(text) == number
