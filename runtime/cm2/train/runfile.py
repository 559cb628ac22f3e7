"""What a run is told, from where it is told: a preset, a run file, options; later wins.

Every layer is a tree of the fields of `Config`. A wrong key or value is named with the layer that
has it, and with its line where that is a file. `false` stands for None where a field may be it:
TOML knows no null.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from cm2.train.config import Config
from cm2.train.folder import RunError
from cm2.train.presets import PRESETS
from cm2dsl.diagnostic import suggest

_NAMED = {
    "judge": "a judge's settings have a file of their own: name it with --judge",
    "world": "the simulator's settings have a file of their own: name it with --world",
}


@dataclass(frozen=True, slots=True)
class Layer:
    """Some of the fields, and where they were said; `text` is the file's, if it is one."""

    said: Mapping[str, Any]
    where: str
    text: str = ""

    def at(self, key: Sequence[str]) -> str:
        """The place of a key, for the start of a message."""
        line = _line(self.text, list(key))
        return self.where if line is None else f"{self.where}:{line}"


def preset(name: str, where: str = "") -> Layer:
    """The layer of a preset; `where` begins the message of a RunError where there is none."""
    if name not in PRESETS:
        raise RunError(f"{where}there is no preset `{name}`; {suggest(name, sorted(PRESETS))}")
    return Layer(PRESETS[name], f"preset {name}")


