"""What happens during training, as a progress bar and as the lines of two logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback

from cm2.rollout.generator import Usage
from cm2.rollout.report import record
from cm2.train.clock import Clock
from cm2.train.folder import METRICS, ROLLOUTS, RunFolder
from cm2.train.meter import Meter
from cm2.train.metrics import flat, peak_memory, step_figures, trl_figures
from cm2.train.report import shown
from cm2.train.step import Step


class Watch(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Writes one line a step to metrics.jsonl, and every rollout to rollouts.jsonl.

    The same numbers go to whatever else TRL reports to: `figures` is asked for them before it does.
    """

    def __init__(
        self,
        folder: RunFolder,
        steps: int,
        meter: Meter,
        clock: Clock,
        usage: Usage,
        waited: Mapping[str, float],
    ) -> None:
        """`clock` counts the phases of a step; `usage` is the generator's, `waited` the stage's."""
        self._folder = folder
        self._meter = meter
        self._steps = steps
        self._clock = clock
        self._usage = usage
        self._waited = waited
        self._counted = self._counts()
        self._since: dict[str, float] = {}
        self._line: dict[str, Any] = {}
        self._bar: tqdm[Any] | None = None

    def saw(self, played: Step, step: int) -> None:
        """What step `step`, from 1, plays, before it is learned from."""
        learned = [record(one, "train", step) for one in played.played]
        besides = [
            {**record(one, "train", step), "learned": False}
            for group in played.left_out
            for one in group.played
        ]
        self._folder.append(ROLLOUTS, [*learned, *besides])
        before, self._counted = self._counted, self._counts()
        self._since = {name: n - before.get(name, 0.0) for name, n in self._counted.items()}
        self._line = {"step": step, **step_figures(played)}

    def validated(self, summary: Mapping[str, Any]) -> None:
        """A validation took place after the step; what it took is none of the next one's."""
        self._counted = self._counts()
        self._line["validation"] = {name: summary[name] for name in ("reward", "best", "best_step")}

    def figures(self) -> dict[str, float]:
        """The step is over: its numbers, one level deep. All ranks ask for them together."""
        seconds, phases = self._clock.read()
        played = phases.get("play", 0.0)
        rest = seconds - sum(phases.values())
        self._line |= {
            "seconds": round(seconds, 3),
            "phases": {
                name: round(spent, 3)
                for name, spent in (
                    *phases.items(),
                    ("update", rest),
                    *self._since.items(),
                )
            },
            "tokens_per_second": round(self._line["tokens"] / played, 1) if played else None,
            "memory": peak_memory(),
            **self._meter.read(),
        }
        return dict(flat(self._line))

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._clock.read()
        self._counted = self._counts()  # what was played before is no step's
        done = state.global_step * self._steps // state.max_steps
        self._bar = tqdm(total=self._steps, initial=done, desc="training", unit="step")

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
        if "loss" not in logs:
            return
        self._folder.append(METRICS, [{**self._line, **trl_figures(logs)}])
        if self._bar is not None:
            self._bar.set_postfix(reward=shown(self._line["reward"]), refresh=False)
            self._bar.update()

    def close(self) -> None:
        """Training is over, or was broken off."""
        if self._bar is not None:
            self._bar.close()

    def _counts(self) -> dict[str, float]:
        """The seconds of parts of `play` since the run began, by name."""
        return {
            **{f"play/{name}": spent for name, spent in self._usage.seconds.items()},
            **{f"waited/{name}": spent for name, spent in self._waited.items()},
        }
