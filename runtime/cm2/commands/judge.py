"""`cm2 judge`: what a judge is worth. Each subcommand is a module `judge_NAME` beside this one."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    "agree": "compare a judge with people's labels, and with itself",
    "attack": "see what a judge can be talked into",
    "compare": "compare two judges on the same dialogues",
}


class _Lazy(click.Group):
    """Lists every subcommand, and imports only the one that runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"cm2.commands.judge_{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy)
def command() -> None:
    """Try a judge before you believe it."""
