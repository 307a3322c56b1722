"""Machine code doesn't check indices; what runs it is tested once more with code that does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RUN = (
    "tests/sfu/compiled",
    "tests/sfu/forwarding/test_backlog.py",
    "tests/sfu/forwarding/test_forwarder.py",
    "tests/sfu/forwarding/test_matrix.py",
    "tests/sfu/net/test_egress.py",
    "tests/sfu/net/test_lookup.py",
    "tests/sfu/net/test_outbox.py",
    "tests/sfu/net/test_places.py",
    "tests/sfu/net/test_srtp_table.py",
    "tests/sfu/streams/test_acknowledgements.py",
    "tests/sfu/test_engine_sockets.py",
    "tests/sfu/test_intake.py",
    "tests/sfu/test_tick.py",
)


@pytest.mark.takes_minutes
@pytest.mark.timeout(400)
def test_no_index_is_out_of_bounds():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *RUN, "--ignore", __file__]
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