def read_run_file(path: Path) -> Layer:
    """The layer of a TOML file; a model's folder is relative to the file's. Raises RunError."""
    try:
        text = path.read_text("utf-8")
        said = tomllib.loads(text)
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise RunError(f"cannot read `{path}`: {reason}; name a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        says = str(error)
        raise RunError(f"{path}: not TOML: {says[:1].lower()}{says[1:]}") from None
    model = said.get("model")
    if isinstance(model, str):
        said["model"] = str(path.parent / model)
    return Layer(said, str(path), text)


def settings(given: Sequence[str]) -> Layer:
    """The layer of `--set KEY=VALUE`s. A value is TOML, or the text itself where it is none.

    Raises RunError.
    """
    said: dict[str, Any] = {}
    for one in given:
        key, equals, value = one.partition("=")
        if not equals:
            raise RunError(f"--set takes KEY=VALUE, and `{one}` has no `=`; such as lora.rank=8")
        *tables, last = key.strip().split(".")
        inner = said
        for table in tables:
            inner = inner.setdefault(table, {})
            if not isinstance(inner, dict):
                raise RunError(f"--set {one}: `{table}` was set to a value before")
        inner[last] = _value(value.strip())
    return Layer(said, "--set")


def resolve(layers: Sequence[Layer]) -> Config:
    """The config that the layers give together, later ones first. Raises RunError."""
    whole: Mapping[str, Any] = {}
    read = [
        Layer(_known(layer, layer.said, Config, ()), layer.where, layer.text) for layer in layers
    ]
    for layer in read:
        whole = merged(whole, layer.said)
    try:
        return msgspec.convert(whole, Config)
    except msgspec.ValidationError as error:
        key, what = _in_words(error)
        raise RunError(f"{_said_by(read, key)}`{'.'.join(key)}`: {what}") from None


def told(
    name: str | None, path: Path | None, options: Mapping[str, Any], given: Sequence[str]
) -> Config:
    """The config of a preset, a run file, options and `--set`s, all of which may be left out.

    Without a model and a preset it is that of the tiny policy; where a model is named, none is
    built. A file may name a preset, too. Passes that nobody asked for are made to fit. Raises
    RunError.
    """
    file = None if path is None else read_run_file(path)
    layers = [*([] if file is None else [file]), Layer(options, "options"), settings(given)]
    where = ""
    if file is not None and "preset" in file.said:
        if not isinstance(file.said["preset"], str):
            raise RunError(f"{file.at(['preset'])}: `preset` is the name of one")
        if name is None:
            name, where = file.said["preset"], f"{file.at(['preset'])}: "
        layers[0] = replace(file, said={k: v for k, v in file.said.items() if k != "preset"})
    model = any(layer.said.get("model") for layer in layers)
    if name is None and not model:
        name = "tiny"
    config = resolve([*([] if name is None else [preset(name, where)]), *layers])
    if config.model is not None:
        config = replace(config, tiny=None)
    elif config.tiny is None:
        raise RunError(f"the preset `{name}` trains a model; name one with --model")
    asked = any("micro_batch" in layer.said for layer in layers)
    if config.group * config.groups % config.micro_batch and not asked:
        config = replace(config, micro_batch=config.group)
    return config


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both trees as one; where they differ, `over` wins."""
    both = dict(under)
    for key, value in over.items():
        inner = both.get(key)
        tables = isinstance(value, Mapping) and isinstance(inner, Mapping)
        both[key] = merged(inner, value) if tables else value  # type: ignore[arg-type]
    return both


def toml_of(config: Config) -> str:
    """The config as a run file that gives it again."""
    return "\n".join(_lines(config, ())) + "\n"


def _known(layer: Layer, said: Mapping[str, Any], kind: type, path: tuple[str, ...]) -> Any:
    """The tree with None for false; raises RunError for a key that there is none."""
    types = get_type_hints(kind, include_extras=True)
    found: dict[str, Any] = {}
    for key, value in said.items():
        here = (*path, key)
        if not path and key in _NAMED:
            raise RunError(f"{layer.at(here)}: {_NAMED[key]}")
        if key not in types:
            table = f" in `{'.'.join(path)}`" if path else ""
            hint = suggest(key, list(types))
            raise RunError(f"{layer.at(here)}: there is no `{key}`{table}; {hint}")
        options = set(_options(types[key]))
        inner = next((one for one in options if is_dataclass(one)), None)
        if value is False and NoneType in options and bool not in options:
            found[key] = None
        elif inner is not None and isinstance(value, Mapping):
            assert isinstance(inner, type)
            found[key] = _known(layer, value, inner, here)
        else:
            found[key] = value
    return found


def _options(kind: Any) -> Iterator[Any]:
    """The types that a value may be of, without what bounds them."""
    if get_origin(kind) is Annotated:
        yield from _options(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for one in get_args(kind):
            yield from _options(one)
    else:
        yield kind


def _in_words(error: msgspec.ValidationError) -> tuple[list[str], str]:
    """The key that is wrong, and what is expected of it."""
    what, _, place = str(error).partition(" - at ")
    key = re.sub(r"\[[^]]*\]", "", place.strip("`")).removeprefix("$").strip(".").split(".")
    what = what[:1].lower() + what[1:]
    for theirs, ours in (("object", "table"), ("null", "false"), ("array", "list")):
        what = re.sub(rf"\b{theirs}\b", ours, what)
    if what.startswith("invalid enum value"):
        found = what.removeprefix("invalid enum value ").strip("'")
        what = f"expected one of {_values(key)}, found `{found}`"
    return key, what


def _values(key: Sequence[str]) -> str:
    """What a key that takes a few words can be."""
    kind: Any = Config
    for name in key:
        kind = get_type_hints(kind, include_extras=True)[name]
        kind = next((one for one in _options(kind) if is_dataclass(one)), kind)
    words = [
        one
        for option in _options(kind)
        if get_origin(option) is Literal
        for one in get_args(option)
    ]
    return ", ".join(f"`{word}`" for word in words)


def _said_by(layers: Sequence[Layer], key: Sequence[str]) -> str:
    for layer in reversed(layers):
        inner: Any = layer.said
        for name in key:
            inner = inner.get(name) if isinstance(inner, Mapping) else None
        if inner is not None:
            return f"{layer.at(key)}: "
    return ""


def _line(text: str, key: list[str]) -> int | None:
    """The line of a key in a TOML file, from 1, or of its table; None if not found."""
    table: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            table = [part.strip().strip("\"'") for part in header[1].split(".")]
            if table == key:
                return number
        elif pair := re.match(r"\s*([\w.\"' -]+?)\s*=", line):
            parts = [part.strip().strip("\"'") for part in pair[1].split(".")]
            if [*table, *parts] == key:
                return number
    return _line(text, key[:-1]) if len(key) > 1 else None


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _lines(part: Any, path: tuple[str, ...]) -> Iterator[str]:
    """The lines of a table: its values first, as TOML wants it, then the tables in it."""
    if isinstance(part, Mapping):
        pairs = [(key, value, value) for key, value in part.items()]
    else:
        pairs = [(one.name, getattr(part, one.name), one.default) for one in fields(part)]
    pairs = [pair for pair in pairs if path or pair[0] not in _NAMED]
    if path:
        yield f"\n[{'.'.join(path)}]"
    for key, value, default in pairs:
        if value is None:
            yield f"# {key} is not set" if default is None else f"{key} = false"
        elif not _is_table(value):
            yield f"{key} = {_toml(value)}"
    for key, value, _ in pairs:
        if _is_table(value) and value != {}:
            yield from _lines(value, (*path, key))


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or is_dataclass(value)


def _toml(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (bool, str)):
        return msgspec.json.encode(value).decode()
    return repr(value)
