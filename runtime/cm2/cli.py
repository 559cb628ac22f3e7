"""The `cm2` command. Each subcommand is a module of `cm2.commands`, imported when it is called."""

from __future__ import annotations

try:
    from importlib import import_module
    from keyword import iskeyword
    from typing import Any

    import click

    from cm2.commands.launched import is_one_of_several
    from cm2.interrupts import ignore, raised_once
except KeyboardInterrupt:  # the process is about to be a command, and has nothing to clean up
    raise SystemExit(130) from None

COMMANDS = {
    "score": "score trajectories with a spec",
    "judge": "try a judge before you believe it",
    "cache": "look into a judge's cache of answers, and prune it",
    "credit": "turn groups of verdicts into rewards and advantages",
    "rollout": "let a policy play a spec's tasks against its simulated tools",
    "train": "train a policy on a spec with GRPO",
    "tools": "serve the simulated tools of a spec to any agent, over MCP",
    "trust": "say which backend files may run without being asked each time",
    "export": "write a spec in somebody else's format",
    "import": "make specs from somebody else's tasks",
}


class LazyGroup(click.Group):
    """Lists every command from COMMANDS, and imports only the one that runs.

    A command that is interrupted, also while it is imported, ends with 130; by SIGTERM, with 143.
    """

    def main(self, args: Any = None, *others: Any, **extra: Any) -> Any:
        is_process = args is None
        # One of several that waits for another, which has ended, would never come to its handler.
        terminated = is_process and not is_one_of_several()
        with raised_once(is_process=is_process, terminated=terminated):
            return super().main(args, *others, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            code = ignore()
            click.echo("interrupted", err=True)
            raise SystemExit(code) from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = import_module(f"cm2.commands.{module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cm2dsl", prog_name="cm2")
def main() -> None:
    """Score, judge and train tool-using agents with checklist rewards."""
