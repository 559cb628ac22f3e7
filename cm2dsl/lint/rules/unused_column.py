from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl import ir, nodes
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject
from cm2dsl.walk import walk

QUOTED = re.compile(r"""(["'])([^"'\n]*)\1""")


class UnusedColumn(Rule):
    """A column that no task reads, also not to choose its rows or to split them, is there for
    nothing or was forgotten: the value that it holds is checked nowhere. A Python backend is given
    the whole row, so a column whose name stands in it in quotes is used.
    """

    code = "L116"
    name = "unused-column"
    family = "structure"
    title = "a column of a row file that nothing reads"
    bad = (
        Bad(
            """
task trip each row in "rows.csv" split by split {
  turn ask { user "To {row.to}, please" item searches { check called search(to == row.to) } }
}
"""
        ),
    )
    good = (
        """
task trip each row in "rows.csv" split by split {
  turn ask {
    user "To {row.to} on {row.day}, please"
    item searches { check called search(to == row.to) }
  }
}
""",
        """
task trip each row in "rows.csv" where day == "Monday" split by split {
  turn ask { user "To {row.to}, please" item searches { check called search(to == row.to) } }
}
""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        read: dict[str, set[str]] = {}
        first: dict[str, tuple[nodes.Each, ir.Task]] = {}
        for node, task in subject.compiled_tasks:
            if node.each is None or not task.rows:
                continue
            file = "".join(part for part in node.each.file.parts if isinstance(part, str))
            first.setdefault(file, (node.each, task))
            names = read.setdefault(file, {"id"})
            names |= {str(one.path.steps[0]) for one in node.each.where}
            if node.each.split is not None:
                names.add(node.each.split.text)
            refs = walk((task.turns, task.items, task.simulated), ir.RowRef)
            names |= {str(ref.path[0]) for ref in refs}
        if not first:
            return
        elsewhere = _of_backends(subject)
        for file, (each, task) in first.items():
            columns = dict.fromkeys(name for row in task.rows or () for name in row.values)
            unread = [name for name in columns if name not in read[file] | elsewhere]
            if unread and read[file] != {"id"}:
                shown = ", ".join(f"`{name}`" for name in unread)
                message = f"nothing reads {shown} of `{file}`"
                yield Finding(each.file.span, message, "read it in the task, or take it out")


def _of_backends(subject: Subject) -> set[str]:
    """What stands in quotes in the Python backends, which are given the row."""
    found: set[str] = set()
    for statement in subject.file.statements:
        if not isinstance(statement, nodes.Simulate):
            continue
        for backend in statement.backends:
            if backend.word == "python" and backend.file is not None:
                name = "".join(str(part) for part in backend.file.parts)
                path = subject.source.path.parent / name
                found |= {match[2] for match in QUOTED.finditer(path.read_text("utf-8"))}
    return found
