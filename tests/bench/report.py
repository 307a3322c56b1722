"""Tables of a result in Markdown: ``python -m tests.bench.report RESULT.json [--before OLDER.json] [--into PAGE]``."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.results import complaints
from tests.bench.stages import STAGES
from tests.bench.targets import TARGETS, Target

_MARKS = {True: "✓", False: "✗", None: "–"}
_NONE = "–"
_SERVERS = ("hubbub", "livekit")
BEGIN, END = "<!-- report: begin -->", "<!-- report: end -->"

Document = Mapping[str, Any]


def main() -> int:
    """Print all tables of a result."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.report", description=__doc__)
    parser.add_argument("result", type=Path)
    parser.add_argument("--before", type=Path, help="an older result, to put stages side by side")
    parser.add_argument("--into", type=Path, help=f"write between {BEGIN} and {END} of this file")
    arguments = parser.parse_args()
    before = json.loads(arguments.before.read_text()) if arguments.before else None
    tables = text(json.loads(arguments.result.read_text()), before)
    if arguments.into:
        arguments.into.write_text(inserted(arguments.into.read_text(), tables))
    else:
        print(tables)
    return 0


def inserted(page: str, tables: str) -> str:
    """A page with the tables between its marks. Raises ValueError if it has none."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no {BEGIN} … {END}")
    return f"{head}{begin}\n\n{tables}\n\n{end}{tail}"


def text(document: Document, before: Document | None = None) -> str:
    """Everything that a result says."""
    parts = [head(document), targets(document), loads(document), delays(document), garbage(document)]
    others = {
        "memory": memory,
        "fairness": fairness,
        "broadcast": broadcast,
        "overload": overload,
        "api": api,
        "beside": beside,
    }
    parts += [part(document[name]) for name, part in others.items() if document.get(name)]
    parts.append(stages(document, before))
    parts += ["\n".join(f"- {line}" for line in complaints(document))]
    return "\n\n".join(part for part in parts if part)


def head(document: Document) -> str:
    """The machine and the code."""
    machine = document["machine"]
    changed = " with changes" if document["changed"] else ""
    return (
        f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, Python {machine['python']}, "
        f"numpy {machine['numpy']}, libsrtp {machine['libsrtp']}, OpenSSL {machine['openssl']}, "
        f"UDP GSO {'on' if machine['gso'] and document['options'].get('gso', True) else 'off'}; "
        f"commit {document['commit'][:12]}{changed}, {document['made_at'][:10]}"
        + ("; short slices" if document["options"].get("quick") else "")
    )


def targets(document: Document) -> str:
    """Every target with what was measured."""
    rows = [
        (target.title, _value(target, target.measured(document)), _goal(target), _MARKS[target.met(document)])
        for target in TARGETS
    ]
    return markdown(("", "measured", "target", ""), rows)


def loads(document: Document) -> str:
    """Saturation of each load."""
    heads = (
        "load",
        "packets/s/core",
        "µs",
        "floor µs",
        "of floor",
        "media alone µs",
        "user",
        "busy",
        "others",
        "per call",
        "per message",
        "lost",
    )
    rows = [
        (
            load["title"],
            f"{load['packets_per_core_s']:,}",
            f"{load['packet_us']:.2f}",
            _or_none(load["floor_us"], "{:.2f}"),
            _or_none(load["ratio_to_floor"], "{:.0%}"),
            f"{load['media_only_us']:.2f}",
            f"{load['user_share']:.0%}",
            f"{load['busy']:.0%}",
            f"{load['others']:.0%}",
            f"{load['per_call']:.0f}",
            f"{load['per_message']:.1f}",
            f"{load['lost']}",
        )
        for load in document["loads"].values()
    ]
    return markdown(heads, rows)


def delays(document: Document) -> str:
    """From a packet's arrival to its last copy's send."""
    measured = {
        f"{load['title']}, 70 %": (load["delays"], _burst_ms(load))
        for load in document["loads"].values()
        if load["delays"]
    }
    if "two_people" in document:
        measured["two people, real time"] = (document["two_people"], None)
    rows = [
        (
            title,
            f"{one['p50_ms']:.2f}",
            f"{one['p99_ms']:.2f}",
            f"{one['max_ms']:.1f}",
            _or_none(burst_ms, "{:.2f}"),
            f"{one['busy']:.0%}",
            f"{one['packets']:,}",
            f"{one['lost']}",
        )
        for title, (one, burst_ms) in measured.items()
    ]
    heads = ("delay", "p50 ms", "p99 ms", "max ms", "largest burst at floor ms", "busy", "packets", "lost")
    return markdown(heads, rows) if rows else ""


def garbage(document: Document) -> str:
    """Garbage collections at saturation."""
    rows = [
        (
            load["title"],
            f"{one['longest_ms']:.1f}",
            f"{one['total_ms']:.0f}",
            f"{one['share']:.1%}",
            " / ".join(map(str, one["collections"])),
            f"{one['collected']:,}",
        )
        for load in document["loads"].values()
        for one in (load["garbage"],)
    ]
    heads = (
        "garbage collection",
        "longest ms",
        "total ms",
        "of CPU time",
        "generations 0 / 1 / 2",
        "collected",
    )
    return markdown(heads, rows) if rows else ""


def memory(one: Document) -> str:
    return (
        f"Memory: {one['idle'] / 1000:.0f} kB for each idle subscriber connection, "
        f"{one['subscribed'] / 1000:.0f} kB with ten subscriptions (RSS growth over {one['connections']})."
    )


def fairness(one: Document) -> str:
    beside, alone = one["beside"], one["alone"]
    return (
        f"Two people beside a camera to 500: p50 {beside['p50_ms']:.2f}, p99 {beside['p99_ms']:.2f}, "
        f"max {beside['max_ms']:.1f} ms; alone {alone['p50_ms']:.2f}, {alone['p99_ms']:.2f}, "
        f"{alone['max_ms']:.1f} ms. Added: p99 {one['added_p99_ms']:.2f}, max {one['added_max_ms']:.1f} ms."
    )


def broadcast(one: Document) -> str:
    carried = "carried as it happens" if one["wall"] <= 1 else "media time was stretched by as much"
    return (
        f"1 camera to 3,000, CPU seconds for a second of {one['packets_per_s']:,.0f} copies: engine "
        f"{one['engine']:.2f} (user {one['engine_user']:.2f}, kernel {one['engine_kernel']:.2f}), generator and "
        f"sinks {one['generator']:.2f}. It took {one['wall']:.2f} s of wall time ({carried}); "
        f"{one['lost']} copies lost."
    )


def overload(one: Document) -> str:
    counted = ", ".join(f"{name} {count:,}" for name, count in one["counted"].items()) or "none"
    return (
        f"Overload of {one['offered']:.1f} times saturation: video {one['video_lost']:.1%} and audio "
        f"{one['audio_lost']:.1%} not delivered; {one['drops']:,} datagrams dropped before the engine, dropped "
        f"by it: {counted}. At most {one['waiting_bytes'] / 1e6:.1f} MB of {one['limit_bytes'] / 1e6:.1f} waited "
        f"in its socket; memory grew by {one['rss_growth_bytes'] / 1e6:.1f} MB. Longest delay "
        f"{one['delay_ms']:.0f} ms, audio p99 {one['audio_p99_ms']:.0f} ms. What came was in time again after "
        f"{one['recovery_s']:.2f} s; all came again after {one['whole_again_s']:.2f} s, "
        f"{one['lost_at_last']:.2%} lost in the last second."
    )


def api(one: Document) -> str:
    rows = [
        ("token check", f"{one['token_check_us']:.0f} µs"),
        ("CreateRoom", f"{one['create_room_us']:.0f} µs"),
        ("ListRooms, 1,000", f"{one['list_rooms_ms']:.1f} ms, JSON {one['list_rooms_json_ms']:.1f} ms"),
        (
            "ListParticipants, 1,000",
            f"{one['list_participants_ms']:.1f} ms, JSON {one['list_participants_json_ms']:.1f} ms",
        ),
        ("longest stall by these lists", f"{one['lists_stall_ms']:.1f} ms"),
        (
            "webhooks to disk",
            f"{one['webhooks_per_s']:,.0f}/s, longest stall {one['webhooks_stall_ms']:.1f} ms",
        ),
    ]
    return markdown(("server API", "CPU time, HTTP included"), rows) + (
        f"\n\n{one['calls_per_s']:.0f} API calls/s beside a room of {one['subscribers']} subscribers: media waited "
        f"at most {one['media_waited_ms']:.1f} ms for other work, without calls {one['media_waited_alone_ms']:.1f} ms. "
        f"With the work of media itself, the longest stall was "
        f"{one['stall_ms']:.1f} ms (CPU {one['stall_busy_ms']:.1f} ms; {one['stalls_over_5_ms']} over 5 ms), without "
        f"calls {one['stall_alone_ms']:.1f} ms (CPU {one['stall_alone_busy_ms']:.1f} ms). Longest gap in sound "
        f"{one['gap_ms']:.0f} ms, without calls {one['gap_alone_ms']:.0f} ms. Server {one['server_cpu']:.0%} of its "
        f"core, without calls {one['server_cpu_alone']:.0%}; callers waited {one['calls_p99_ms']:.0f} ms at p99; "
        f"{one['lost']} packets lost."
    )


def beside(one: Document) -> str:
    """What two servers send per CPU-second under the same loads, and what a sceptic asks next."""
    rows = [
        (
            load["title"],
            *(f"{load[server]['packets_per_cpu_s']:,.0f}" for server in _SERVERS),
            f"{load['ratio']:.2f}",
            *(f"{load[server]['packets_per_s']:,.0f}" for server in _SERVERS),
            *(f"{load[server]['loss_percent']:.3f}" for server in _SERVERS),
            *(f"{1000 * load[server]['join_median_s']:.0f}" for server in _SERVERS),
        )
        for load in one["loads"].values()
    ]
    heads = (
        "packets per CPU-second",
        "Hubbub",
        "LiveKit",
        "ratio",
        *(f"{who}: {what}" for what in ("received/s", "% lost", "join ms") for who in ("H", "L")),
    )
    notes = [
        f"- {load['title']}, {name}: {note}"
        for load in one["loads"].values()
        for name, server in zip(("Hubbub", "LiveKit"), _SERVERS, strict=True)
        for note in load[server]["notes"]
    ]
    return "\n".join([markdown(heads, rows), *([""] if notes else []), *notes])


def stages(document: Document, before: Document | None = None) -> str:
    """Where each microsecond goes, a column for each load; with an older result, before and after."""
    measured = {name: load for name, load in document["loads"].items() if load["profile"]}
    if not measured:
        return ""
    rows = [
        (stage, *(_stage(load, stage, _older(before, name)) for name, load in measured.items()))
        for stage in STAGES
    ]
    rows.append(("all", *(_all(load, _older(before, name)) for name, load in measured.items())))
    heads = ("µs per packet" + (", before → after" if before else ""), *measured)
    return markdown(heads, [row for row in rows if any(cell != _NONE for cell in row[1:])])


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose source can be read, too."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join(padded)} |"

    rule = "|".join(
        "-" * (width + 2) if n == 0 else "-" * (width + 1) + ":" for n, width in enumerate(widths)
    )
    return "\n".join((line(heads), f"|{rule}|", *map(line, rows)))


def _value(target: Target, value: float | None) -> str:
    if value is None:
        return _NONE
    match target.unit:
        case "%":
            return f"{value:.0%}"
        case "/s":
            return f"{value:,.0f}/s"
        case "kB":
            return f"{value / 1000:.0f} kB"
        case unit:
            return f"{value:.2f} {unit}"


def _goal(target: Target) -> str:
    return ("≤ " if target.at_most else "≥ ") + _value(target, target.goal).replace(".00", "")


def _or_none(value: float | None, form: str) -> str:
    return _NONE if value is None else form.format(value)


def _burst_ms(load: Mapping[str, Any]) -> float | None:
    floor_us = load["floor_us"]
    return None if floor_us is None else load["largest_burst"] * floor_us / 1000


def _older(before: Document | None, name: str) -> Mapping[str, Any] | None:
    load = before["loads"].get(name) if before else None
    return load["profile"] if load else None


def _stage(load: Mapping[str, Any], stage: str, older: Mapping[str, Any] | None) -> str:
    now = load["profile"]["stages_us"].get(stage)
    then = older["stages_us"].get(stage) if older else None
    return _pair(then, now, older is not None)


def _all(load: Mapping[str, Any], older: Mapping[str, Any] | None) -> str:
    return _pair(older["packet_us"] if older else None, load["profile"]["packet_us"], older is not None)


def _pair(then: float | None, now: float | None, both: bool) -> str:
    if then is None and now is None:
        return _NONE
    right = f"{now or 0:.2f}"
    return f"{then or 0:.2f} → {right}" if both else right


if __name__ == "__main__":
    sys.exit(main())
