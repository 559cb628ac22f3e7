"""`judge`, `simulate` and `assign` blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from cm2dsl import ir, nodes
from cm2dsl.diagnostic import Log, suggest
from cm2dsl.files import Files

ASSIGN_CHOICES = {
    word: get_args(ir.Assign.model_fields[word].annotation)
    for word in ("level", "scale", "unreached")
}
VIEWS = get_args(ir.JudgeProtocol.model_fields["view"].annotation)


def read_judge(block: nodes.Judge | None, log: Log) -> ir.JudgeProtocol:
    votes, view = 1, "turn"
    for option in _once(block.options if block else (), log):
        value = option.value
        if option.word.text == "votes":
            assert isinstance(value, nodes.Literal)
            if not isinstance(value.value, int) or value.value < 1:
                log.error("E301", f"`{value.value}` votes", value.span, "write 1 or more")
                continue
            votes = value.value
        else:
            assert isinstance(value, nodes.Name)
            if value.text not in VIEWS:
                near = suggest(value.text, VIEWS)
                log.error("E108", f"`{value.text}` is not a view", value.span, near)
                continue
            view = value.text
    return ir.JudgeProtocol.model_validate({"votes": votes, "view": view})


def read_simulate(block: nodes.Simulate | None, files: Files, log: Log) -> tuple[ir.Backend, ...]:
    if block is None:
        return (ir.Replay(),)
    backends: list[ir.Backend] = []
    for backend in block.backends:
        made = _backend(backend, files, log)
        if made is None:
            continue
        if any(other.kind == made.kind for other in backends):
            help = "the first answer wins: name each backend once"
            log.error("E302", f"`{backend.word}` stands twice", backend.span, help)
            continue
        backends.append(made)
    return tuple(backends)


def _backend(backend: nodes.Backend, files: Files, log: Log) -> ir.Backend | None:
    if backend.word == "replay":
        return ir.Replay()
    if backend.word == "python":
        assert backend.file is not None
        opened = files.open(backend.file)
        if opened is None:
            return None
        name, source = opened
        try:
            compile(source.text, source.name, "exec", dont_inherit=True)
        except SyntaxError as error:
            message = f"`{name}` is not Python: {error.msg}, line {error.lineno}"
            log.error("E404", message, backend.file.span, "correct the file")
            return None
        return ir.PythonBackend(file=name)
    examples = backend.examples.value if backend.examples else 4
    if not isinstance(examples, int) or examples < 0:
        assert backend.examples is not None
        log.error("E301", f"`{examples}` examples", backend.examples.span, "write 0 or more")
        return None
    return ir.LLMBackend(examples=examples)


def read_assign(
    domain: nodes.Assign | None, own: nodes.Assign | None, turns: Sequence[str], log: Log
) -> ir.Assign:
    """The domain's settings with the task's own over them. `turns` are the task's, in order."""
    values: dict[str, Any] = {}
    for block in (domain, own):
        for option in _once(block.options if block else (), log):
            word = option.word.text
            if word == "at":
                values["at"] = _at(option, turns, strict=block is own, log=log)
                continue
            assert isinstance(option.value, nodes.Name)
            if option.value.text not in ASSIGN_CHOICES[word]:
                known = ASSIGN_CHOICES[word]
                near = suggest(option.value.text, known)
                message = f"`{option.value.text}` is not a {word}"
                log.error("E108", message, option.value.span, near)
                continue
            values[word] = option.value.text
    return ir.Assign.model_validate(values)


def _at(
    option: nodes.Option, turns: Sequence[str], strict: bool, log: Log
) -> tuple[str, ...] | None:
    """The turns named, in the task's order; None for all. A domain's names need not all be here."""
    assert isinstance(option.value, tuple)
    names = [name.text for name in option.value]
    if names == ["all"]:
        return None
    if strict:
        for name in option.value:
            if name.text not in turns:
                near = suggest(name.text, turns)
                log.error("E109", f"there is no turn `{name.text}` in this task", name.span, near)
    found = tuple(turn for turn in turns if turn in names)
    if not found and not strict:
        help = f"this task has {', '.join(f'`{turn}`' for turn in turns)}"
        message = "no turn of a task carries reward"
        log.error("E309", message, option.span, help)
    return found or None


def _once(options: Sequence[nodes.Option], log: Log) -> list[nodes.Option]:
    first: dict[str, nodes.Option] = {}
    for option in options:
        if option.word.text in first:
            log.error("E302", f"`{option.word.text}` stands twice", option.span, "keep one")
        first.setdefault(option.word.text, option)
    return list(first.values())
