"""`cm2 credit`: groups of verdicts in, rewards and advantages out, one JSON line a group."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click
from pydantic import BaseModel, ConfigDict, ValidationError

from cm2.jsonl import JsonError, lines, parse
from cm2dsl.diagnostic import suggest
from cm2dsl.reward.credit import (
    Baseline,
    CreditError,
    CreditItem,
    CreditTask,
    CreditTurn,
    Level,
    RolloutCredit,
    Scale,
    Unreached,
    Verdicts,
    assign,
)

SHOWN = 20  # faults printed; the rest is counted


class _Record(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _Item(_Record):
    id: str
    weight: float = 1.0
    after: list[str] = []
    strict: bool = False
    veto: bool = False
    penalty: float = 0.0


class _Turn(_Record):
    name: str
    items: list[_Item] = []


class _Task(_Record):
    turns: list[_Turn]
    items: list[_Item] = []


class _Rollout(_Record):
    turns: list[list[dict[str, bool | None]]]
    dialogue: list[dict[str, bool | None]] = []


class _Group(_Record):
    task: _Task
    rollouts: list[_Rollout]


_RECORDS: dict[str, type[_Record]] = {
    "": _Group,
    "task": _Task,
    "turns": _Turn,
    "items": _Item,
    "rollouts": _Rollout,
}

_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "an object",
    "float_type": "a number",
    "list_type": "a list",
    "model_type": "an object",
    "string_type": "a string",
}


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--level", type=click.Choice(["trajectory", "turn", "step"]), required=True)
@click.option(
    "--scale",
    type=click.Choice(["none", "std"]),
    default="none",
    show_default=True,
    help="Divide by nothing, or by the group's standard deviation.",
)
@click.option(
    "--unreached",
    type=click.Choice(["zero", "mask"]),
    default="zero",
    show_default=True,
    help="A turn that a rollout never reached is worth 0, or is left out.",
)
@click.option(
    "--baseline",
    type=click.Choice(["all", "reached"]),
    help="Turn level: whether an unreached turn counts as 0 in the group's mean. "
    "[default: all under `--unreached zero`, reached under `mask`]",
)
@click.option(
    "--at",
    metavar="TURN,…",
    help="The turns that carry reward (`dialogue` is the task scope).  [default: all]",
)
def command(
    file: str,
    level: Level,
    scale: Scale,
    unreached: Unreached,
    baseline: Baseline | None,
    at: str | None,
) -> None:
    """Turn groups of verdicts into rewards and advantages.

    FILE has one group a line (`-` reads standard input):

    \b
    {"task": {"turns": [{"name": "t0", "items": [{"id": "a"}, {"id": "b", "after": ["a"]}]}]},
     "rollouts": [{"turns": [[{"a": true, "b": false}, {"a": true, "b": null}]]}]}

    `rollouts[i].turns[t][s]` has the verdict on each item after step s; null is an error. Nothing
    is written unless every line is right.
    """
    turns = None if at is None else [name.strip() for name in at.split(",")]
    name = "<stdin>" if file == "-" else file
    written: list[str] = []
    faults: list[str] = []
    with click.open_file(file, "rb") as opened:
        for number, line in lines(opened):
            try:
                task, rollouts = _read(line)
                credit = assign(
                    task,
                    rollouts,
                    level=level,
                    scale=scale,
                    unreached=unreached,
                    baseline=baseline,
                    at=turns,
                )
            except CreditError as error:
                faults.append(f"{name}:{number}: error: {error.message}\n  = help: {error.help}")
            else:
                group = {"rollouts": [_record(rollout) for rollout in credit]}
                written.append(json.dumps(group, allow_nan=False))
    if faults:
        more = [f"and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
        click.echo("\n".join(faults[:SHOWN] + more), err=True)
        raise SystemExit(2)
    if written:
        click.echo("\n".join(written))


def _record(rollout: RolloutCredit) -> dict[str, Any]:
    return {
        "reward": rollout.reward,
        "turn_rewards": rollout.turn_rewards,
        "advantages": rollout.advantages,
    }


def _read(line: bytes) -> tuple[CreditTask, list[Verdicts]]:
    """The task and the verdicts of one line. Raises CreditError."""
    try:
        value = parse(line)
    except JsonError as error:
        raise CreditError(error.message, error.help) from None
    try:
        group = _Group.model_validate(value)
    except ValidationError as error:
        raise _explain(error) from None
    turns = tuple(CreditTurn(turn.name, _items(turn.items)) for turn in group.task.turns)
    rollouts = [Verdicts(rollout.turns, rollout.dialogue) for rollout in group.rollouts]
    return CreditTask(turns, _items(group.task.items)), rollouts


def _items(items: Sequence[_Item]) -> tuple[CreditItem, ...]:
    return tuple(
        CreditItem(i.id, i.weight, tuple(i.after), i.strict, i.veto, i.penalty) for i in items
    )


def _explain(error: ValidationError) -> CreditError:
    """The first fault of a line that has the wrong shape."""
    fault = error.errors(include_url=False, include_context=False)[0]
    *parents, last = fault["loc"] or [""]
    owner = next((name for name in reversed(parents) if isinstance(name, str)), "")
    known = [f"`{name}`" for name in _RECORDS.get(owner, _Group).model_fields]
    if fault["type"] == "missing":
        message = f"{_path(parents)}`{last}` is missing"
        return CreditError(message, f"the keys here are {', '.join(known)}")
    if fault["type"] == "extra_forbidden":
        names = list(_RECORDS.get(owner, _Group).model_fields)
        return CreditError(f"{_path(parents)}unknown key `{last}`", suggest(str(last), names))
    expected = _EXPECTED.get(fault["type"], "something else")
    verdict = owner in ("turns", "dialogue") and fault["type"] == "bool_type"
    found = json.dumps(fault["input"], ensure_ascii=False)
    shown = found if len(found) <= 40 else f"{found[:39]}…"
    return CreditError(
        f"{_path(fault['loc'])}found `{shown}`",
        f"expected {expected}{' (or null for an error)' if verdict else ''}",
    )


def _path(loc: Sequence[Any]) -> str:
    """`rollouts[0].turns[1][2].a: `, and nothing for the line itself."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return f"{text.removeprefix('.')}: " if text else ""
