"""Packages from npm that tests need, as their lock files say."""

import fcntl
import subprocess
from pathlib import Path

from hubbub.web.build import find_node


def install(folder: Path) -> None:
    """Fetch what a folder's lock file names, unless that is done. Raises CalledProcessError or BuildError."""
    lock, installed = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    with lock.open() as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # other workers want it too
        if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
            return
        _, npm, environment = find_node()
        command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=folder, env=environment, check=True)
