"""The tree that the checks look at: our own files, without what was installed, built or cached."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("auth", "hubbub", "media", "rooms", "sfu", "signaling")
_NOT_OURS = frozenset({"__pycache__", "node_modules", "static", "dist", "build"})
_HIDDEN_BUT_OURS = frozenset({".ci", ".github"})


def files(suffix: str = "", under: Path = ROOT) -> Iterator[Path]:
    """Files whose name ends in ``suffix``, paths absolute and in order."""
    for path in sorted(under.iterdir()):
        name = path.name
        if path.is_dir():
            if name not in _NOT_OURS and (not name.startswith(".") or name in _HIDDEN_BUT_OURS):
                yield from files(suffix, path)
        elif name.endswith(suffix) and not name.startswith(".git"):
            yield path


def modules() -> Iterator[Path]:
    """The product's modules."""
    for package in PACKAGES:
        yield from files(".py", ROOT / package)


def relative(path: Path) -> str:
    """How a file is named in messages and lists."""
    return path.relative_to(ROOT).as_posix()


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ""
