"""Where values come from: the text of a YAML file and the environment. Both end as values by option path."""

import difflib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from .livekit import IGNORED, MOVED
from .options import KEY_FILE, KEYS, options

Values = dict[str, object]
"""Values by option path, not yet checked."""

ENV_PREFIXES = ("LIVEKIT_", "HUBBUB_")
"""Prefixes of variables, the stronger one last: ``HUBBUB_RTC_UDP_PORT`` is ``rtc.udp_port``."""
ENV_NAMES = {"NODE_IP": "rtc.node_ip", "UDP_PORT": "rtc.udp_port"}
"""Variables of LiveKit's that have no prefix; the weakest."""


@dataclass(slots=True)
class Source:
    """The values of one source, and what there is to say of it."""

    values: Values = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    """Which variable a value came from, by option path."""
    ignored: list[str] = field(default_factory=list)
    """Keys that only LiveKit has."""
    problems: list[str] = field(default_factory=list)


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, which takes no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen and isinstance(key.value, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value} is there twice", key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def from_yaml(text: str) -> Source:
    """Read a configuration file. Null is as good as absent."""
    source = Source()
    try:
        tree = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        source.problems.append(_yaml_problem(error))
        return source
    if tree is None:
        return source
    if not isinstance(tree, dict):
        source.problems.append("the configuration must be YAML with `name: value` lines")
        return source
    _flatten(tree, "", source)
    for old, new in MOVED.items():
        if old in source.values:
            source.values.setdefault(new, source.values.pop(old))
    return source


def from_environment(env: Mapping[str, str]) -> Source:
    """Read the variables that name an option; others are none of our business."""
    source = Source()
    names = list(ENV_NAMES.items())
    for prefix in ENV_PREFIXES:
        names += [(prefix + path.upper().replace(".", "_"), path) for path in (*options(), KEYS, KEY_FILE)]
    for name, path in names:
        text = env.get(name, "")
        # Kubernetes sets <SERVICE>_PORT=tcp://… for a service called hubbub or livekit.
        if not text or text.startswith(("tcp://", "udp://")):
            continue
        source.values[path] = _from_text(path, text)
        source.origins[path] = name
    return source


def _flatten(tree: Mapping[Any, object], prefix: str, source: Source) -> None:
    known = options().keys() | MOVED.keys() | {KEYS, KEY_FILE}
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if path in IGNORED:
            source.ignored.append(path)
        elif value is None and (path in known or _is_section(path, known)):
            continue
        elif path in known:
            source.values[path] = value
        elif not _is_section(path, known):
            source.problems.append(f"{path}: there is no such option{_suggestion(path, known)}")
        elif isinstance(value, dict):
            _flatten(value, path + ".", source)
        else:
            source.problems.append(
                f"{path}: is a section, so its options belong in lines of their own below it"
            )


def _is_section(path: str, known: set[str]) -> bool:
    return any(option.startswith(path + ".") for option in known)


def _suggestion(path: str, known: set[str]) -> str:
    """The likeliest option meant, or the same name in another section."""
    sections = {option.rpartition(".")[0] for option in known}
    candidates = sorted(known | sections)
    near = difflib.get_close_matches(path, candidates, n=1, cutoff=0.75)
    leaf = path.rpartition(".")[2]
    same = [option for option in candidates if option.rpartition(".")[2] == leaf]
    return f"; did you mean {(near or same)[0]}?" if near or same else ""


def _yaml_problem(error: yaml.YAMLError) -> str:
    """One line without the text around it, which may hold a secret."""
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{place}{getattr(error, 'problem', None) or 'this is not YAML'}"


def _from_text(path: str, text: str) -> object:
    """A variable's text as a value of its option's type, or as it is where it can't be one."""
    option = options().get(path)
    kind = option.kind if option else str
    if kind == tuple[str, ...]:
        return [part.strip() for part in text.strip("[]").split(",") if part.strip()]
    readers: dict[Any, Callable[[str], object]] = {bool: _read_flag, int: _read_number, float: _read_number}
    return readers.get(kind, str)(text)


def _read_flag(text: str) -> object:
    words = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    return words.get(text.strip().lower(), text)


def _read_number(text: str) -> object:
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
