"""The runtime of checklist rewards: trajectories to verdicts, to credit, to training.

    open_spec(path)               a .cm2 file or a bundle folder, ready to score with
    instances(spec)               the tasks of a spec, one for each row
    read_chat(path)               trajectories out of OpenAI chat JSONL
    score_all(bundle, many)       verdicts with evidence, and the rewards
    load_judge(dir)               a judge for `ask` items, from a transformers directory
    assign(task, rollouts, ...)   rewards and advantages of a group

Names are imported when they are first used; no model library is, before it is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cm2.bundle import Bundle, open_spec
    from cm2.judge import Judge, load_judge
    from cm2.score import score_all
    from cm2.trajectory import Trajectory
    from cm2dsl.chat import read as read_chat
    from cm2dsl.reward.card import Scored
    from cm2dsl.reward.credit import RolloutCredit, assign
    from cm2dsl.reward.instance import Instance, instances
    from cm2dsl.reward.verdict import Decision, Verdict

__all__ = [
    "Bundle",
    "Decision",
    "Instance",
    "Judge",
    "RolloutCredit",
    "Scored",
    "Trajectory",
    "Verdict",
    "assign",
    "instances",
    "load_judge",
    "open_spec",
    "read_chat",
    "score_all",
]

_HOMES = {
    "Bundle": "cm2.bundle",
    "Decision": "cm2dsl.reward.verdict",
    "Instance": "cm2dsl.reward.instance",
    "Judge": "cm2.judge",
    "RolloutCredit": "cm2dsl.reward.credit",
    "Scored": "cm2dsl.reward.card",
    "Trajectory": "cm2.trajectory",
    "Verdict": "cm2dsl.reward.verdict",
    "assign": "cm2dsl.reward.credit",
    "instances": "cm2dsl.reward.instance",
    "load_judge": "cm2.judge",
    "open_spec": "cm2.bundle",
    "score_all": "cm2.score",
}


def __getattr__(name: str) -> Any:
    if name == "read_chat":
        return import_module("cm2dsl.chat").read
    if name not in _HOMES:
        raise AttributeError(f"module `cm2` has no attribute `{name}`")
    return getattr(import_module(_HOMES[name]), name)
