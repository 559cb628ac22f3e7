"""The `cm2c` command."""

from __future__ import annotations

try:
    import gc
    from importlib import import_module
    from typing import Any

    import click

    from cm2dsl.identity import __version__
    from cm2dsl.process import ending, interruptible
except KeyboardInterrupt:  # nothing is begun yet
    raise SystemExit(130) from None

COMMANDS = {
    "compile": ("cm2dsl.compile", "command"),
    "completion": ("cm2dsl.completion", "command"),
    "diff": ("cm2dsl.diff.command", "command"),
    "explain": ("cm2dsl.explain", "command"),
    "floor": ("cm2dsl.floor.command", "command"),
    "fmt": ("cm2dsl.fmt.command", "command"),
    "graph": ("cm2dsl.graph", "command"),
    "init": ("cm2dsl.init.command", "command"),
    "lint": ("cm2dsl.lint.command", "command"),
    "schema": ("cm2dsl.emit.schema", "command"),
    "test": ("cm2dsl.testing.command", "command"),
}
"""Commands in modules of their own, which are loaded when they run: module, name."""


YOUNG = 50_000
"""Objects that are made before Python looks for circles among them; 700, if nothing is said."""


class Commands(click.Group):
    """Loads a command when it is asked for, so that none waits for the others' imports."""

    is_process = False

    def main(self, args: Any = None, *others: Any, **extra: Any) -> Any:
        # A command is over soon, and nearly all that it makes is kept and holds no circles.
        gc.set_threshold(YOUNG)
        self.is_process = args is None
        with ending(self.is_process):
            return super().main(args, *others, **extra)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with interruptible(self.is_process):  # click would say that it was aborted
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with interruptible(self.is_process):
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *COMMANDS])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return super().get_command(ctx, name)
        module, attribute = COMMANDS[name]
        command: click.Command = getattr(import_module(module), attribute)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cm2c")
def main() -> None:
    """Compile, lay out and check checklist rewards written in .cm2."""
