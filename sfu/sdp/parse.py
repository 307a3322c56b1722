"""Read SDP text that a client sent.

Attributes of a section are collected by name in one pass, and each distinct codec block is
read once per description: in a room with many subscriptions most sections differ in little but their mid. Words
that every client writes (URIs, formats) are interned, because sections live as long as their transport. A
:class:`Parser` kept per transport also reuses sections whose text didn't change since the last description.
Candidates are not read: an ICE-lite server learns addresses from checks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from sys import intern
from typing import cast

from sfu.sdp.attributes import Attributes, first, number, read_attributes
from sfu.sdp.codec_lines import MAX_FORMATS, read_codecs
from sfu.sdp.description import Codec, Description, Direction, Section
from sfu.sdp.errors import SdpError
from sfu.sdp.stream_lines import read_msid, read_rids, read_ssrcs
from sfu.sdp.transport_lines import TransportLines, read_transport

MAX_BYTES = 2 * 1024 * 1024
"""As much as one signalling message may hold; a Chromium section with every codec takes 9 KiB."""
MAX_LINES = 60_000
MAX_LINE = 8192
"""Characters; the longest legal line is a BUNDLE group of ``MAX_SECTIONS`` mids."""
MAX_SECTIONS = 1024
MAX_MID = 16
"""What a one-byte header extension can carry (RFC 8285)."""
MAX_EXTENSIONS = 64

_NOT_A_LINE = re.compile(r"\n(?![a-z]=|\n)")
_MEDIA = re.compile(r"(\S+) +(\d{1,5})(?:/\d+)? +(\S+) +(\S.*)")
_ORIGIN = re.compile(r"^o=\S+ +(\d{1,20}) +(\d{1,20})(?: |$)", re.MULTILINE)
_TOKEN = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]{1,64}")
_EXTMAP = re.compile(r"(\d{1,5})(/\w+)? +(\S+)")

_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_MEDIA_PROTOCOLS = ("UDP/TLS/RTP/SAVPF", "TCP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "RTP/SAVP")
_DATA_PROTOCOLS = ("UDP/DTLS/SCTP", "TCP/DTLS/SCTP")


@dataclass(frozen=True, slots=True)
class _Inherited:
    """Session-level attributes that sections fall back on; part of a cached section's key."""

    transport: TransportLines
    direction: Direction
    extensions: tuple[tuple[int, str], ...]
    extmap_allow_mixed: bool


_NOTHING = _Inherited(TransportLines(), "sendrecv", (), False)

_SectionKey = tuple[_Inherited, bytes]
"""A section's text as a digest: the texts of a big room's offers would add up."""

_CodecKey = tuple[str, str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]


class Parser:
    """Parses the descriptions of one transport one after the other, reusing sections that stayed the same."""

    __slots__ = ("_sections",)

    def __init__(self) -> None:
        self._sections: dict[_SectionKey, Section] = {}

    def parse(self, text: str) -> Description:
        """The description in ``text``. Raises SdpError and keeps the old state when it can't be used."""
        head, parts = _split(_clean(text))
        attributes = read_attributes(head)
        inherited = _inherit(attributes)
        codecs: dict[_CodecKey, tuple[Codec, ...]] = {}
        seen: dict[_SectionKey, Section] = {}
        sections = []
        for part in parts:
            key = (inherited, blake2b(part.encode(), digest_size=16).digest())
            section = self._sections.get(key) or _section(part, inherited, codecs)
            seen[key] = section
            sections.append(section)
        description = _assemble(head, attributes, sections)
        self._sections = seen
        return description


def parse(text: str) -> Description:
    """The description in ``text`` (CRLF or LF lines). Raises SdpError."""
    return Parser().parse(text)


def _clean(text: str) -> str:
    """Check limits and characters; return the text with bare newlines."""
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError as error:
        raise SdpError("not valid Unicode") from error
    if size > MAX_BYTES:
        raise SdpError(f"over {MAX_BYTES} bytes")
    text = text.replace("\r\n", "\n").replace("\t", " ").rstrip("\n")
    lines = text.split("\n")
    if len(lines) > MAX_LINES or max(map(len, lines)) > MAX_LINE:
        raise SdpError(f"over {MAX_LINES} lines, or {MAX_LINE} characters in one")
    if not text.replace("\n", "").isprintable():
        raise SdpError("control character")
    if not text.startswith("v=0\n") or _NOT_A_LINE.search(text):
        raise SdpError("not a session description")
    return text


def _split(text: str) -> tuple[str, list[str]]:
    """Session part, and the media parts without their ``m=``."""
    if text.count("\nm=") > MAX_SECTIONS:
        raise SdpError(f"over {MAX_SECTIONS} sections")
    head, *parts = text.split("\nm=")
    return head, parts


def _assemble(head: str, attributes: Attributes, sections: list[Section]) -> Description:
    mids = {section.mid for section in sections}
    if len(mids) < len(sections):
        raise SdpError("a mid is used twice")
    bundle = _bundle(attributes, mids)
    origin = _ORIGIN.search(head)
    description = Description(
        sections=_reject_unusable(sections, bundle),
        bundle=bundle,
        session_id=int(origin[1]) if origin else 0,
        session_version=int(origin[2]) if origin else 0,
        ice_lite="ice-lite" in attributes,
        ice_options=tuple(first(attributes, "ice-options").split()),
        extmap_allow_mixed="extmap-allow-mixed" in attributes,
    )
    transport = description.transport
    if transport and not (transport.ice_ufrag and transport.ice_pwd and transport.fingerprints):
        raise SdpError("no ICE credentials or no usable fingerprint")
    return description


