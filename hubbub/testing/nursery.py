"""Starts servers quickly: imports Hubbub once, then forks a process for each server that it is asked for.

Run as ``python -P -m hubbub.testing.nursery``. It reads one JSON object a line on standard input and answers each
with one on standard output:

``{"options": {path: value}, "log": file, "ready": file}``
    Start a server with these options of the configuration. Answer: ``{"pid": …}``. Once it serves, its ports are in
    the file ``ready`` as JSON; what it logs and prints is in ``log``.
``{"status": pid}``
    How a server has ended. Answer: ``{"status": null}`` while it runs, else its exit status, negative for a signal.

At the end of its input it kills what is left and ends.
"""

import gc
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hubbub.config import configure
from hubbub.errors import HubbubError
from hubbub.logging import set_up_logging
from hubbub.packages import check_packages
from hubbub.server import Server, run


class Nursery:
    """The servers started so far."""

    def __init__(self) -> None:
        self._alive: set[int] = set()
        self._ended: dict[int, int] = {}

    def answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Carry out one request."""
        if "status" in request:
            return {"status": self._status(request["status"])}
        pid = os.fork()
        if not pid:
            os._exit(_serve(request))
        self._alive.add(pid)
        return {"pid": pid}

    def end(self) -> None:
        """Kill what still runs: whoever asked for it is gone."""
        for pid in self._alive:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _status(self, pid: int) -> int | None:
        if pid in self._alive:
            done, status = os.waitpid(pid, os.WNOHANG)
            if not done:
                return None
            self._alive.remove(pid)
            self._ended[pid] = os.waitstatus_to_exitcode(status)
        return self._ended.get(pid)


def _serve(request: Mapping[str, Any]) -> int:
    """Be a server; returns the exit status."""
    nowhere = os.open(os.devnull, os.O_RDONLY)
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nowhere, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    ready = Path(request["ready"])

    def tell(server: Server) -> None:
        part = ready.with_suffix(".part")
        part.write_text(json.dumps({"port": server.port, "udp_port": server.udp_port}))
        part.rename(ready)

    try:
        config = configure(request["options"])
        set_up_logging(config.logging)
        run(config, on_ready=tell)
    except HubbubError as error:
        sys.stderr.write(f"hubbub: {error}\n")
        return error.exit_code
    except BaseException:  # noqa: BLE001 - the child must not go on as the nursery
        sys.excepthook(*sys.exc_info())
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def main() -> None:
    """Serve requests until the input ends."""
    check_packages()
    gc.collect()
    gc.freeze()  # so that the collector of a child leaves the shared pages alone
    nursery = Nursery()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(nursery.answer(json.loads(line))) + "\n")
        sys.stdout.flush()
    nursery.end()


if __name__ == "__main__":
    main()
