"""What processes cost, from Linux's /proc: the server's CPU time and memory, and drops in our own sockets."""

import os
import resource
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from hubbub.load.errors import LoadError

_PROC = Path("/proc")
_UTIME = 11
"""Index of utime among the fields of ``stat`` that follow the command's closing parenthesis."""


class Usage(NamedTuple):
    """Use of one or more processes."""

    cpu_s: float
    """User and system time since they started."""
    memory_bytes: int
    """Proportional set size, or resident size where that can't be read."""


def usage(pids: Iterable[int]) -> Usage:
    """Add up processes and all their descendants. Raises LoadError for a process that isn't there."""
    everybody: set[int] = set()
    for pid in pids:
        if not _read(_PROC / str(pid) / "stat"):
            raise LoadError(f"there is no process {pid}: --server-pid must name a server that runs here")
        everybody |= _family(pid)
    samples = [sample for pid in sorted(everybody) if (sample := _one(pid))]
    return Usage(sum(one.cpu_s for one in samples), sum(one.memory_bytes for one in samples))


def allow_open_files() -> None:
    """Raise this process's limit of open files as far as it may; a participant takes two or three."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def own_cpu_s() -> float:
    """CPU time of this process."""
    times = os.times()
    return times.user + times.system


def socket_drops(inodes: Collection[int]) -> int:
    """Datagrams that the kernel dropped because these sockets' buffers were full."""
    return sum(
        drops
        for name in ("udp", "udp6")
        for inode, drops in parse_udp_table(_read(_PROC / "net" / name))
        if inode in inodes
    )


def parse_udp_table(text: str) -> list[tuple[int, int]]:
    """Inode and drops of each socket in the text of ``/proc/net/udp``."""
    rows = [line.split() for line in text.splitlines()[1:]]
    return [(int(row[9]), int(row[12])) for row in rows if len(row) >= 13]


def parse_stat(text: str) -> int:
    """User and system time in the text of ``/proc/PID/stat``, in clock ticks."""
    fields = text.rpartition(")")[2].split()
    return int(fields[_UTIME]) + int(fields[_UTIME + 1])


def parse_pss(text: str) -> int | None:
    """Proportional set size in the text of ``smaps_rollup``, in bytes."""
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return None


def _one(pid: int) -> Usage | None:
    """One process; None when it is gone."""
    folder = _PROC / str(pid)
    stat, statm = _read(folder / "stat"), _read(folder / "statm")
    if not stat or not statm:
        return None
    memory = parse_pss(_read(folder / "smaps_rollup"))
    if memory is None:
        memory = int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return Usage(parse_stat(stat) / os.sysconf("SC_CLK_TCK"), memory)


def _family(pid: int) -> set[int]:
    found, queue = {pid}, [pid]
    while queue:
        for task in (_PROC / str(queue.pop()) / "task").glob("*/children"):
            children = {int(child) for child in _read(task).split()} - found
            found |= children
            queue += children
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
