"""Files are short, packages are declared, links lead somewhere, and nothing names the place where this was made."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGES, ROOT, docstring, files, modules, relative

LONG = 400
"""Lines beyond which a module says in its docstring why it is longer."""
TOO_LONG = 800

_REGISTRIES = ("pypi", "pythonhosted", "npmjs", "crates", "yarnpkg", "nexus", "artifactory", "jfrog")
_LEAKS = re.compile(
    "/" + "work/|" + r"\b" + "shared" + "/|(?:" + "|".join(_REGISTRIES) + r")\.(?:org|com|io|net|dev)\b"
)
_PUBLIC = ("/shared/", "https://pypi.org/project/")
"""What is fine though it looks alike: a folder of a page's sources, and a link for readers."""
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
_BINARY = (".png", ".ico", ".bin", ".woff2", ".jpg")


@pytest.mark.parametrize("module", [pytest.param(m, id=relative(m)) for m in modules()])
def test_a_long_module_says_why(module: Path) -> None:
    lines = module.read_text().count("\n")
    assert lines <= LONG or "onger than most files" in docstring(module)


def test_no_file_is_too_long() -> None:
    assert [relative(path) for path in files(".py") if path.read_text().count("\n") > TOO_LONG] == []


@pytest.mark.parametrize("module", [pytest.param(m, id=relative(m)) for m in modules()])
def test_a_module_says_what_it_is(module: Path) -> None:
    assert docstring(module) or not module.read_text().strip()


def test_every_package_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = {path.parent.relative_to(ROOT).parts[0] for path in ROOT.glob("*/__init__.py")}
    assert found == set(PACKAGES)
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == found
    assert set(project["tool"]["mypy"]["packages"]) == found
    assert set(project["tool"]["importlinter"]["root_packages"]) == found


def test_every_folder_of_modules_is_a_package() -> None:
    """Without it, installation would leave the folder out."""
    folders = {module.parent for module in modules()}
    assert [relative(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("document", [pytest.param(d, id=relative(d)) for d in files(".md")])
def test_links_lead_somewhere(document: Path) -> None:
    targets = [target for target in _LINK.findall(document.read_text()) if "://" not in target]
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", [pytest.param(d, id=relative(d)) for d in (ROOT / "docs").glob("*.md")])
def test_files_that_documents_name_exist(document: Path) -> None:
    """Such as `sfu/tick.py`; a name without its folder or suffix is left alone."""
    named = re.findall(r"`((?:auth|hubbub|rooms|sfu|signaling|tests)/[\w/]+\.py)`", document.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_nothing_leaks() -> None:
    found = []
    for path in files():
        if path.suffix in _BINARY or path == Path(__file__).resolve():
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            for allowed in _PUBLIC:
                line = line.replace(allowed, "")
            if _LEAKS.search(line):
                found.append(f"{relative(path)}:{number}: {line.strip()[:100]}")
    assert found == []


@pytest.mark.parametrize(
    "line",
    ["see /" + "work/tmp", "in " + "shared/" + "design.md", "resolved https://registry." + "npmjs.org/x"],
)
def test_leaks_are_noticed(line: str) -> None:
    assert _LEAKS.search(line)
