"""The ``a=`` lines of one part of a description, by name."""

Attributes = dict[str, list[str]]
"""Values in order of their lines; a flag has the empty value."""


def read_attributes(part: str) -> Attributes:
    """The attributes of a part, whose lines end in bare newlines."""
    found: Attributes = {}
    for line in part.split("\n"):
        name, _, value = line.partition(":")
        if name in found:
            found[name].append(value)
        elif name.startswith("a="):
            found[name] = [value]
    return {name[2:]: values for name, values in found.items()}


def first(attributes: Attributes, name: str) -> str:
    """The first value of that name, the empty string when there is none."""
    return attributes[name][0].strip() if name in attributes else ""


def number(attributes: Attributes, name: str, limit: int) -> int | None:
    """The first value as a number, cut off at the limit; None when absent or not one."""
    text = first(attributes, name)
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        return None
    return min(int(text), limit)
