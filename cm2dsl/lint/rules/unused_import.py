from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Edit, Finding, Fix, Rule
from cm2dsl.lint.subject import Subject
from cm2dsl.source import Span


class UnusedImport(Rule):
    """An import brings in another file's templates. One of which nothing is used only makes the
    spec depend on a file that it does not need.
    """

    code = "L102"
    name = "unused-import"
    family = "structure"
    title = "an import of which nothing is used"
    bad = (
        Bad(
            """
import "library.cm2"

task trip { turn ask { user "Hello" item answers { check replied } } }
""",
            fixed="""
task trip { turn ask { user "Hello" item answers { check replied } } }
""",
        ),
    )
    good = (
        """
import "library.cm2"

task trip { turn ask { user "Hello" use grounded(search) } }
""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        if subject.spec is None:
            return
        used = {use.template.text for use in subject.uses}
        for statement in subject.file.statements:
            if not isinstance(statement, nodes.FileStatement) or statement.word != "import":
                continue
            name = "".join(str(part) for part in statement.file.parts)
            path = (subject.source.path.parent / name).resolve()
            if used.isdisjoint(_brought_in(path, subject)):
                fix = Fix("take the import out", (_line_out(subject.source.text, statement.span),))
                message = f"nothing of `{name}` is used"
                yield Finding(statement.span, message, "take the import out", fix)


def _line_out(text: str, span: Span) -> Edit:
    """A statement taken out: with its line and what is said there of it, where it stands alone.

    If empty lines are before it, those after it go too.
    """
    line = text.rfind("\n", 0, span.start) + 1
    end = text.find("\n", span.stop)
    rest = text[span.stop : end if end >= 0 else len(text)].strip()
    if text[line : span.start].strip() or (rest and not rest.startswith("#")):
        return Edit(span.start, span.stop, "")
    stop = end + 1 if end >= 0 else len(text)
    apart = text[:line].endswith("\n\n")
    while apart and text[stop : stop + 1] == "\n":
        stop += 1
    return Edit(line, stop, "")


def _brought_in(path: object, subject: Subject) -> set[str]:
    """The templates of an imported file, and of those that it imports."""
    names: set[str] = set()
    waiting, done = [path], set()
    while waiting:
        current = waiting.pop()
        done.add(current)
        for file in subject.imported:
            if file.source.path.resolve() != current:
                continue
            for one in file.statements:
                if isinstance(one, nodes.Template):
                    names.add(one.name.text)
                elif isinstance(one, nodes.FileStatement) and one.word == "import":
                    inner = file.source.path.parent / "".join(str(p) for p in one.file.parts)
                    if inner.resolve() not in done:
                        waiting.append(inner.resolve())
    return names
