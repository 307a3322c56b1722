"""Who the client says it is: ClientInfo from the query of ``/rtc``, completed from the User-Agent.

Sans-IO. Browser and system matter to codecs and ICE (Firefox, Safari), so where an SDK leaves them
out they are read from the User-Agent; a name nobody knows leaves the field empty.
"""

import re
from collections.abc import Mapping

from livekit.protocol import models

SDKS = {
    "js": models.ClientInfo.SDK.JS,
    "ios": models.ClientInfo.SDK.SWIFT,
    "swift": models.ClientInfo.SDK.SWIFT,
    "android": models.ClientInfo.SDK.ANDROID,
    "flutter": models.ClientInfo.SDK.FLUTTER,
    "go": models.ClientInfo.SDK.GO,
    "unity": models.ClientInfo.SDK.UNITY,
    "reactnative": models.ClientInfo.SDK.REACT_NATIVE,
    "rust": models.ClientInfo.SDK.RUST,
    "python": models.ClientInfo.SDK.PYTHON,
    "cpp": models.ClientInfo.SDK.CPP,
    "unityweb": models.ClientInfo.SDK.UNITY_WEB,
    "node": models.ClientInfo.SDK.NODE,
    "unreal": models.ClientInfo.SDK.UNREAL,
    "esp32": models.ClientInfo.SDK.ESP32,
    "dotnet": models.ClientInfo.SDK.DOTNET,
}
"""Values of the ``sdk`` parameter (LiveKit 1.13.5 ``pkg/service/utils.go``)."""

# First match wins: Chromium's relatives call themselves Chrome and Safari too, and Chrome calls itself
# Safari.
_BROWSERS = (
    ("Edge", re.compile(r"\bEdg(?:e|A|iOS)?/([\d.]+)")),
    ("Opera", re.compile(r"\bOPR/([\d.]+)")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/([\d.]+)")),
    ("Chrome", re.compile(r"\b(?:Headless)?(?:Chrome|CriOS)/([\d.]+)")),
    ("Safari", re.compile(r"\bVersion/([\d.]+).*\bSafari/")),
)
_SYSTEMS = (
    ("iOS", re.compile(r"\b(?:iPhone|iPad).*? OS ([\d_]+)")),
    ("Android", re.compile(r"\bAndroid ([\d.]+)")),
    ("Windows", re.compile(r"\bWindows NT ([\d.]+)")),
    ("Mac OS X", re.compile(r"\bMac OS X ([\d_.]+)")),
    ("Linux", re.compile(r"\bLinux\b()")),
)
MAX_USER_AGENT = 512
"""Characters of the User-Agent that are looked at."""


def from_query(query: Mapping[str, str]) -> models.ClientInfo:
    """ClientInfo from the parameters of ``/rtc``; numbers and names that can't be read count as absent."""
    named = dict.fromkeys(name.strip() for name in query.get("capabilities", "").split(","))
    known = models.ClientInfo.Capability.keys()
    return models.ClientInfo(
        sdk=SDKS.get(query.get("sdk", ""), models.ClientInfo.SDK.UNKNOWN),
        version=query.get("version", ""),
        protocol=int32(query.get("protocol", "")),
        os=query.get("os", ""),
        os_version=query.get("os_version", ""),
        device_model=query.get("device_model", ""),
        browser=query.get("browser", ""),
        browser_version=query.get("browser_version", ""),
        network=query.get("network", ""),
        client_protocol=int32(query.get("client_protocol", "")),
        capabilities=[name for name in named if name in known],
    )


def complete(client: models.ClientInfo, user_agent: str, address: str) -> None:
    """Fill in what HTTP knows, in place: the address always, browser and system where they are missing."""
    client.address = address
    user_agent = user_agent[:MAX_USER_AGENT]
    if not client.browser:
        client.browser, client.browser_version = _first(_BROWSERS, user_agent)
    if not client.os:
        client.os, version = _first(_SYSTEMS, user_agent)
        client.os_version = version.replace("_", ".")


def int32(text: str) -> int:
    """A decimal number that fits a protobuf int32, else 0."""
    if re.fullmatch(r"-?[0-9]{1,10}", text) and -(2**31) <= int(text) < 2**31:
        return int(text)
    return 0


def _first(patterns: tuple[tuple[str, re.Pattern[str]], ...], user_agent: str) -> tuple[str, str]:
    for name, pattern in patterns:
        if match := pattern.search(user_agent):
            return name, match[1]
    return "", ""
