"""The engine's stages, told from a sample's stack. Every sample belongs to exactly one."""

import linecache
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from tests.bench.sampler import Frame, Stack

STAGES = (
    "kernel receive",
    "unprotect",
    "ingress",
    "forward",
    "expand",
    "protect",
    "send",
    "RTCP in",
    "RTCP out",
    "ICE and DTLS",
    "timers",
    "event loop",
    "garbage collection",
)
"""In the order of a packet's way; ``expand`` is copies and their encryption, which is one compiled loop, ``protect``
that of anything else; ``event loop`` also what no stage claims.
A collection may begin in any stage."""


class _Rule(NamedTuple):
    """What a frame must be like; empty means any."""

    stage: str
    file: str
    function: str = ""
    line: str = ""


_RULES = tuple(
    _Rule(*texts)
    for texts in (
        ("garbage collection", r"tests/bench/sampler", r"^_note$"),
        ("unprotect", r"sfu/", "", r"\bunprotect"),
        ("RTCP out", r"sfu/", "", r"\bprotect_rtcp"),
        ("RTCP out", r"sfu/net/outbox"),
        ("protect", r"sfu/", "", r"\bprotect\b"),
        ("kernel receive", r"sfu/net/mmsg", r"receive|lengths|arrivals|keys|wait"),
        ("kernel receive", r"sfu/net/udp", r"receive|drain|data|arrivals"),
        ("send", r"sfu/net/mmsg"),
        ("send", r"sfu/net/(egress|tcp)"),
        ("ICE and DTLS", r"sfu/net/(ice|stun|dtls|sctp|dcep|channels|reassembly|framing|tsn)"),
        ("ICE and DTLS", r"sfu/(mux|peer/transport)", r"check|dtls|register|select|taken"),
        ("RTCP in", r"sfu/", r"receive_rtcp|parse_compound|parse_\w+|_reports?|_nack|_keyframe_wanted"),
        ("RTCP in", r"sfu/peer/feedback", r"receive\w*|take\w*|read\w*|_sender_report|_transport_feedback"),
        ("RTCP out", r"sfu/peer/feedback"),
        ("ingress", r"sfu/streams/arrivals", r"^record$"),
        (
            "RTCP out",
            r"sfu/(streams/(acknowledgements|arrivals|nack|feedback|sender_report)|rtp/(twcc|rtcp))",
        ),
        ("RTCP out", r"sfu/mux", r"^send"),
        ("expand", r"sfu/forwarding/(matrix|arena|fan)"),
        ("expand", r"sfu/forwarding", r"expand|finish|_write|_stamp"),
        ("ingress", r"sfu/forwarding/(ingress|bulk|delivery|layout_table|reader|uptrack)"),
        ("forward", r"sfu/forwarding"),
        ("ingress", r"sfu/(codecs|rtp/(header|extensions|sequence)|streams/(receive|liveness|history))"),
        ("ingress", r"sfu/streams/(timeline|speakers)", r"observe|add|note|level|receive|packet"),
        ("timers", r"sfu/(housekeeping|rounds|router|streams|peer|announce)"),
        ("timers", r"sfu/engine", r"keep_house"),
        ("ingress", r"sfu/(tick|intake|mux|net/lookup)"),
        ("event loop", r""),
    )
)

Source = Callable[[str, int], str]


def stage_of(stack: Stack, source: Source = linecache.getline) -> str:
    """The stage of the innermost frame that belongs to one."""
    for frame in stack:
        rule = next(rule for rule in _RULES if _fits(rule, frame, source))
        if rule.stage != "event loop":
            return rule.stage
    return "event loop"


def shares(samples: Mapping[Stack, float]) -> dict[str, float]:
    """Share of the time in each stage, in the order of :data:`STAGES`."""
    times: defaultdict[str, float] = defaultdict(float)
    for stack, seconds in samples.items():
        times[stage_of(stack)] += seconds
    total = sum(times.values()) or 1.0
    return {stage: times[stage] / total for stage in STAGES if times[stage]}


def _fits(rule: _Rule, frame: Frame, source: Source) -> bool:
    return bool(
        re.search(rule.file, frame.file)
        and re.search(rule.function, frame.function)
        and (not rule.line or re.search(rule.line, source(frame.file, frame.line)))
    )
