"""`judge`, `simulate` and `assign` blocks."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

from cm2dsl import ir, nodes
from cm2dsl.diagnostic import Log, suggest
from cm2dsl.files import Files
from cm2dsl.source import Source, Span

ASSIGN_CHOICES = {
    "level": get_args(ir.Level),
    "scale": get_args(ir.Scale),
    "unreached": get_args(ir.Unreached),
}
VIEWS: tuple[str, ...] = get_args(ir.View)
_SERVER = re.compile(r"[A-Za-z0-9_-]+")
MALFORMED: tuple[str, ...] = get_args(ir.Malformed)


class _Votes(NamedTuple):
    """Votes at most; how many come first, and how sure the judge must be of those."""

    most: int = 1
    first: int | None = None
    until: float | None = None


def read_judge(block: nodes.Judge | None, log: Log) -> ir.JudgeProtocol:
    votes, view = _Votes(), "turn"
    for option in _once(block.options if block else (), log):
        value = option.value
        if option.word.text == "votes":
            assert isinstance(value, nodes.Votes)
            votes = _votes(value, log) or votes
        else:
            assert isinstance(value, nodes.Name)
            if value.text not in VIEWS:
                near = suggest(value.text, VIEWS)
                log.error("E108", f"`{value.text}` is not a view", value.span, near)
                continue
            view = value.text
    return ir.JudgeProtocol(
        votes=votes.most,
        view=view,  # type: ignore[arg-type]
        first=votes.first,
        until=votes.until,
    )


def _votes(said: nodes.Votes, log: Log) -> _Votes | None:
    """How many votes; None where the log says what is wrong."""
    numbers: list[int] = []
    for one in (said.few, said.most or said.few):
        if not isinstance(one.value, int) or one.value < 1:
            log.error("E301", f"`{one.value}` votes", one.span, "write 1 or more")
            return None
        numbers.append(one.value)
    few, most = numbers
    text = f"{few}..{most}"
    if said.most is None:
        if said.until is None:
            return _Votes(most)
        help = f"say how many there may be then: `votes 1..{max(most, 3)} until 0.9`"
        log.error("E301", "`until` needs two numbers of votes", said.span, help)
        return None
    if few >= most:
        right = f"the fewer come first: write `votes {most}..{few}`"
        help = right if few > most else f"that is no choice: write `votes {most}`"
        log.error("E301", f"`{text}` votes", said.span, help)
        return None
    if said.until is None:
        help = f"say how sure the first must be to do: `votes {text} until 0.9`"
        log.error("E301", f"`{text}` votes without `until`", said.span, help)
        return None
    until = said.until.value
    if until is None or not 0 < until <= 1:
        help = "write how sure the judge must be: more than 0, and at most 1"
        log.error("E301", f"`until {until}`", said.until.span, help)
        return None
    return _Votes(most, few, float(until))


def read_simulate(block: nodes.Simulate | None, files: Files, log: Log) -> tuple[ir.Backend, ...]:
    if block is None:
        return (ir.Replay(),)
    backends: list[ir.Backend] = []
    for backend in block.backends:
        made = _backend(backend, files, log)
        if made is None:
            continue
        if any(_is_same(other, made) for other in backends):
            help = "the first answer wins: name each backend once"
            log.error("E302", f"`{backend.word}` stands twice", backend.span, help)
            continue
        backends.append(made)
    return tuple(backends)


def read_malformed(block: nodes.Simulate | None, log: Log) -> ir.Malformed:
    """What becomes of a rollout after a call that cannot be read."""
    malformed: Any = "go_on"
    for option in _once(block.options if block else (), log):
        assert isinstance(option.value, nodes.Name)
        said = option.value.text
        if said not in MALFORMED:
            near = suggest(said, MALFORMED)
            log.error("E108", f"`{said}` is no choice of `malformed`", option.value.span, near)
            continue
        malformed = said
    found: ir.Malformed = malformed
    return found


def _backend(backend: nodes.Backend, files: Files, log: Log) -> ir.Backend | None:
    if backend.word == "replay":
        return ir.Replay()
    if backend.word == "python":
        assert backend.file is not None
        opened = files.open(backend.file)
        if opened is None:
            return None
        name, source = opened
        return ir.PythonBackend(file=name) if _is_python(source, backend.file.span, log) else None
    if backend.word == "mcp":
        assert backend.server is not None
        return _server(backend.server, log)
    examples = backend.examples.value if backend.examples else 4
    if not isinstance(examples, int) or examples < 0:
        assert backend.examples is not None
        log.error("E301", f"`{examples}` examples", backend.examples.span, "write 0 or more")
        return None
    return ir.LLMBackend(examples=examples)


def _is_same(one: ir.Backend, other: ir.Backend) -> bool:
    """Whether two backends are one: of their kinds, only servers differ by name."""
    return one == other if isinstance(one, ir.MCPBackend) else type(one) is type(other)


def _server(name: nodes.String, log: Log) -> ir.MCPBackend | None:
    """A server is named here. What it is, a command or an address, is no part of a spec."""
    text = "".join(part if isinstance(part, str) else "{…}" for part in name.parts)
    if _SERVER.fullmatch(text):
        return ir.MCPBackend(server=text)
    help = (
        "write a name of letters, digits, `-` and `_`; its command or address stands in the table "
        "[mcp.NAME] of a run's --world file"
    )
    log.error("E301", f"`{text}` is no name of a server", name.span, help)
    return None


def _is_python(source: Source, named: Span, log: Log) -> bool:
    """Whether a file is Python, which is not run here; the log says where it is not."""
    line, column, reason = 1, 1, "nested too deeply"
    try:
        with warnings.catch_warnings(action="ignore"):
            compile(source.text, source.name, "exec", dont_inherit=True)
        return True
    except SyntaxError as error:
        line, column, reason = error.lineno or 1, error.offset or 1, error.msg
    except ValueError as error:  # a null character, for Python before 3.12
        reason = str(error)
    except (RecursionError, MemoryError):
        pass
    start = source.line_starts[min(line, len(source.line_starts)) - 1] + max(column, 1) - 1
    start = max(min(start, len(source.text) - 1), 0)
    related = ((named, "named here"),)
    message = f"not Python: {reason}"
    log.error("E404", message, Span(source, start, start + 1), "correct the file", related)
    return False


def read_assign(
    domain: nodes.Assign | None,
    own: nodes.Assign | None,
    task: str,
    turns: Sequence[str],
    log: Log,
) -> ir.Assign:
    """The domain's settings with the task's own over them. `turns` are the task's, in order."""
    chosen = {option.word.text: option for option in _once(domain.options if domain else (), log)}
    chosen |= {option.word.text: option for option in _once(own.options if own else (), log)}
    if own is not None:
        report_unknown_turns(own, turns, "this task", log)
    values: dict[str, Any] = {}
    for word, option in chosen.items():
        if word == "at":
            values["at"] = _at(option, task, turns, log)
            continue
        assert isinstance(option.value, nodes.Name)
        if option.value.text not in ASSIGN_CHOICES[word]:
            near = suggest(option.value.text, ASSIGN_CHOICES[word])
            message = f"`{option.value.text}` is no choice of `{word}`"
            log.error("E108", message, option.value.span, near)
            continue
        values[word] = option.value.text
    return ir.Assign(**values)


