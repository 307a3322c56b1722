"""What ``hubbub serve`` prints once it is up."""

from hubbub.config import DEV_KEY, DEV_SECRET, Config
from hubbub.version import VERSION

ROOM = "lobby"
"""The room of the ready link."""


def banner(config: Config, url: str, udp_port: int) -> str:
    """Where to go next; a few lines in dev mode, one otherwise. ``udp_port`` is the one for media that was opened."""
    if not config.development:
        return f"Hubbub {VERSION} is running at {url}\n"
    pair = config.keys.first()
    known = pair == (DEV_KEY, DEV_SECRET)
    tcp = f", TCP {config.media.tcp_port}" if config.media.tcp_port else ""
    rows = {
        "Open": url,
        "Join link": f"{url}?room={ROOM}",
        "Server URL": f"ws{url.removeprefix('http').rstrip('/')}",
        "API key": f"{pair[0]}, secret: {pair[1]}" if known else pair[0],
        "Media": f"UDP {udp_port}{tcp}",
    }
    lines = "".join(f"  {label:<11} {text}\n" for label, text in rows.items())
    return f"\nHubbub {VERSION}, development mode\n\n{lines}\n  Ctrl-C stops it.\n\n"
