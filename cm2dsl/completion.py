"""`cm2c completion`: what a shell needs to complete the command line."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print a script that makes a shell complete commands, options, files and codes of rules.

    For bash, put `eval "$(cm2c completion bash)"` into ~/.bashrc; likewise for zsh. For fish, put
    `cm2c completion fish | source` into ~/.config/fish/config.fish.
    """
    found = get_completion_class(shell)
    assert found is not None  # all three are click's own
    click.echo(found(ctx.find_root().command, {}, "cm2c", "_CM2C_COMPLETE").source())
