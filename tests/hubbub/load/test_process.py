"""Reading of /proc."""

import os
import subprocess
import sys

import pytest

from hubbub.load import process
from hubbub.load.errors import LoadError

UDP = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  123: 0100007F:1ECA 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 52077 2 0000 17
  124: 0100007F:1ECB 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 52078 2 0000 0
  truncated
"""


def test_drops_of_sockets() -> None:
    assert process.parse_udp_table(UDP) == [(52077, 17), (52078, 0)]
    assert process.parse_udp_table("") == []


def test_cpu_time_of_a_process_with_an_awkward_name() -> None:
    assert process.parse_stat("7 (a) b (c)) S 1 7 7 0 -1 4194560 1 2 3 4 500 25 6 7 20 0") == 525


def test_proportional_memory() -> None:
    assert (
        process.parse_pss("5570 - 7fff ---p 00 00:00 0 [rollup]\nRss: 9 kB\nPss:   1234 kB\n") == 1234 * 1024
    )
    assert process.parse_pss("") is None


def test_this_process_uses_cpu_and_memory() -> None:
    usage = process.usage([os.getpid(), os.getpid()])
    assert usage.cpu_s > 0
    assert usage.memory_bytes > 1 << 20


def test_children_count() -> None:
    # In a process of their own: the test run's other children come and go.
    child = "x = bytearray(64 << 20); print(flush=True); input()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as family:
        assert family.stdout is not None
        family.stdout.readline()
        together = process.usage([family.pid])
        family.communicate(b"\n")
    assert together.memory_bytes > 64 << 20


def test_a_process_that_is_not_there() -> None:
    with pytest.raises(LoadError, match="no process 4194305"):
        process.usage([4_194_305])
