"""Drafts as .cm2 text. It compiles as it is; `cm2c fmt` gives it the one layout."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from cm2dsl.draft.spec import Item, Spec, Task, Template, Test, Turn, Use
from cm2dsl.draft.syntax import escaped, quoted
from cm2dsl.draft.wrapping import INDENT, WIDTH, filled


def spec_text(spec: Spec) -> str:
    """The .cm2 text of a draft."""
    lines = ["cm2 1", ""]
    lines += [*_comment(spec.note, ""), *([""] if spec.note else [])]
    lines.append(" ".join(["domain", spec.domain, *([quoted(spec.title)] if spec.title else [])]))
    if spec.tools:
        lines.append(f"tools  {quoted(spec.tools_file or f'{spec.domain}.tools.json')}")
    if spec.user_tools:
        lines.append(f'user tools "{spec.domain}.user_tools.json"')
    if spec.system:
        lines.append(f"system {quoted(spec.system_file or f'{spec.domain}.system.md')}")
    if spec.settings:
        lines += ["", *spec.settings]
    for template in spec.templates:
        lines += ["", *_template(template)]
    for task in spec.tasks:
        lines += ["", *_task(task, spec)]
    for test in spec.tests:
        lines += ["", *_test(test)]
    return "\n".join(lines) + "\n"


def recordings_name(spec: Spec) -> str:
    """The file that holds the recordings of all tasks that name no file of their own."""
    return f"{spec.domain}.recordings.jsonl"


def _comment(text: str, indent: str) -> list[str]:
    return [
        f"{indent}# {line}".rstrip()
        for paragraph in text.splitlines()
        for line in (wrap(paragraph, WIDTH - len(indent) - 2) or [""])
    ]


def _template(template: Template) -> list[str]:
    item = template.item
    head = f"template {template.name}({', '.join(template.params)})"
    kind = [item.kind] if item.kind != "item" else []
    lines = _block(" ".join([head, *kind, *_modifiers(item)]), _entries(item), item.note, "")
    for param in template.params:  # in texts, a parameter in braces is meant
        lines = [line.replace(f"\\{{{param}}}", f"{{{param}}}") for line in lines]
    return lines


def _task(task: Task, spec: Spec) -> list[str]:
    lines = _comment(task.note, "")
    lines.append(" ".join(["task", task.name, *([quoted(task.title)] if task.title else []), "{"]))
    reference = task.reference or (recordings_name(spec) if task.recordings else "")
    if reference:
        lines.append(f"{INDENT}reference {quoted(reference)}")
    if task.at:
        lines.append(f"{INDENT}assign {{ at {', '.join(task.at)} }}")
    if task.simulated is not None:
        lines += [f"{INDENT}user simulated {_long(task.simulated, INDENT)}", ""]
    elif reference or task.at:
        lines.append("")
    for number, turn in enumerate(task.turns):
        lines += [*([""] if number else []), *_turn(turn)]
    if task.turns and task.items:
        lines.append("")
    for item in task.items:
        lines += _item(item, INDENT)
    return [*lines, "}"]


def _test(test: Test) -> list[str]:
    lines = [*_comment(test.note, ""), f"test {quoted(test.name)} for {test.task} {{"]
    lines.append(f"{INDENT}trajectory {quoted(test.trajectory)}")
    lines += [f"{INDENT}judged {item} {verdict}" for item, verdict in test.judged]
    lines += [f"{INDENT}expect {item} {verdict}" for item, verdict in test.expect]
    lines += [f"{INDENT}expect reward {test.reward}"] if test.reward else []
    return [*lines, "}"]


def _turn(turn: Turn) -> list[str]:
    lines = [*_comment(turn.note, INDENT), f"{INDENT}turn {turn.name} {{"]
    lines += [f"{INDENT * 2}user {_long(turn.user, INDENT * 2)}"]
    lines += [""] if turn.items else []
    for item in turn.items:
        lines += _item(item, INDENT * 2)
    return [*lines, f"{INDENT}}}"]


def _item(item: Item | Use, indent: str) -> list[str]:
    if isinstance(item, Use):
        arguments = f"({', '.join(item.arguments)})" if item.arguments else ""
        name = ["as", item.name] if item.name and item.name != item.template else []
        words = ["use", item.template + arguments, *name, *_shared(item)]
        line = indent + " ".join(words)
        return [*_comment(item.note, indent), line, *_offers(item.stricter, indent)]
    head = " ".join([item.kind, item.name, *_modifiers(item)])
    return _block(head, _entries(item), item.note, indent)


def _offers(items: Sequence[Item], indent: str) -> list[str]:
    """Items as comments, ready to be used without the signs before them."""
    lines = [line for item in items for line in _item(item, indent + INDENT)]
    mark = f"{indent}# stricter:"
    if len(lines) == 1 and len(mark) + 1 + len(lines[0].strip()) <= WIDTH:
        return [f"{mark} {lines[0].strip()}"]
    texts = [line[len(indent) + len(INDENT) :] for line in lines]
    return [*([mark] if lines else []), *(f"{indent}# {text}" for text in texts)]


def _block(head: str, entries: list[tuple[str, str]], note: str, indent: str) -> list[str]:
    """A head and its entries: on one line where there is one entry and it fits."""
    lines = _comment(note, indent)
    if len(entries) == 1:
        word, text = entries[0]
        line = f"{indent}{head} {{ {word} {text} }}"
        if len(line) <= WIDTH:
            return [*lines, line]
    width = max((len(word) for word, _ in entries), default=0)
    lines.append(f"{indent}{head} {{")
    for word, text in entries:
        first = f"{indent}{INDENT}{word.ljust(width)} "
        lines += filled(first, text) if word == "check" else [first + text]
    return [*lines, f"{indent}}}"]


def _shared(item: Item | Use) -> list[str]:
    weight = [f"weight {item.weight!r}"] if item.weight is not None else []
    after = [f"after {', '.join(item.after)}"] if item.after else []
    return [*weight, *after]


def _modifiers(item: Item) -> list[str]:
    penalty = [f"penalty {item.penalty!r}"] if item.penalty is not None else []
    flags = ["strict"] * item.strict + ["veto"] * item.veto
    return [*_shared(item), *flags, *penalty]


def _entries(item: Item) -> list[tuple[str, str]]:
    entries = [("focus", item.focus)] if item.focus else []
    entries += [("check", item.check)] if item.check else []
    entries += [("ask", quoted(item.ask))] if item.ask else []
    entries += [("pass", quoted(text)) for text in item.passes]
    entries += [("fail", quoted(text)) for text in item.fails]
    return [
        *entries,
        *(("anchor", f"{channel} {quoted(words)}") for channel, words in item.anchors),
    ]


def _long(text: str, indent: str) -> str:
    """A text that may have several lines: then between triple quotes, a line a line."""
    plain = all(char.isprintable() or char == "\n" for char in text)
    blank = any(line != line.rstrip() for line in text.split("\n"))
    if "\n" not in text.strip("\n") or not plain or blank or text != text.strip():
        return quoted(text)
    body = escaped(text).replace('"""', '\\"\\"\\"')
    if body.endswith('"'):
        body = body[:-1] + '\\"'
    inner = indent + INDENT
    lines = [inner + line if line else "" for line in body.split("\n")]
    return '"""\n' + "\n".join(lines) + f'\n{indent}"""'
