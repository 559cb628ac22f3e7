"""`cm2 score`: trajectories in, verdicts and rewards out."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from cm2.chat import ChatError, read
from cm2.commands.spec import open_or_exit
from cm2.judge import MAX_NEW_TOKENS, JudgeLoadError, load_judge
from cm2.score import Scored, ScoreError, find_instance, score_all, verdict_records
from cm2.table import table
from cm2.trajectory import Trajectory
from cm2.verdict import Verdict

USER_ERROR = 2


@click.command()
@click.argument("spec", type=click.Path(exists=True, path_type=Path))
@click.argument("trajectories", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Write one JSON line a trajectory.")
@click.option("--task", help="The task of dialogues that name none.")
@click.option(
    "--judge-model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A transformers model directory that judges `ask` items.",
)
@click.option(
    "--judge-tokens",
    type=click.IntRange(1),
    default=MAX_NEW_TOKENS,
    show_default=True,
    help="Most tokens of one answer of the judge.",
)
def command(
    spec: Path,
    trajectories: Path,
    as_json: bool,
    task: str | None,
    judge_model: Path | None,
    judge_tokens: int,
) -> None:
    """Score TRAJECTORIES (OpenAI chat JSONL) with SPEC, a .cm2 file or a bundle.

    Exit code 2: the input is not what it should be, and nothing was scored.
    """
    bundle = open_or_exit(spec)
    dialogues = _read(trajectories, task)
    for dialogue in dialogues:
        try:
            find_instance(bundle, dialogue.task)
        except ScoreError as error:
            _fail(f"{trajectories}: dialogue `{dialogue.id}`: {error.message}", error.help)
    judge = None
    if judge_model is not None:
        try:
            judge = load_judge(judge_model, files=bundle.prompts, max_new_tokens=judge_tokens)
        except JudgeLoadError as error:
            _fail(str(error), None)
    scored = score_all(bundle, dialogues, judge)
    if as_json:
        for one in scored:
            click.echo(json.dumps(as_record(one), ensure_ascii=False))
        _say_unjudged(scored, err=True)
        return
    click.echo(_dialogue_table(scored) + "\n\n" + _item_table(scored) + "\n")
    _say_mean(scored)
    _say_unjudged(scored, err=False)


def _read(path: Path, task: str | None) -> list[Trajectory]:
    try:
        found = list(read(path))
    except ChatError as error:
        _fail(str(error), None)
    if not found:
        _fail(f"{path}: the file holds no dialogue", "write one JSON object a line")
    return [replace(one, task=one.task or task or "") for one in found]


def _fail(message: str, help: str | None) -> Any:
    click.echo(f"error: {message}", err=True)
    if help:
        click.echo(f"  = help: {help}", err=True)
    raise SystemExit(USER_ERROR)


def as_record(scored: Scored) -> dict[str, Any]:
    """A scored trajectory as JSON; `unjudged` items were left out of the weights."""
    return {
        "id": scored.trajectory.id,
        "task": scored.instance.id,
        "reward": scored.reward,
        "turn_rewards": scored.turn_rewards,
        "items": verdict_records(scored),
        "unjudged": list(scored.unjudged),
    }


def _dialogue_table(scored: Sequence[Scored]) -> str:
    rows = [
        [
            one.trajectory.id,
            one.instance.id,
            _number(one.reward),
            " ".join(_number(value) for value in one.turn_rewards),
            ", ".join(
                f"{name} ({decision.verdict})" if decision.verdict != Verdict.FAIL else name
                for name, decision in one.decisions.items()
                if decision.verdict is not Verdict.PASS
            ),
        ]
        for one in scored
    ]
    return table(["id", "task", "reward", "by turn", "not passed"], rows, right=(2,))


def _item_table(scored: Sequence[Scored]) -> str:
    counts: dict[str, Counter[Verdict]] = defaultdict(Counter)
    for one in scored:
        for name, decision in one.decisions.items():
            counts[f"{one.instance.task.name}.{name}"][decision.verdict] += 1
    rows = [
        [name, *(str(counted[verdict]) for verdict in Verdict)] for name, counted in counts.items()
    ]
    return table(["item", *(verdict.value for verdict in Verdict)], rows, right=(1, 2, 3, 4))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _say_mean(scored: Sequence[Scored]) -> None:
    rewards = [one.reward for one in scored if one.reward is not None]
    mean = f"{sum(rewards) / len(rewards):.3f}" if rewards else "-"
    without = len(scored) - len(rewards)
    note = f", {without} without a reward" if without else ""
    click.echo(f"mean reward {mean} over {len(rewards)} dialogues{note}")


def _say_unjudged(scored: Sequence[Scored], err: bool) -> None:
    names = list(
        dict.fromkeys(f"{one.instance.task.name}.{name}" for one in scored for name in one.unjudged)
    )
    if names:
        click.echo(
            f"no judge: {len(names)} items with an `ask` are left out of the weights"
            f" ({', '.join(names)}); name one with --judge-model",
            err=err,
        )
