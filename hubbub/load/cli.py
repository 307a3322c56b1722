"""``hubbub load``."""

import sys
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import click

from hubbub.cli.options import read_duration

RESOLUTIONS = ("180p", "360p", "540p", "720p", "1080p")
NOT_ALL_WELL = 1
INTERRUPTED = 130


@click.command()
@click.option(
    "--url",
    required=True,
    envvar="LIVEKIT_URL",
    help="The server, such as ws://localhost:7880.  [env: LIVEKIT_URL]",
)
@click.option(
    "--api-key",
    default="devkey",
    envvar="LIVEKIT_API_KEY",
    show_default=True,
    help="API key.  [env: LIVEKIT_API_KEY]",
)
@click.option(
    "--api-secret",
    default="secret",
    envvar="LIVEKIT_API_SECRET",
    show_default=True,
    help="Its secret.  [env: LIVEKIT_API_SECRET]",
)
@click.option(
    "--publishers",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Participants with camera and microphone, in each room.",
)
@click.option(
    "--subscribers",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="Participants who only receive, in each room.",
)
@click.option(
    "--rooms", type=click.IntRange(1), default=1, show_default=True, help="Rooms, all of them alike."
)
@click.option("--subscribe-all", is_flag=True, help="Publishers receive each other too, as in a meeting.")
@click.option(
    "--duration",
    metavar="TIME",
    default="30s",
    show_default=True,
    callback=read_duration,
    help="How long to measure, once everybody has joined.",
)
@click.option(
    "--settle",
    metavar="TIME",
    default="1s",
    show_default=True,
    callback=read_duration,
    help="How long to wait for things to calm down before measuring.",
)
@click.option(
    "--join-rate",
    type=click.FloatRange(0, min_open=True),
    help="Participants who join per second.  [default: 10]",
)
@click.option(
    "--ramp",
    metavar="TIME",
    callback=lambda ctx, param, value: value and read_duration(ctx, param, value),
    help="Spread all joins over this time, instead of --join-rate.",
)
@click.option("--video/--no-video", default=True, show_default=True, help="Publish cameras (VP8).")
@click.option(
    "--resolution",
    type=click.Choice(RESOLUTIONS),
    default="720p",
    show_default=True,
    help="Size of the largest encoding, with LiveKit's usual bitrate for it.",
)
@click.option(
    "--video-bitrate",
    type=click.IntRange(1000),
    metavar="BPS",
    help="Bitrate of the largest encoding; smaller ones keep their proportion.",
)
@click.option(
    "--fps", type=click.FloatRange(1, 120), default=30.0, show_default=True, help="Frames per second."
)
@click.option(
    "--simulcast/--no-simulcast",
    default=True,
    show_default=True,
    help="Publish smaller encodings beside the largest.",
)
@click.option("--audio/--no-audio", default=True, show_default=True, help="Publish microphones (Opus).")
@click.option(
    "--room-prefix",
    default="load",
    show_default=True,
    help="Name of the room, or with several rooms what is before their numbers.",
)
@click.option("--identity-prefix", default="load", show_default=True, help="What identities begin with.")
@click.option(
    "--verify-all", is_flag=True, help="Authenticate every packet received, not just a sample. Costs CPU."
)
@click.option(
    "--server-pid",
    "server_pids",
    type=click.IntRange(1),
    multiple=True,
    help="Process id of the server on this machine, to see its cost; child processes count too. May be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option(
    "--no-progress", is_flag=True, help="Show no progress bar (none is shown where there is no terminal)."
)
def load(*, url: str, as_json: bool, no_progress: bool, **options: Any) -> None:
    """Put a LiveKit-compatible server under load and measure it.

    Light participants join over WebSocket, ICE, DTLS and SRTP as the SDKs do, send frames that were made in advance,
    and count what arrives. Exits with 1 if anybody failed to join or stay, or if media was missing.

    \b
    One publisher, fifty viewers, on a server that `hubbub serve --dev` started:
      hubbub load --url ws://localhost:7880 --publishers 1 --subscribers 50
    A meeting of ten, and what it costs the server:
      hubbub load --url ws://localhost:7880 --publishers 10 --subscribers 0 --subscribe-all --server-pid PID
    Two hundred calls of two, two calls more each second, with another key:
      hubbub load --url wss://example.org --api-key KEY --api-secret SECRET \\
        --rooms 200 --publishers 2 --subscribers 0 --subscribe-all --join-rate 4
    """
    import json

    import uvloop

    from hubbub.load.progress import Progress
    from hubbub.load.run import Run
    from hubbub.load.summary import text

    plan = _plan(url, options)
    progress = Progress(enabled=not no_progress)

    async def test() -> Any:
        return await Run(plan, progress).run()

    summary = uvloop.run(test())
    click.echo(json.dumps(summary.to_json(), indent=2) if as_json else text(summary))
    if summary.interrupted:
        sys.exit(INTERRUPTED)
    if not summary.ok:
        sys.exit(NOT_ALL_WELL)


def _plan(url: str, options: dict[str, Any]) -> Any:
    from hubbub.load.plan import Plan, Video, video_layers

    join_rate, ramp_s = options.pop("join_rate"), options.pop("ramp")
    if join_rate and ramp_s:
        raise click.UsageError("--ramp and --join-rate say the same in different ways: give one of them")
    resolution, bitrate_bps = options.pop("resolution"), options.pop("video_bitrate")
    simulcast, fps, with_video = options.pop("simulcast"), options.pop("fps"), options.pop("video")
    layers = video_layers(resolution, simulcast=simulcast, bitrate_bps=bitrate_bps)
    duration_s = options.pop("duration")
    plan = Plan(
        url=_checked_url(url),
        duration_s=duration_s,
        settle_s=options.pop("settle"),
        video=Video(layers, fps) if with_video else None,
        **options,
    )
    if not plan.size:
        raise click.UsageError("nobody would join: give --publishers or --subscribers")
    if ramp_s:
        join_rate = plan.size / ramp_s
    return replace(plan, join_rate=join_rate or plan.join_rate)


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss", "http", "https") or not parts.hostname:
        raise click.BadParameter(
            f"{url!r} is no ws://, wss://, http:// or https:// address", param_hint="--url"
        )
    return url.rstrip("/")