def _bundle(attributes: Attributes, mids: set[str]) -> tuple[str, ...]:
    """The first BUNDLE group, without mids that don't exist."""
    for group in attributes.get("group", ()):
        semantics, *members = group.split() or [""]
        if semantics == "BUNDLE":
            return tuple(dict.fromkeys(mid for mid in members if mid in mids))
    return ()


def _reject_unusable(sections: list[Section], bundle: tuple[str, ...]) -> tuple[Section, ...]:
    """Mark sections outside the transport: not bundled with its owner, or data a second time."""
    live = dict.fromkeys(section.mid for section in sections if not section.rejected)
    carried = {mid for mid in bundle if mid in live} or set(list(live)[:1])
    data = [section.mid for section in sections if section.kind == "application" and section.mid in carried]
    carried -= set(data[1:])
    return tuple(s if s.rejected or s.mid in carried else replace(s, rejected=True) for s in sections)


def _inherit(attributes: Attributes) -> _Inherited:
    return _Inherited(
        transport=read_transport(attributes, _NOTHING.transport),
        direction=_direction(attributes, _NOTHING),
        extensions=tuple(_extensions(attributes, ()).items()),
        extmap_allow_mixed="extmap-allow-mixed" in attributes,
    )


def _section(part: str, inherited: _Inherited, codecs: dict[_CodecKey, tuple[Codec, ...]]) -> Section:
    line = part.partition("\n")[0]
    media = _MEDIA.fullmatch(line.strip())
    if not media:
        raise SdpError(f"unreadable m-line: {line[:80]}")
    kind, port, protocol = intern(media[1].lower()), int(media[2]), intern(media[3].upper())
    formats = tuple(map(intern, media[4].split()))
    if not _TOKEN.fullmatch(kind):
        raise SdpError("unreadable media kind")
    if port > 65535 or len(formats) > MAX_FORMATS:
        raise SdpError("m-line over its limits")
    attributes = read_attributes(part)
    transport = read_transport(attributes, inherited.transport)
    streams = read_ssrcs(attributes)
    rids, simulcast_send = read_rids(attributes)
    max_message_size = number(attributes, "max-message-size", 2**63)
    section = Section(
        kind=kind,
        mid=_mid(attributes),
        port=port,
        protocol=protocol,
        formats=formats,
        direction=_direction(attributes, inherited),
        codecs=_codecs(kind, formats, attributes, codecs),
        extensions=_extensions(attributes, inherited.extensions),
        extmap_allow_mixed=inherited.extmap_allow_mixed or "extmap-allow-mixed" in attributes,
        rids=rids,
        simulcast_send=simulcast_send,
        ssrcs=streams.ssrcs,
        rtx_ssrcs=streams.rtx_ssrcs,
        sim_group=streams.sim_group,
        msid=read_msid(attributes),
        ice_ufrag=transport.ice_ufrag,
        ice_pwd=transport.ice_pwd,
        fingerprints=transport.fingerprints,
        setup=transport.setup,
        rtcp_mux="rtcp-mux" in attributes,
        rtcp_rsize="rtcp-rsize" in attributes,
        bundle_only="bundle-only" in attributes,
        sctp_port=number(attributes, "sctp-port", 65535),
        max_message_size=65536 if max_message_size is None else max_message_size,
        ptime_ms=number(attributes, "ptime", 10_000),
        max_ptime_ms=number(attributes, "maxptime", 10_000),
    )
    return section if _usable(section) else replace(section, rejected=True)


def _usable(section: Section) -> bool:
    """Whether the client wants this section and we could carry it, the bundle aside."""
    if section.port == 0 and not section.bundle_only:
        return False
    if section.kind == "application":
        return section.protocol in _DATA_PROTOCOLS and bool(section.sctp_port)
    return section.is_media and section.protocol in _MEDIA_PROTOCOLS and section.rtcp_mux


def _codecs(
    kind: str, formats: tuple[str, ...], attributes: Attributes, known: dict[_CodecKey, tuple[Codec, ...]]
) -> tuple[Codec, ...]:
    if kind not in ("audio", "video"):
        return ()
    maps, fmtps, feedback = (tuple(attributes.get(name, ())) for name in ("rtpmap", "fmtp", "rtcp-fb"))
    key = (kind, " ".join(formats), maps, fmtps, feedback)
    if key not in known:
        known[key] = read_codecs(kind, formats, maps, fmtps, feedback)
    return known[key]


def _mid(attributes: Attributes) -> str:
    mid = first(attributes, "mid")
    if not _TOKEN.fullmatch(mid) or len(mid) > MAX_MID:
        raise SdpError("section without a usable mid")
    return mid


def _direction(attributes: Attributes, inherited: _Inherited) -> Direction:
    for name in _DIRECTIONS:
        if name in attributes:
            return cast(Direction, name)
    return inherited.direction


def _extensions(attributes: Attributes, inherited: Sequence[tuple[int, str]]) -> dict[int, str]:
    """URIs by id. Ids that no header can carry, or taken already, are skipped, and URIs seen before."""
    lines = attributes.get("extmap", ())
    if len(lines) > MAX_EXTENSIONS:
        raise SdpError("too many header extensions")
    found = dict(inherited)
    taken = set(found.values())
    for line in lines:
        match = _EXTMAP.match(line)
        if not match or match[2] == "/inactive":
            continue
        extension_id, uri = int(match[1]), intern(match[3])
        if 0 < extension_id < 256 and extension_id != 15 and extension_id not in found and uri not in taken:
            found[extension_id] = uri
            taken.add(uri)
    return found
