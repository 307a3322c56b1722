"""``hubbub serve``."""

import os
from pathlib import Path

import click

from .options import CONFIG_FILE, KEY_FILE, KEYS, config_text

PORT = click.IntRange(0, 65_535)


@click.command()
@click.option("--dev", is_flag=True, help="Try things out: key `devkey`, secret `secret`, this machine only.")
@CONFIG_FILE
@click.option("--port", type=PORT, help="Port for HTTP and WebSocket.  [default: 7880]")
@click.option("--bind", metavar="IP", multiple=True, help="Address to listen on; may be given several times.")
@click.option("--udp-port", type=PORT, help="UDP port for media.  [default: 7882]")
@click.option("--tcp-port", type=PORT, help="TCP port for media, 0 for none.  [default: 7881]")
@click.option(
    "--node-ip", metavar="IP[,IP]", help="Address that clients shall send media to.  [env: NODE_IP]"
)
@click.option("--use-external-ip", is_flag=True, default=None, help="Ask a STUN server for that address.")
@KEYS
@KEY_FILE
@click.option("--log-level", type=click.Choice(["debug", "info", "warn", "error"]), help="[default: info]")
@click.option("--log-json", is_flag=True, default=None, help="Log JSON lines.")
def serve(
    config_file: Path | None, *, dev: bool, bind: tuple[str, ...], **flags: str | int | bool | None
) -> None:
    """Run the server.

    Every option of the configuration file (see `hubbub config print-default`) can also be set by a variable:
    rtc.udp_port by HUBBUB_RTC_UDP_PORT or LIVEKIT_RTC_UDP_PORT. Flags are stronger than variables, variables
    than the file.

    \b
    On this machine, to try it:
      hubbub serve --dev
    The same for others in the network, who then need no key either:
      hubbub serve --dev --bind 0.0.0.0 --node-ip 192.168.1.5
    For good:
      hubbub serve --config hubbub.yaml
    In a container:
      docker run -e HUBBUB_KEYS='APIkey: secret…' -e NODE_IP=203.0.113.5 …
    """
    import structlog

    from hubbub.config import load
    from hubbub.logging import set_up_logging

    paths = {
        "development": dev or None,
        "bind_addresses": list(bind) or None,
        "port": flags["port"],
        "rtc.udp_port": flags["udp_port"],
        "rtc.tcp_port": flags["tcp_port"],
        "rtc.node_ip": flags["node_ip"],
        "rtc.use_external_ip": flags["use_external_ip"],
        "keys": flags["keys"],
        "key_file": flags["key_file"],
        "logging.level": flags["log_level"],
        "logging.json": flags["log_json"],
    }
    given = {path: value for path, value in paths.items() if value is not None}
    config, warnings = load(config_text(config_file), env=os.environ, flags=given)
    set_up_logging(config.logging)
    for warning in warnings:
        structlog.get_logger().warning(warning)

    from hubbub.server import run

    run(config)
