"""What all measurements have in common: the engine's configuration, and how they tell what they are doing."""

import sys
import time

from sfu.config import MediaConfig
from tests.bench.scene import Progress

_FOREVER_S = 1e6


def media_config(*, gso: bool = True, batch: bool = True) -> MediaConfig:
    """An engine on loopback; all else is as in production."""
    return MediaConfig(
        udp_port=0,
        tcp_port=0,
        bind_addresses=("127.0.0.1",),
        node_ip="127.0.0.1",
        ipv6=False,
        dtls_timeout_s=_FOREVER_S,
        use_gso=gso,
        use_sendmmsg=batch,
    )


def progress_of(title: str) -> Progress:
    """Tells on standard error what is being done; ``done`` ends it."""
    started_at, said = time.monotonic(), ""

    def progress(text: str) -> None:
        nonlocal said
        if text == said:
            return
        said = text
        line = f"{title}: {text}, {time.monotonic() - started_at:.0f} s"
        if sys.stderr.isatty():
            line, end = f"\r{line} \x1b[K", "\n" if text == "done" else ""
        else:
            end = "\n"
        print(line, end=end, file=sys.stderr, flush=True)

    return progress
