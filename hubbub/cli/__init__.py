"""The command ``hubbub``. What takes long to import is imported by the subcommand that needs it."""

import sys
from collections.abc import Mapping
from importlib import import_module

import click

from hubbub.errors import HubbubError
from hubbub.packages import check_packages
from hubbub.version import VERSION

COMMANDS: Mapping[str, tuple[str, str]] = {
    "serve": ("hubbub.cli.serve", "Run the server."),
    "token": ("hubbub.cli.token", "Make access tokens."),
    "keys": ("hubbub.cli.keys", "Make and manage API keys."),
    "rooms": ("hubbub.cli.rooms", "List, create and delete a server's rooms."),
    "participants": ("hubbub.cli.participants", "List, remove and mute the people in a room."),
    "bans": ("hubbub.cli.bans", "Keep people out of a server's rooms."),
    "webhooks": ("hubbub.cli.webhooks", "List what a server told other servers, and send it again."),
    "config": ("hubbub.cli.config", "Show and check configurations."),
    "load": ("hubbub.load.cli", "Put a server under load and measure it."),
    "compare": ("hubbub.load.compare", "Put two servers under the same loads, in turns."),
}
"""Module of each subcommand, which has it under the same name, and what it does."""


class LazyGroup(click.Group):
    """A group that imports a subcommand when it is called, not when it is listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _ = COMMANDS[cmd_name]
        try:
            command = getattr(import_module(module), cmd_name)
        except ModuleNotFoundError as error:
            raise click.ClickException(
                f"`{cmd_name}` needs the module {error.name}, which is not installed"
            ) from error
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(VERSION, "-V", "--version", message="hubbub %(version)s")
def hubbub() -> None:
    """Hubbub, a media server that speaks LiveKit's protocols.

    \b
    Try it on this machine, with a page to join from:
      hubbub serve --dev

    \b
    Serve others: make a key pair, write a configuration, check it, start.
      hubbub keys generate
      hubbub config print-default > hubbub.yaml
      hubbub config check hubbub.yaml
      hubbub serve --config hubbub.yaml

    \b
    Let somebody in:
      hubbub token create --room kitchen --identity ann --config hubbub.yaml
    """


def main() -> None:
    """Run the command line. Our own errors are one message and an exit code, without traceback."""
    try:
        check_packages()
        hubbub()
    except HubbubError as error:
        lines = str(error).splitlines() or [type(error).__name__]
        click.echo("\n".join(f"hubbub: {line}" for line in lines), err=True)
        sys.exit(error.exit_code)
