"""`cm2c graph`: items, what comes after what, and gates, as Mermaid or DOT."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from cm2dsl import ir
from cm2dsl.ir import DIALOGUE

FORMATS = ("mermaid", "dot")


@dataclass(frozen=True, slots=True)
class Node:
    """An item: its key in the graph, its name, what it is, and what it comes after."""

    key: str
    name: str
    notes: tuple[str, ...]
    after: tuple[str, ...]
    strict: bool


@click.command("graph")
@click.argument("spec", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--task", "only", help="Only this task.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="mermaid", help="Mermaid by default."
)
def command(spec: Path, only: str | None, form: str) -> None:
    """Draw the items of a spec's tasks: an arrow leads to what comes after.

    Items stand in their turn; one that is strict opens the next turn. Exit code 1: the spec does
    not compile.
    """
    from cm2dsl.compiler import compile_file
    from cm2dsl.diagnostic import CompileError

    try:
        compiled = compile_file(spec)
    except CompileError as error:
        raise click.ClickException(f"the spec does not compile\n\n{error}") from None
    if compiled is None:
        raise click.UsageError("this is a library: it has no tasks")
    tasks = [one for one in compiled.spec.tasks if only in (None, one.name)]
    if not tasks:
        names = ", ".join(f"`{one.name}`" for one in compiled.spec.tasks)
        raise click.UsageError(f"there is no task `{only}`: there is {names}")
    click.echo(mermaid(tasks) if form == "mermaid" else dot(tasks), nl=False)


def mermaid(tasks: list[ir.Task]) -> str:
    """A flowchart: a box a task, in it a box a turn."""
    lines = ["flowchart LR"]
    edges: list[str] = []
    for t, task in enumerate(tasks):
        lines.append(f"  subgraph t{t}[{_quoted(task.name)}]")
        for scope, nodes in _scopes(t, task):
            lines.append(f"    subgraph {scope.key}[{_quoted(scope.name)}]")
            for node in nodes:
                label = _quoted("<br/>".join([node.name, *node.notes]))
                box = f"{{{{{label}}}}}" if node.strict else f"[{label}]"
                lines.append(f"      {node.key}{box}")
                edges += [f"  {other} --> {node.key}" for other in node.after]
            lines.append("    end")
        lines.append("  end")
    return "\n".join([*lines, *edges]) + "\n"


def dot(tasks: list[ir.Task]) -> str:
    """A digraph: a cluster a task, in it a cluster a turn."""
    lines = ["digraph spec {", "  rankdir=LR;", "  node [shape=box];"]
    edges: list[str] = []
    for t, task in enumerate(tasks):
        lines += [f"  subgraph cluster_t{t} {{", f"    label={_escaped(task.name)};"]
        for scope, nodes in _scopes(t, task):
            lines.append(f"    subgraph cluster_{scope.key} {{ label={_escaped(scope.name)};")
            for node in nodes:
                shape = " shape=hexagon" if node.strict else ""
                label = _escaped("\n".join([node.name, *node.notes]))
                lines.append(f"      {node.key} [label={label}{shape}];")
                edges += [f"  {other} -> {node.key};" for other in node.after]
            lines.append("    }")
        lines.append("  }")
    return "\n".join([*lines, *edges, "}"]) + "\n"


def _scopes(t: int, task: ir.Task) -> Iterator[tuple[Node, list[Node]]]:
    """Each turn, and the task scope, with its items."""
    scopes = [(turn.name, turn.items) for turn in task.turns]
    scopes += [(DIALOGUE, task.items)] if task.items else []
    keys = {
        f"{scope}.{item.name}": f"t{t}s{s}i{i}"
        for s, (scope, items) in enumerate(scopes)
        for i, item in enumerate(items)
    }
    for s, (scope, items) in enumerate(scopes):
        nodes = [
            Node(
                keys[f"{scope}.{item.name}"],
                item.name,
                tuple(_notes(item)),
                tuple(keys[other] for other in item.after),
                item.strict,
            )
            for item in items
        ]
        yield Node(f"t{t}s{s}", scope, (), (), False), nodes


def _notes(item: ir.Item) -> Iterator[str]:
    if item.kind != "item":
        yield item.kind
    if item.weight:
        yield f"{item.weight:.0%}"
    if item.veto:
        yield "veto"
    if item.penalty:
        yield f"penalty {item.penalty:g}"
    if item.strict:
        yield "strict"


def _quoted(text: str) -> str:
    """Text in Mermaid: what it would read as markup is written as a code."""
    plain = text.replace("#", "#35;").replace('"', "#quot;").replace("&", "#amp;")
    return '"' + plain.replace("<br/>", "\0").replace("<", "#lt;").replace("\0", "<br/>") + '"'


def _escaped(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
