"""What a figure depends on besides the code: the machine, the libraries, and which code it was."""

import os
import platform
import re
import socket
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy
import pylibsrtp

from sfu.net import mmsg

ROOT = Path(__file__).resolve().parents[2]
_VERSIONS = {"libsrtp": rb"libsrtp2? (\d+\.\d+\.\d+)", "openssl": rb"OpenSSL (\d+\.\d+\.\d+)"}


def machine() -> dict[str, Any]:
    """The machine and its libraries."""
    models = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        gso = mmsg.supported() and mmsg.gso_supported(probe)
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        **_srtp_versions(),
        "gso": gso,
    }


def origin() -> dict[str, Any]:
    """The code that was measured, and when."""
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "changed": bool(_git("status", "--porcelain", "--untracked-files=no")),
    }


def _srtp_versions() -> dict[str, str]:
    """libsrtp and OpenSSL as they are built into pylibsrtp; they say so nowhere else."""
    binary = b"".join(path.read_bytes() for path in Path(pylibsrtp.__file__).parent.glob("_binding*"))
    found = {name: re.search(pattern, binary) for name, pattern in _VERSIONS.items()}
    return {name: match[1].decode() if match else "unknown" for name, match in found.items()}


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(("git", *arguments), cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
