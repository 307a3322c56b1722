"""The default configuration as a YAML file in which every option is explained."""

import textwrap

from .options import Option, options, section_of

HEADER = """\
# Hubbub's configuration. Every option is here with its default; a file needs only what differs.
#
# An option is set, the stronger way last: by this file, by a variable (HUBBUB_RTC_UDP_PORT for
# rtc.udp_port; LIVEKIT_RTC_UDP_PORT works too), by a flag of `hubbub serve`. Durations are in seconds
# or texts such as 500ms, 30s, 5m and 6h. Files written for LiveKit can be used as they are.

# API keys and their secrets, at least 32 characters each: what signs the tokens of those who join.
# `hubbub keys generate` makes a pair.
# keys:
#   APIxxxxxxxxxxxx: a-secret-of-at-least-32-characters

# A file with lines of `key: secret` instead. Nobody else may be able to read it.
# key_file: /etc/hubbub/keys
"""


def render_default() -> str:
    """The file. Loading it gives the defaults."""
    lines = [HEADER]
    open_sections: list[str] = []
    for option in options().values():
        *sections, name = option.path.split(".")
        if section_of(option.path) != (open_sections[0] if open_sections else ""):
            lines.append("")
        for depth, section in enumerate(sections):
            if open_sections[: depth + 1] != sections[: depth + 1]:
                lines.append("  " * depth + section + ":")
        open_sections = sections
        lines += _lines(option, name, "  " * len(sections))
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def _lines(option: Option, name: str, indent: str) -> list[str]:
    comment = textwrap.wrap(option.doc, 100, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
    if option.default is None:
        return [*comment, f"{indent}# {name}:"]
    return [*comment, f"{indent}{name}: {_value(option.default)}"]


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case tuple():
            return f"[{', '.join(_value(item) for item in value)}]"
        case str():
            return value if value.isalnum() else f'"{value}"'
        case _:
            return str(value)
