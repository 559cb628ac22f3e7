"""The options of `cm2 train` that are fields of a run's config, and where in it each is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from cm2.train.presets import PRESETS

FIELDS: Mapping[str, str] = {
    "model": "model",
    "seed": "seed",
    "steps": "steps",
    "group": "group",
    "groups": "groups",
    "micro_batch": "micro_batch",
    "learning_rate": "learning_rate",
    "loss": "loss",
    "beta": "beta",
    "gradient_checkpointing": "gradient_checkpointing",
    "keep": "keep",
    "report_to": "report_to",
    "level": "credit.level",
    "scale": "credit.scale",
    "unreached": "credit.unreached",
    "baseline": "credit.baseline",
    "at": "credit.at",
    "min_group": "credit.min_group",
    "temperature": "sampling.temperature",
    "draw": "rows.draw",
    "resample": "rows.resample",
    "validate_every": "validation.every",
    "patience": "validation.patience",
    "lora": "lora.rank",
}
"""An option's name, and the field that it sets."""

_LOSSES = ["dapo", "grpo", "bnpo", "dr_grpo", "cispo", "sapo", "luspo", "vespo"]
_COUNT = click.IntRange(min=1)
_NUMBER = click.IntRange(min=0)
_POSITIVE = click.FloatRange(min=0, min_open=True)

_OPTIONS = (
    click.option(
        "--model",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="A transformers model directory; without it, a tiny policy is built and cold-started.",
    ),
    click.option(
        "--preset",
        type=click.Choice(list(PRESETS)),
        help="Settings to start from; `tiny` where no model is given.",
    ),
    click.option(
        "--config",
        "run_file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A TOML file of settings, which win over the preset's.",
    ),
    click.option(
        "--set",
        "set_",
        multiple=True,
        metavar="KEY=VALUE",
        help="Any setting, such as lora.rank=8 or trl.optim=adafactor; wins over all others.",
    ),
    click.option("--show-config", is_flag=True, help="Print all settings as they are, and end."),
    click.option("--seed", type=_NUMBER, help="What all chance is drawn from  [0]"),
    click.option("--steps", type=_COUNT, help="GRPO steps."),
    click.option("--group", type=click.IntRange(min=2), help="Rollouts of one row in a step."),
    click.option("--groups", type=_COUNT, help="Rows in a step."),
    click.option("--micro-batch", type=_COUNT, help="Rollouts in one forward pass."),
    click.option("--learning-rate", type=_POSITIVE, help="The highest of the schedule."),
    click.option(
        "--loss", type=click.Choice(_LOSSES), help="How tokens are weighed (TRL's names)."
    ),
    click.option(
        "--beta", type=click.FloatRange(min=0), help="Weight of the KL divergence from the start."
    ),
    click.option("--temperature", type=_POSITIVE, help="Of the policy's sampling."),
    click.option(
        "--level",
        type=click.Choice(["trajectory", "turn", "step"]),
        help="What an advantage is given to; as the spec's `assign` says where this is left out.",
    ),
    click.option(
        "--scale", type=click.Choice(["none", "std"]), help="What advantages are divided by."
    ),
    click.option(
        "--unreached",
        type=click.Choice(["zero", "mask"]),
        help="What turns that were not reached are worth.",
    ),
    click.option(
        "--baseline",
        type=click.Choice(["all", "reached"]),
        help="Whose mean a turn's reward is compared with.",
    ),
    click.option("--at", metavar="TURN,…", help="The turns that carry reward."),
    click.option(
        "--min-group",
        type=click.IntRange(min=2),
        help="Rollouts that must count for a group to teach anything.",
    ),
    click.option(
        "--draw",
        type=click.Choice(["uniform", "difficulty"]),
        help="Which rows a step plays: in turn, or rather those whose rewards lie apart.",
    ),
    click.option(
        "--resample",
        type=_NUMBER,
        metavar="K",
        help="Groups that a step may play in place of those that teach nothing.",
    ),
    click.option("--validate-every", type=_NUMBER, metavar="N", help="Validate every N steps."),
    click.option(
        "--patience",
        type=_NUMBER,
        metavar="N",
        help="Stop after N validations without a gain.",
    ),
    click.option(
        "--keep",
        type=click.Choice(["best", "last"]),
        help="Which policy is the result, where there is validation  [best]",
    ),
    click.option("--lora", type=_COUNT, metavar="RANK", help="Train an adapter of this rank."),
    click.option(
        "--gradient-checkpointing/--no-gradient-checkpointing",
        default=None,
        help="Compute activations twice rather than keep them.",
    ),
    click.option(
        "--report-to",
        multiple=True,
        metavar="NAME",
        help="Where else metrics go: tensorboard, wandb, trackio, …",
    ),
)


def config_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Those options, and `preset`, `run_file`, `set_` and `show_config`, for a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def as_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, as a tree of a config's fields."""
    said: dict[str, Any] = {}
    for name, value in given.items():
        if value is None or value == ():
            continue
        *tables, last = FIELDS[name].split(".")
        inner = said
        for table in tables:
            inner = inner.setdefault(table, {})
        inner[last] = _plain(name, value)
    return said


def _plain(name: str, value: Any) -> Any:
    if name == "at":
        return [turn.strip() for turn in value.split(",")]
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
