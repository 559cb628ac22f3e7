"""Which judge a command uses: `--judge` and `--judge-set`."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from cm2.bundle import Bundle
from cm2.commands.score_faults import fail
from cm2.judge import Context, Judge, JudgeLoadError, open_judge, read_settings
from cm2.judge.config import files_of
from cm2dsl import prompts


def judge_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options, for a command that takes `judge` and `judge_set`."""
    where = click.option(
        "--judge",
        type=click.Path(exists=True, path_type=Path),
        help="Who judges `ask` items: a TOML file of settings, or a transformers model directory.",
    )
    what = click.option(
        "--judge-set",
        multiple=True,
        metavar="KEY=VALUE",
        help="A setting of the judge, in place of its file's.",
    )
    return where(what(command))


def judge_settings(judge: Path | None, given: tuple[str, ...]) -> dict[str, Any] | None:
    """The settings that the options describe; None without a judge. Exits where they are wrong."""
    if judge is None and not given:
        return None
    try:
        if judge is None:
            said: dict[str, Any] = {}
        elif judge.is_dir():
            said = {"engine": "transformers", "model": str(judge.resolve())}
        else:
            said = read_settings(judge)
    except JudgeLoadError as error:
        fail(str(error), None)
    for one in given:
        key, equals, value = one.partition("=")
        if not equals:
            fail(f"--judge-set takes KEY=VALUE, and `{one}` has no `=`", "such as concurrency=8")
        said[key.strip()] = _value(value.strip())
    return said


def _value(text: str) -> Any:
    """A TOML value, or the text itself where it is none."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def opened_judge(
    said: Mapping[str, Any] | None, judge: Path | None, bundle: Bundle | None
) -> Judge | None:
    """The judge with these settings, for a bundle or with the prompts of this version.

    None without settings. Exits where it fails.
    """
    if said is None:
        return None
    try:
        return open_judge(said, _context(judge, bundle))
    except JudgeLoadError as error:
        fail(str(error), None)


def judge_files(said: Mapping[str, Any] | None, judge: Path | None) -> list[Path]:
    """The files and folders of the judge: what its settings are in, and what they name.

    Exits where the settings are wrong.
    """
    if said is None:
        return []
    try:
        named = list(files_of(said, _context(judge, None)))
    except JudgeLoadError as error:
        fail(str(error), None)
    return named if judge is None else [judge, *named]


def _context(judge: Path | None, bundle: Bundle | None) -> Context:
    files = prompts.files() if bundle is None else bundle.prompts
    if judge is not None and judge.is_file():
        return Context(files, judge.parent, str(judge))
    return Context(files)
