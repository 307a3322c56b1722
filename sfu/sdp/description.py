"""A session description as data: what the rest of the server knows of SDP (RFC 8866, JSEP RFC 8829)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
Fingerprint = tuple[str, str]
"""Hash name in lower case (``sha-256``) and the hash as upper-case hex pairs with colons."""


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload format of an m-line."""

    payload_type: int
    mime: str
    """Kind and name in lower case, ``video/vp8``."""
    name: str
    """Encoding name as written, ``VP8``."""
    clock_rate: int
    channels: int = 1
    fmtp: str = ""
    feedback: tuple[str, ...] = ()
    """``rtcp-fb`` values, ``nack pli``."""

    @property
    def parameters(self) -> Mapping[str, str]:
        """The fmtp as a mapping; names in lower case, a part without ``=`` maps to the empty string."""
        parts = (part.partition("=") for part in self.fmtp.split(";"))
        return {name.strip().lower(): value.strip() for name, _, value in parts if name.strip()}

    @property
    def apt(self) -> int | None:
        """Payload type that this RTX format repairs (RFC 4588); None without a readable one."""
        if "apt" not in self.fmtp:
            return None
        text = self.parameters.get("apt", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else None


@dataclass(frozen=True, slots=True)
class Section:
    """One m-line with its attributes, those of the session level folded in."""

    kind: str
    """``audio``, ``video``, ``application``, or whatever else was written."""
    mid: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    """The m-line's format list as written; a rejection repeats its first."""
    direction: Direction = "sendrecv"
    rejected: bool = False
    """Not to be used, to be answered with port 0: refused by the client, or nothing that one bundled
    transport can carry (outside the BUNDLE group, no rtcp-mux, a second data m-line, an unknown kind)."""
    codecs: tuple[Codec, ...] = ()
    """In the m-line's order; formats that nothing describes are left out."""
    extensions: Mapping[int, str] = field(default_factory=dict)
    """Header-extension URIs by id (RFC 8285)."""
    extmap_allow_mixed: bool = False
    rids: tuple[str, ...] = ()
    """Ids of the streams that the client sends, in the simulcast line's order, else as declared."""
    simulcast_send: bool = False
    ssrcs: tuple[int, ...] = ()
    """Declared media SSRCs in order, without those of retransmission or FEC."""
    rtx_ssrcs: Mapping[int, int] = field(default_factory=dict)
    """Retransmission SSRC by media SSRC (``ssrc-group:FID``)."""
    sim_group: tuple[int, ...] = ()
    """``ssrc-group:SIM``, smallest layer first by convention."""
    msid: tuple[str, str] | None = None
    """Stream and track id; the second, empty when not given, is what LiveKit calls the client id."""
    ice_ufrag: str = ""
    ice_pwd: str = ""
    fingerprints: tuple[Fingerprint, ...] = ()
    setup: str = ""
    """DTLS role: ``actpass``, ``active``, ``passive``, ``holdconn``, or empty when absent (RFC 4145)."""
    rtcp_mux: bool = False
    rtcp_rsize: bool = False
    bundle_only: bool = False
    sctp_port: int | None = None
    max_message_size: int = 65536
    """Bytes the client takes in one data message; 0 is no limit (RFC 8841)."""
    ptime_ms: int | None = None
    max_ptime_ms: int | None = None

    @property
    def is_media(self) -> bool:
        return self.kind in ("audio", "video")

    def codec(self, payload_type: int) -> Codec | None:
        """The codec with that payload type."""
        return next((codec for codec in self.codecs if codec.payload_type == payload_type), None)


@dataclass(frozen=True, slots=True)
class Description:
    """A whole offer or answer."""

    sections: tuple[Section, ...]
    bundle: tuple[str, ...] = ()
    """Mids of the BUNDLE group in use; its first live one owns the transport (RFC 8843)."""
    session_id: int = 0
    session_version: int = 0
    ice_lite: bool = False
    ice_options: tuple[str, ...] = ()
    extmap_allow_mixed: bool = False
    """Written at session level; see ``Section`` for the other place."""

    @property
    def transport(self) -> Section | None:
        """The section whose ICE and DTLS attributes count; None when everything is rejected."""
        live = {section.mid: section for section in self.sections if not section.rejected}
        return next((live[mid] for mid in self.bundle if mid in live), next(iter(live.values()), None))

    @property
    def ice_ufrag(self) -> str:
        return self.transport.ice_ufrag if self.transport else ""

    @property
    def ice_pwd(self) -> str:
        return self.transport.ice_pwd if self.transport else ""

    @property
    def fingerprints(self) -> tuple[Fingerprint, ...]:
        return self.transport.fingerprints if self.transport else ()

    @property
    def setup(self) -> str:
        return self.transport.setup if self.transport else ""

    @property
    def data(self) -> Section | None:
        """The live data-channel section."""
        return next((s for s in self.sections if s.kind == "application" and not s.rejected), None)

    def section(self, mid: str) -> Section | None:
        """The section with that mid."""
        return next((section for section in self.sections if section.mid == mid), None)
