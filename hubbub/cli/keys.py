"""``hubbub keys``."""

import sys

import click


@click.group()
def keys() -> None:
    """Make API keys."""


@keys.command()
def generate() -> None:
    """Print a new API key and its secret, as a line for the configuration.

    \b
    Into a key file that nobody else can read:
      (umask 077; hubbub keys generate > keys.yaml)
      hubbub serve --key-file keys.yaml
    """
    from auth.keys import generate as generate_pair

    key, secret = generate_pair()
    click.echo(f"{key}: {secret}")
    if sys.stdout.isatty():
        click.echo("Put this line below `keys:` in the configuration, and keep it from others.", err=True)
