"""ICE, DTLS, SCTP and DCEP against a real browser over UDP and TCP on loopback: data channels both ways."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sfu.net import stun
from sfu.net.addresses import candidates
from sfu.net.credentials import new_credentials
from sfu.net.dtls import Certificate, DtlsTransport
from sfu.net.framing import Deframer, frame
from sfu.net.ice import IceLite
from sfu.net.sctp import MAX_MESSAGE_SIZE, SctpAssociation

playwright = pytest.importorskip("playwright.async_api")

CERTIFICATE = Certificate.generate()

OFFER = """async (options) => {
  const pc = window.pc = new RTCPeerConnection();
  window.got = []; window.states = [];
  const channel = window.channel = pc.createDataChannel("_reliable");
  window.lossy = pc.createDataChannel("_lossy", {ordered: false, maxRetransmits: 0});
  channel.binaryType = "arraybuffer";
  channel.onmessage = (event) => window.got.push(event.data.byteLength ?? event.data);
  pc.ondatachannel = (event) => window.got.push("opened " + event.channel.label);
  await pc.setLocalDescription();
  return pc.localDescription.sdp;
}"""


class MiniServer:
    """One transport with a UDP socket and a TCP port of its own."""

    def __init__(self, role: Any = "server") -> None:
        loop = asyncio.get_running_loop()
        self.ice = IceLite(new_credentials(), loop.time())
        self.opened: list[str] = []
        self.messages: list[tuple[str, bytes, bool]] = []
        self.senders: dict[Any, Callable[[bytes], Any]] = {}
        self.role = role
        self.association = SctpAssociation(lambda packet: self.dtls.send_data(packet), role, self)
        self.dtls = DtlsTransport(CERTIFICATE, role, self.send, self.association.feed)

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setblocking(False)
        self.udp.bind(("127.0.0.1", 0))
        loop.add_reader(self.udp, self.read_udp)
        self.tcp = await asyncio.start_server(self.serve_tcp, "127.0.0.1", 0)

    def close(self) -> None:
        self.association.close()
        self.dtls.close()
        asyncio.get_running_loop().remove_reader(self.udp)
        self.udp.close()
        self.tcp.close()

    def send(self, datagram: bytes) -> None:
        if self.ice.selected is not None:
            self.senders[self.ice.selected](datagram)

    def read_udp(self) -> None:
        data, address = self.udp.recvfrom(2048)
        self.receive(data, ("udp", address), address, lambda one: self.udp.sendto(one, address))

    async def serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address, deframer = writer.get_extra_info("peername"), Deframer()
        while data := await reader.read(65_536):
            for packet in deframer.feed(data):
                self.receive(packet, ("tcp", address), address, lambda one: writer.write(frame(one)))
        self.ice.forget(("tcp", address))
        writer.close()

    def receive(self, data: bytes, key: Any, address: Any, answer: Callable[[bytes], Any]) -> None:
        now = asyncio.get_running_loop().time()
        if stun.is_stun(data):
            self.senders[key] = answer
            response = self.ice.receive(data, key, address[0], address[1], now)
            if response is not None:
                answer(response)
        elif self.ice.valid(key) and 20 <= data[0] < 64:
            self.dtls.feed(data)

    def channel_opened(self, label: str) -> None:
        self.opened.append(label)

    def message(self, label: str, payload: bytes, binary: bool) -> None:
        self.messages.append((label, payload, binary))

    def answer(self, transport: str) -> str:
        udp, tcp = self.udp.getsockname()[1], self.tcp.sockets[0].getsockname()[1]
        lines = candidates(
            ["127.0.0.1"], udp if transport == "udp" else None, tcp if transport == "tcp" else None
        )
        return "\r\n".join(
            [
                "v=0",
                "o=- 1 1 IN IP4 127.0.0.1",
                "s=-",
                "t=0 0",
                "a=ice-lite",
                "a=group:BUNDLE 0",
                "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
                "c=IN IP4 0.0.0.0",
                "a=mid:0",
                f"a=ice-ufrag:{self.ice.credentials.ufrag}",
                f"a=ice-pwd:{self.ice.credentials.pwd}",
                f"a=fingerprint:sha-256 {CERTIFICATE.fingerprint}",
                "a=setup:" + ("passive" if self.role == "server" else "active"),
                "a=sctp-port:5000",
                f"a=max-message-size:{MAX_MESSAGE_SIZE}",
                *(f"a={line}" for line in lines),
                "a=end-of-candidates",
                "",
            ]
        )


@pytest.fixture
async def page() -> AsyncIterator[Any]:
    async with playwright.async_playwright() as engine:
        browser = await engine.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=[
                "--no-sandbox",
                "--allow-loopback-in-peer-connection",
                "--disable-features=WebRtcHideLocalIpsWithMdns",
            ],
        )
        yield await browser.new_page()
        await browser.close()


async def until(condition: Callable[[], Any], timeout_s: float = 15.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


async def connect(page: Any, transport: str = "udp", role: str = "server") -> MiniServer:
    server = MiniServer(role)
    await server.listen()
    offer = await page.evaluate(OFFER, {})
    remote = next(line for line in offer.splitlines() if line.startswith("a=fingerprint:"))
    algorithm, value = remote.removeprefix("a=fingerprint:").split()
    handshake = asyncio.ensure_future(server.dtls.handshake([(algorithm, value)], 15.0))
    answer = json.dumps({"type": "answer", "sdp": server.answer(transport)})
    await page.evaluate(f"async () => window.pc.setRemoteDescription({answer})")
    await handshake
    server.association.start(max_message_size=262_144)
    return server


@pytest.mark.interop
@pytest.mark.parametrize(("transport", "role"), [("udp", "server"), ("tcp", "server"), ("udp", "client")])
async def test_chromium_data_channels(page: Any, transport: str, role: str) -> None:
    server = await connect(page, transport, role)
    await until(lambda: sorted(server.opened) == ["_lossy", "_reliable"])
    await page.evaluate(
        "() => { channel.send('text'); channel.send(new Uint8Array(100000)); lossy.send('loss'); }"
    )
    await until(lambda: len(server.messages) == 3)
    assert ("_reliable", b"text", False) in server.messages
    assert ("_reliable", bytes(100_000), True) in server.messages
    assert ("_lossy", b"loss", False) in server.messages
    server.association.open_channel("from-server", ordered=False, max_retransmits=0)
    assert server.association.send("_reliable", bytes(200_000))
    assert server.association.send("_reliable", b"bye", binary=False)
    await until(lambda: "from-server" in server.opened)
    await page.wait_for_function("() => window.got.length >= 3")
    assert sorted(await page.evaluate("() => window.got"), key=str) == [200_000, "bye", "opened from-server"]
    await page.evaluate("() => window.channel.close()")
    await until(lambda: "_reliable" not in server.association.labels)
    assert server.ice.state(asyncio.get_running_loop().time()).value == "connected"
    await page.evaluate("() => window.pc.close()")
    await until(lambda: server.dtls.state == "closed")
    server.close()


@pytest.mark.interop
async def test_chromium_upload_of_many_small_messages(page: Any) -> None:
    server = await connect(page)
    await until(lambda: "_reliable" in server.opened)
    await page.evaluate("() => { for (let i = 0; i < 5000; i++) channel.send(new Uint8Array(100)); }")
    await until(lambda: len(server.messages) == 5000)
    for _ in range(5000):
        assert server.association.send("_reliable", bytes(100))
    await page.wait_for_function("() => window.got.length === 5000")
    server.close()
