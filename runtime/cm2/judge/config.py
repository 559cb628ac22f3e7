"""A judge's run config: which engine, with which settings. Never in a spec, never with a key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Annotated, Any, Literal

import msgspec

from cm2.judge import engines
from cm2.judge.cache import AnswerCache
from cm2.judge.desk import Limits
from cm2.judge.engine import Engine, JudgeLoadError
from cm2.judge.judge import Judge
from cm2.judge.prompted import PromptedJudge
from cm2.judge.view import ViewLimits
from cm2dsl import prompts
from cm2dsl.diagnostic import suggest

MAX_TOKENS = 2048
"""Room for the longest answer that the schema allows, even at one token a byte."""

_SECRET = re.compile(
    r"(api|auth|access|secret)?[-_]?(key|token)|password|secret|bearer|authorization|headers", re.I
)
"""Names of settings that hold keys elsewhere."""

AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
Deadline = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Tries = Annotated[int, msgspec.Meta(ge=1, le=100)]
Letters = Annotated[int, msgspec.Meta(ge=100, le=100_000_000)]
Name = Annotated[str, msgspec.Meta(min_length=1)]

BESIDE_CACHE = ("", "-wal", "-shm", "-journal", ".lock")
"""What follows a cache's name in those of the files that it is kept in."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys that every engine has."""

    engine: str

    def named(self) -> Sequence[str]:
        """The files and folders that the judge reads or keeps, relative to the settings' folder."""
        return ()

    def inside(self) -> Mapping[str, Mapping[str, Any]]:
        """The settings of other judges that are in these, by their keys."""
        return {}


class Prompting(Settings, frozen=True, kw_only=True):
    """The keys of engines that prompt a model: how requests are sent, and what they show.

    `letters` and `result_letters` bound a prompt (`ViewLimits`). `language` is that of the
    instructions; `auto` is the language of most of the spec's questions.
    """

    concurrency: AtLeastOne = 32
    deadline: Deadline | None = 120.0
    tries: Tries = 4
    backoff: Seconds = 0.5
    longest_wait: Seconds = 30.0
    letters: Letters = ViewLimits().total
    result_letters: Letters = ViewLimits().result
    language: Literal["auto", "en", "zh"] = "auto"
    cache: Name | None = None

    def named(self) -> Sequence[str]:
        return [] if self.cache is None else [f"{self.cache}{end}" for end in BESIDE_CACHE]

    @property
    def limits(self) -> Limits:
        return Limits(self.concurrency, self.deadline, self.tries, self.backoff, self.longest_wait)

    @property
    def shown(self) -> ViewLimits:
        return ViewLimits(self.result_letters, self.letters)