def report_unknown_turns(block: nodes.Assign, turns: Sequence[str], where: str, log: Log) -> None:
    """Reports the names after `at` that are not among the turns."""
    for option in block.options:
        if not isinstance(option.value, tuple) or _is_all(option):
            continue
        for name in option.value:
            if name.text not in turns:
                near = suggest(name.text, turns)
                log.error("E109", f"there is no turn `{name.text}` in {where}", name.span, near)


def _at(option: nodes.Option, task: str, turns: Sequence[str], log: Log) -> tuple[str, ...] | None:
    """The turns named, in the task's order; None for all. A domain's names need not all be here."""
    if _is_all(option) or not turns:
        return None
    assert isinstance(option.value, tuple)
    names = [name.text for name in option.value]
    found = tuple(turn for turn in turns if turn in names)
    if not found:
        help = f"it has {', '.join(f'`{turn}`' for turn in turns)}; give it an `assign` of its own"
        log.error("E309", f"no turn of task `{task}` is named here", option.span, help)
    return found or None


def _is_all(option: nodes.Option) -> bool:
    return isinstance(option.value, tuple) and [name.text for name in option.value] == ["all"]


def _once(options: Sequence[nodes.Option], log: Log) -> list[nodes.Option]:
    first: dict[str, nodes.Option] = {}
    for option in options:
        if option.word.text in first:
            log.error("E302", f"`{option.word.text}` stands twice", option.span, "keep one")
        first.setdefault(option.word.text, option)
    return list(first.values())
