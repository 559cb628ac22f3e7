"""What happens during training, as a progress bar and as the lines of two logs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback

from cm2.rollout.report import record, summarise
from cm2.rollout.stage import Played
from cm2.train.folder import METRICS, ROLLOUTS, RunFolder
from cm2.train.meter import Meter


class Watch(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Writes one line a step to metrics.jsonl, and every rollout to rollouts.jsonl."""

    def __init__(self, folder: RunFolder, steps: int, meter: Meter) -> None:
        self._folder = folder
        self._meter = meter
        self._steps = steps
        self._played: Sequence[Played] = ()
        self._since = time.monotonic()
        self._bar: tqdm[Any] | None = None

    def saw(self, played: Sequence[Played], step: int) -> None:
        """The rollouts that step `step` learns from."""
        self._played = played
        self._folder.append(ROLLOUTS, (record(one, "train", step) for one in played))

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._since = time.monotonic()
        self._bar = tqdm(total=self._steps, initial=state.global_step, desc="training", unit="step")

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
        if "loss" not in logs:
            return
        spent = self._meter.read()
        now = time.monotonic()
        shown = summarise(self._played)
        line = {
            "step": state.global_step,
            "reward": shown["reward"],
            "well_formed": shown["well_formed"],
            "items": shown["items"],
            "tasks": shown["tasks"],
            "seconds": round(now - self._since, 3),
            "tokens": sum(sum(one.rollout.mask) for one in self._played),
            "rollouts": shown["rollouts"],
            "masked": shown["masked"],
            "masked_by": shown["masked_by"],
            **({"verdicts": shown["verdicts"]} if "verdicts" in shown else {}),
            **spent,
            "loss": logs["loss"],
            "entropy": logs.get("entropy"),
            "grad_norm": logs.get("grad_norm"),
            "learning_rate": logs.get("learning_rate"),
        }
        self._since = now
        self._folder.append(METRICS, [line])
        if self._bar is not None:
            self._bar.set_postfix(reward=f"{shown['reward'] or 0:.2f}", refresh=False)
            self._bar.update()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._bar is not None:
            self._bar.close()