@dataclass(frozen=True, slots=True)
class Context:
    """What a judge is opened for: a bundle's prompt files, and the folder that paths in its
    settings are relative to. `where` begins the place in messages."""

    files: Mapping[str, str]
    folder: Path = Path()
    where: str = "the judge's settings"


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a TOML file. Raises JudgeLoadError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise JudgeLoadError(f"cannot read `{path}`: {reason}; name a judge's TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        says = str(error)
        raise JudgeLoadError(f"{path}: not TOML: {says[:1].lower()}{says[1:]}") from None


def open_judge(said: Mapping[str, Any], context: Context) -> Judge:
    """The judge that some settings describe. Raises JudgeLoadError, naming the key."""
    module, settings = _read(said, context)
    if isinstance(settings, Prompting):
        _check_prompts(context)
    judge: Judge = module.open_judge(settings, context)
    return judge


def opened_engine(said: Mapping[str, Any], context: Context) -> tuple[Engine, Prompting]:
    """The engine that some settings describe, without a judge, and the settings.

    Raises JudgeLoadError, also for an engine that prompts no model.
    """
    module, settings = _read_prompting(said, context)
    engine: Engine = module.open_engine(settings, context)
    return engine, settings


def prompting(said: Mapping[str, Any], context: Context) -> Prompting:
    """The settings of an engine that prompts a model; nothing is opened. Raises JudgeLoadError."""
    return _read_prompting(said, context)[1]


def _read_prompting(said: Mapping[str, Any], context: Context) -> tuple[ModuleType, Prompting]:
    module = _engine(said, context)
    if not issubclass(module.Settings, Prompting):
        raise JudgeLoadError(
            f"{context.where}: the engine `{said['engine']}` only judges; "
            "name one that asks a model: `openai`, `transformers` or `vllm`"
        )
    _, settings = _read(said, context)
    assert isinstance(settings, Prompting)
    if said["engine"] == "vllm" and "structured" not in said:  # quick to compile any form
        settings = msgspec.convert({**said, "structured": "guidance"}, type(settings))
    return module, settings


def files_of(said: Mapping[str, Any], context: Context) -> Iterator[Path]:
    """The files and folders that a judge with these settings reads or keeps; some may not be there.

    Nothing is opened. Raises JudgeLoadError, as opening the judge would.
    """
    _, settings = _read(said, context)
    yield from (context.folder / name for name in settings.named())
    for key, inner in settings.inside().items():
        yield from files_of(inner, within(context, key))


def _engine(said: Mapping[str, Any], context: Context) -> ModuleType:
    """The module of the engine that settings name. Raises JudgeLoadError."""
    _refuse_secrets(said, context.where)
    known = [module.name for module in iter_modules(engines.__path__)]
    name = said.get("engine")
    if name not in known:
        wrong = "names no `engine`" if name is None else f"names an unknown engine `{name}`"
        raise JudgeLoadError(f"{context.where}: {wrong}; {suggest(str(name or ''), known)}")
    try:
        return import_module(f"{engines.__name__}.{name}")
    except ImportError as error:
        raise JudgeLoadError(
            f"the engine `{name}` needs the package `{error.name}`; "
            "run: pip install 'cm2dsl[judge]'"
        ) from error


def _read(said: Mapping[str, Any], context: Context) -> tuple[ModuleType, Settings]:
    """The module of the engine that settings name, and the settings. Raises JudgeLoadError."""
    module = _engine(said, context)
    try:
        settings: Settings = msgspec.convert(said, module.Settings)
    except msgspec.ValidationError as error:
        raise JudgeLoadError(f"{context.where}: {_in_words(error, module.Settings)}") from None
    return module, settings


def _refuse_secrets(said: object, where: str) -> None:
    """Settings are kept beside results and shown in messages: a key in them would be, too."""
    if isinstance(said, Mapping):
        for name, value in said.items():
            if _SECRET.fullmatch(str(name)):
                raise JudgeLoadError(
                    f"{where}: `{name}` does not belong into settings; put the key into an "
                    "environment variable, and the variable's name into `key_env`"
                )
            _refuse_secrets(value, where)
    elif isinstance(said, list):
        for one in said:
            _refuse_secrets(one, where)


def prompted(engine: Engine, settings: Prompting, context: Context) -> Judge:
    """A judge that asks an engine with a bundle's prompts, as the settings say."""
    cache = None
    if settings.cache is not None:
        cache = AnswerCache(context.folder / settings.cache, lambda: engine.identity)
    return PromptedJudge(
        engine,
        context.files,
        limits=settings.limits,
        shown=settings.shown,
        language=None if settings.language == "auto" else settings.language,
        cache=cache,
    )


def _check_prompts(context: Context) -> None:
    """Raises JudgeLoadError for a bundle of a version whose judges were asked otherwise."""
    missing = next((name for name in prompts.files() if name not in context.files), None)
    if missing is not None:
        raise JudgeLoadError(
            f"the bundle has no `{missing}`: another version compiled it; compile the spec again"
        )


def within(context: Context, key: str) -> Context:
    """The context of settings inside others, under a key."""
    return replace(context, where=f"{context.where}, `{key}`")


def _in_words(error: msgspec.ValidationError, settings: type[Settings]) -> str:
    says = str(error)
    if "unknown field" in says:
        key = says.split("`")[1]
        return f"there is no `{key}`; {suggest(key, settings.__struct_encode_fields__)}"
    if "missing required field" in says:
        return f"it needs `{says.split('`')[1]}`"
    what, _, place = says.partition(" - at ")
    key = place.strip("`").removeprefix("$.").removeprefix("$")
    what = what[:1].lower() + what[1:]
    if what.startswith("invalid enum value"):
        found = what.removeprefix("invalid enum value ").strip("'")
        what = f"expected one of {_values(settings, key)}, found `{found}`"
    return f"`{key}`: {what}" if key else what


def _values(settings: type[Settings], key: str) -> str:
    """What a key that takes a few words can be."""
    info = msgspec.inspect.type_info(settings)
    assert isinstance(info, msgspec.inspect.StructType)
    types = {field.encode_name: field.type for field in info.fields}
    found = types[key]
    assert isinstance(found, msgspec.inspect.LiteralType)
    return ", ".join(f"`{value}`" for value in found.values)
