"""``hubbub config``."""

from pathlib import Path

import click

from .options import config_text


@click.group()
def config() -> None:
    """Show and check configurations."""


@config.command("print-default")
def print_default() -> None:
    """Print a configuration file with every option, its default and what it does.

    \b
    Start a configuration of one's own:
      hubbub config print-default > hubbub.yaml
    """
    from hubbub.config.reference import render_default

    click.echo(render_default(), nl=False)


@config.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dev", is_flag=True, help="Check it for `serve --dev`, which needs no keys.")
def check(file: Path, *, dev: bool) -> None:
    """Check a configuration file, Hubbub's own or LiveKit's, and tell everything that is wrong with it.

    Flags and variables don't count. Exits with 2 when the file can't be used.

    \b
    Before a restart:
      hubbub config check hubbub.yaml && systemctl restart hubbub
    """
    from hubbub.config import load

    _, warnings = load(config_text(file), flags={"development": True} if dev else {})
    for warning in warnings:
        click.echo(f"warning: {warning}")
    click.echo(f"{file} is good.")
