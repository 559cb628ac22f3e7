"""Drafts as files: DOMAIN.cm2, and beside it its tools, system prompt, recordings and report.

Nothing reaches the output folder unless everything was written and the spec compiles.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from textwrap import wrap

from cm2.importers.draft import Item, Spec, Task, Template, Turn, Use
from cm2.importers.syntax import escaped, quoted
from cm2.importers.wrapping import INDENT, WIDTH, filled
from cm2.trajectory import Trajectory
from cm2dsl.chat import to_chat
from cm2dsl.compiler import compile_file
from cm2dsl.fmt import formatted
from cm2dsl.source import Source


class WriteFault(Exception):  # noqa: N818 - a fault of what is there, as SourceFault is
    """A spec that cannot be written where it should go. `help` says what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(f"error: {message}\n  = help: {help}")
        self.message = message
        self.help = help


def write_specs(specs: Sequence[Spec], out: Path) -> list[Path]:
    """Write every draft into the folder `out`, all of them or none; the paths of the .cm2 files.

    Raises WriteFault where a file is there already, OSError where the folder cannot be written, and
    CompileError where a draft is no valid spec, which is a fault of the importer.
    """
    with _folder(out), tempfile.TemporaryDirectory(prefix=".import-", dir=out) as name:
        fresh = Path(name)
        for spec in specs:
            _write(spec, fresh)
            path = fresh / f"{spec.domain}.cm2"
            compile_file(path)
            laid_out = formatted(Source(path, path.name, path.read_text(encoding="utf-8")))
            path.write_text(laid_out, encoding="utf-8", newline="\n")
        made = sorted(path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file())
        for path in made:
            if (out / path).exists():
                help = "name another folder with -o, or move the file away"
                raise WriteFault(f"`{out / path}` is there already", help)
        _move(made, fresh, out)
    return [out / f"{spec.domain}.cm2" for spec in specs]


def _move(files: Sequence[Path], fresh: Path, out: Path) -> None:
    """Move the files into the folder; where that is interrupted, none of them stays there."""
    begun: list[Path] = []
    try:
        for file in files:
            begun.append(out / file)
            shutil.move(fresh / file, out / file)
    except BaseException:
        for path in begun:
            path.unlink(missing_ok=True)
        raise


@contextmanager
def _folder(out: Path) -> Iterator[None]:
    """The folder and those above it are there; where nothing is written, only if they were."""
    fresh = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for folder in fresh:
            with suppress(OSError):
                folder.rmdir()
        raise


def _write(spec: Spec, folder: Path) -> None:
    def save(name: str, text: str) -> None:
        (folder / name).write_text(text, encoding="utf-8", newline="\n")

    stem = spec.domain
    save(f"{stem}.cm2", spec_text(spec))
    if spec.tools:
        save(f"{stem}.tools.json", _tools_text(spec.tools))
    if spec.user_tools:
        save(f"{stem}.user_tools.json", _tools_text(spec.user_tools))
    if spec.system:
        save(f"{stem}.system.md", spec.system.strip() + "\n")
    recordings = list(_recordings(spec))
    if recordings:
        lines = (json.dumps(to_chat(each), ensure_ascii=False) + "\n" for each in recordings)
        save(_recordings_name(spec), "".join(lines))
    if spec.unsaid:
        lines = (f"- {line}\n" for line in dict.fromkeys(spec.unsaid))
        head = (
            f"# What `{stem}.cm2` does not say\n\n"
            "What is in the source and not in the spec, and what to know before it is used:\n\n"
        )
        save(f"{stem}.report.md", head + "".join(lines))


def _tools_text(tools: Sequence[dict[str, object]]) -> str:
    return json.dumps(tools, ensure_ascii=False, indent=2) + "\n"


def _recordings_name(spec: Spec) -> str:
    return f"{spec.domain}.recordings.jsonl"


def _recordings(spec: Spec) -> Iterator[Trajectory]:
    for task in spec.tasks:
        for recording in task.recordings:
            yield replace(recording, task=task.name)


# --- text -------------------------------------------------------------------------------------


def spec_text(spec: Spec) -> str:
    """The .cm2 text of a draft."""
    lines = ["cm2 1", ""]
    lines += [*_comment(spec.note, ""), *([""] if spec.note else [])]
    lines.append(" ".join(["domain", spec.domain, *([quoted(spec.title)] if spec.title else [])]))
    if spec.tools:
        lines.append(f'tools  "{spec.domain}.tools.json"')
    if spec.user_tools:
        lines.append(f'user tools "{spec.domain}.user_tools.json"')
    if spec.system:
        lines.append(f'system "{spec.domain}.system.md"')
    for template in spec.templates:
        lines += ["", *_template(template)]
    for task in spec.tasks:
        lines += ["", *_task(task, spec)]
    return "\n".join(lines) + "\n"


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
    if task.recordings:
        lines.append(f'{INDENT}reference "{_recordings_name(spec)}"')
    if task.at:
        lines.append(f"{INDENT}assign {{ at {', '.join(task.at)} }}")
    if task.simulated is not None:
        lines += [f"{INDENT}user simulated {_long(task.simulated, INDENT)}", ""]
    elif task.recordings or task.at:
        lines.append("")
    for number, turn in enumerate(task.turns):
        lines += [*([""] if number else []), *_turn(turn)]
    if task.turns and task.items:
        lines.append("")
    for item in task.items:
        lines += _item(item, INDENT)
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
        return [indent + " ".join(words), *_offers(item.stricter, indent)]
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
