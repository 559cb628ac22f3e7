"""Rollout tokens per second, beside a bare loop and TRL's own tool loop, and where the time goes.

    OMP_NUM_THREADS=1 python tests/bench/rollout.py [--policy DIR] [--plot docs/rollout_phases.png]

Plays specs/airline.cm2 with a cold-started tiny policy (`--policy`: a directory that holds one; a
new one takes half a minute). Every round runs all rivals in turn, in one process and one thread
each; the table has medians, and ratios within a round.

The bare loop is a batched key-value-cache loop over `model(...)` with transformers' DynamicCache
and `torch.multinomial`, and nothing else. It computes as many tokens as the rollouts do: each row's
prompt is all that the rollout was given (its opening and its tools' results), and each row samples
as many tokens as a rollout does on average. The second one is given the openings alone, so that it
computes about half as much: what an answer would cost if no tool said anything.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import numpy as np
import torch
from transformers import DynamicCache
from transformers.utils import logging

from cm2.bundle import Bundle, open_spec
from cm2.recordings import read_recordings
from cm2.rollout import codec, dialogue, stage
from cm2.rollout.dialogue import Limits
from cm2.rollout.local import LocalGenerator
from cm2.rollout.policy import Policy, load_policy
from cm2.rollout.stage import Played, Stage
from cm2.train.config import Tiny
from cm2.train.policy import cold_started
from cm2dsl.reward.instance import Instance, instances

ROOT = Path(__file__).parents[2]
LIMITS = Limits(steps=5, step_tokens=96, tokens=768)
FIRST_TURN = Limits(steps=5, step_tokens=96, tokens=768, turns=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--policy", type=Path)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    bundle = open_spec(ROOT / "specs" / "airline.cm2", allow_python=True)
    policy = policy_of(bundle, options.policy)
    policy.model.eval()
    rows = [one for one in instances(bundle.spec) if one.split == "train"]
    chosen = [rows[i * 7 % len(rows)] for i in range(options.batch)]
    # Siblings of a group share a row, as in training.
    chosen = [chosen[i - i % 8] for i in range(options.batch)]
    loops(bundle, policy, chosen, options.rounds, options.plot)
    tool_loops(bundle, policy, chosen, options.rounds)
    generate_batch(policy, bundle, chosen)


def policy_of(bundle: Bundle, folder: Path | None) -> Policy:
    if folder is not None and (folder / "config.json").exists():
        return load_policy(folder, bundle)
    training = {one.id for one in instances(bundle.spec) if one.split == "train"}
    seen = [one for one in read_recordings(bundle) if one.task in training]
    policy = cold_started(
        bundle, seen, Tiny(steps=400), positions=768, seed=0, on_step=lambda *_: None
    )
    if folder is not None:
        policy.save(folder)
    return policy


def stage_of(bundle: Bundle, policy: Policy, limits: Limits) -> Stage:
    return Stage(bundle, policy.codec, limits, read_recordings(bundle))


def seconds(work: Callable[[], Any], cpu: list[float] | None = None) -> tuple[float, Any]:
    """Seconds by the clock, and the result; those of this process on a core go to `cpu`."""
    busy, start = time.process_time(), time.perf_counter()
    found = work()
    took = time.perf_counter() - start
    if cpu is not None:
        cpu.append(time.process_time() - busy)
    return took, found


def sampled(played: Sequence[Played]) -> int:
    return sum(sum(one.rollout.mask) for one in played)


def middle(numbers: Sequence[float]) -> str:
    return f"{statistics.median(numbers):.2f} ({min(numbers):.2f} to {max(numbers):.2f})"


# --- bare loops -------------------------------------------------------------------------------


@torch.no_grad()
def bare(policy: Policy, prompts: Sequence[Sequence[int]], tokens: int) -> int:
    """Sample so many tokens in each row, all in lock-step; how many those are together."""
    model, longest = policy.model, max(map(len, prompts))
    ids = torch.full((len(prompts), longest), policy.codec.pad)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        mask[row, longest - len(prompt) :] = 1
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    cache = DynamicCache(config=model.config)
    for _ in range(tokens):
        logits = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        ids = torch.multinomial(logits.softmax(-1), 1)
        mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=1)
        positions = positions[:, -1:] + 1
    return tokens * len(prompts)


def given(played: Played) -> list[int]:
    """All tokens of a rollout that the policy did not sample, in order."""
    rollout = played.rollout
    told = [i for i, bit in zip(rollout.completion, rollout.mask, strict=True) if not bit]
    return [*rollout.prompt, *told]


def loops(
    bundle: Bundle, policy: Policy, rows: Sequence[Instance], rounds: int, plot: Path | None
) -> None:
    here = stage_of(bundle, policy, LIMITS)
    ends, pad = policy.ends, policy.codec.pad
    guarded = LocalGenerator(policy.model, ends=ends, pad=pad)
    plain = LocalGenerator(policy.model, ends=ends, pad=pad, band=0.0)
    figures: dict[str, list[float]] = {}
    times = Phases()
    for number in range(-1, rounds):
        keys = [(0, number + 1, i) for i in range(len(rows))]
        before = (guarded.usage.sampled, guarded.usage.exact)
        kept = dict(guarded.usage.seconds)
        cpu: list[float] = []
        with times:
            ours, played = seconds(lambda keys=keys: here.play(rows, guarded, keys), cpu)
        assert not any(one.masked for one in played)
        without, _ = seconds(lambda keys=keys: here.play(rows, plain, keys))
        tokens = sampled(played)
        each = round(tokens / len(rows))
        same, did = seconds(
            lambda p=played, n=each: bare(policy, [given(one) for one in p], n), cpu
        )
        short, _ = seconds(
            lambda p=played, n=each: bare(policy, [one.rollout.prompt for one in p], n)
        )
        if number < 0:  # the first round warms everything up
            times.seconds.clear()
            continue
        spent = {name: value - kept.get(name, 0.0) for name, value in guarded.usage.seconds.items()}
        times.add(spent, ours)
        for name, value in {
            "rollouts": tokens / ours,
            "bare loop, the same tokens": did / same,
            "bare loop, openings alone": did / short,
            "ratio": (tokens / ours) / (did / same),
            "ratio by CPU": (tokens / cpu[0]) / (did / cpu[1]),
            "ratio to openings alone": (tokens / ours) / (did / short),
            "ratio to unguarded": without / ours,
            "decided apart, per thousand": 1000
            * (guarded.usage.exact - before[1])
            / (guarded.usage.sampled - before[0]),
        }.items():
            figures.setdefault(name, []).append(value)
    print(f"{len(rows)} rollouts at once, {rounds} rounds, {each} sampled tokens a rollout\n")
    for name, values in figures.items():
        shown = (
            middle(values)
            if "ratio" in name or "per" in name
            else (f"{statistics.median(values):,.0f} tokens/s")
        )
        print(f"{name:32} {shown}")
    print("\nseconds by phase, a play")
    for name, value in times.table().items():
        print(f"{name:32} {value:.3f}")
    if plot is not None:
        draw(times.table(), plot)
    here.close()


# --- phases -----------------------------------------------------------------------------------


class Phases:
    """Seconds of the event loop's thread by what it works at, beside those of the policy's thread.

    While it is entered, the functions that these phases go through are timed.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self.now: dict[str, float] = {}

    def __enter__(self) -> Phases:
        self.now = {}
        self.undo: list[Callable[[], None]] = []
        self._time(codec.Codec, "_render", "templates")
        self._time(codec.Codec, "_ids", "tokenizing")
        self._time(codec.Codec, "text", "tokenizing")
        self._time(dialogue, "read", "reading calls")
        self._time(stage.ByChecks, "_scored", "scoring")
        tools = dialogue._Playing._answered

        async def timed(self_: Any, *given: Any) -> Any:
            start = time.perf_counter()
            try:
                return await tools(self_, *given)
            finally:
                took = time.perf_counter() - start
                self.now["waiting for tools"] = self.now.get("waiting for tools", 0.0) + took

        dialogue._Playing._answered = timed  # type: ignore[method-assign]
        self.undo.append(lambda: setattr(dialogue._Playing, "_answered", tools))
        return self

    def __exit__(self, *_: object) -> None:
        for undo in self.undo:
            undo()

    def _time(self, owner: Any, name: str, phase: str) -> None:
        plain = getattr(owner, name)

        def timed(*given: Any, **named: Any) -> Any:
            start = time.thread_time()
            try:
                return plain(*given, **named)
            finally:
                self.now[phase] = self.now.get(phase, 0.0) + time.thread_time() - start

        setattr(owner, name, timed)
        self.undo.append(lambda: setattr(owner, name, plain))

    def add(self, policy: dict[str, float], whole: float) -> None:
        names = {"exact": "policy: decided apart", "idle": "policy: idle"}
        for name, value in policy.items():
            self._put(names.get(name, f"policy: {name}"), value)
        # Rollouts wait for their tools at the same time: a mean a rollout, not a sum.
        for name, value in self.now.items():
            self._put(name, value)
        self._put("whole", whole)

    def _put(self, name: str, value: float) -> None:
        self.seconds.setdefault(name, []).append(value)

    def table(self) -> dict[str, float]:
        return {name: statistics.median(values) for name, values in sorted(self.seconds.items())}


def draw(table: dict[str, float], path: Path) -> None:
    """Two bars: the policy's thread, and the event loop's beside it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    whole = table["whole"]
    policy = {name[8:]: value for name, value in table.items() if name.startswith("policy: ")}
    loop = {
        name: table[name]
        for name in ("templates", "tokenizing", "reading calls", "scoring")
        if name in table
    }
    loop["waiting and the rest"] = max(0.0, whole - sum(loop.values()))
    figure, axes = pyplot.subplots(figsize=(8, 2.6), layout="constrained")
    colours = pyplot.get_cmap("tab20").colors
    number = 0
    for place, parts in ((1, policy), (0, loop)):
        left = 0.0
        for name, value in parts.items():
            axes.barh(place, value, left=left, color=colours[number], label=name, height=0.6)
            left += value
            number += 1
    axes.set_yticks([1, 0], ["the policy's thread", "dialogues, tools\nand scores"])
    axes.set_xlabel("seconds of one play")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7, frameon=False)
    figure.savefig(path, dpi=130)


# --- TRL's own tool loop ----------------------------------------------------------------------


def tool_loops(bundle: Bundle, policy: Policy, rows: Sequence[Instance], rounds: int) -> None:
    """The first turn of the same rows, with the same tools, by TRL's trainer and by ours."""
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer
    from trl.chat_template_utils import qwen3_template

    sys.path.insert(0, str(ROOT / "specs"))
    import airline_backend as backend

    by_id = {row.id: row for row in rows}

    class Desk:
        """The airline's systems for one dialogue, as TRL wants an environment."""

        def reset(self, row: str, **_: Any) -> None:
            self._state = backend.initial(dict(by_id[row].row.values))  # type: ignore[union-attr]

        def _call(self, name: str, **arguments: Any) -> str:
            return json.dumps(getattr(backend, name)(self._state, **arguments), ensure_ascii=False)

        def search(self, origin: str, destination: str, date: str) -> str:
            """Find flights.

            Args:
                origin: airport
                destination: airport
                date: day
            """
            return self._call("search", origin=origin, destination=destination, date=date)

        def book(self, flight: str, date: str, fare: str) -> str:
            """Book a seat.

            Args:
                flight: number
                date: day
                fare: basic or flex
            """
            return self._call("book", flight=flight, date=date, fare=fare)

        def lookup(self, booking: str) -> str:
            """Look a booking up.

            Args:
                booking: code
            """
            return self._call("lookup", booking=booking)

        def change(self, booking: str, date: str) -> str:
            """Change a booking.

            Args:
                booking: code
                date: new day
            """
            return self._call("change", booking=booking, date=date)

        def cancel(self, booking: str) -> str:
            """Cancel a booking.

            Args:
                booking: code
            """
            return self._call("cancel", booking=booking)

    here = stage_of(bundle, policy, FIRST_TURN)
    generator = LocalGenerator(policy.model, ends=policy.ends, pad=policy.codec.pad)
    once = here.play(rows, generator, [(9, 0, i) for i in range(len(rows))])
    openings = [one.rollout.trajectory.turns[0].user for one in once]
    tokenizer = policy.codec.tokenizer
    fields = {
        name: dict(value) if isinstance(value, dict) else value
        for name, value in qwen3_template["fields"].items()
    }
    fields["content"] = {"close_pattern": r"<\|end\|>\s*", "content": "text"}
    tokenizer.response_template = {
        "defaults": {"role": "assistant"},
        "start_anchor": "<|assistant|>",
        "fields": fields,
    }
    inputs = [
        {"prompt": [{"role": "user", "content": words}], "row": row.id}
        for words, row in zip(openings, rows, strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        trainer = GRPOTrainer(
            model=policy.model,
            processing_class=tokenizer,
            reward_funcs=[lambda completions, **_: [0.0] * len(completions)],
            train_dataset=Dataset.from_list(inputs),
            environment_factory=Desk,
            args=GRPOConfig(
                output_dir=folder,
                per_device_train_batch_size=len(rows),
                num_generations=8,
                max_completion_length=700,
                max_tool_calling_iterations=LIMITS.steps - 1,
                generation_kwargs={"max_new_tokens": LIMITS.step_tokens},
                use_cpu=True,
                report_to="none",
                disable_tqdm=True,
            ),
        )
        spent: list[tuple[float, int]] = []
        inner = trainer._generate

        def timed(prompts: list[Any]) -> Any:
            took, found = seconds(lambda: inner(prompts))
            spent.append((took, sum(map(sum, found[2])) if found[2] else 0))
            return found

        trainer._generate = timed
        ratios, ours, theirs = [], [], []
        for number in range(-1, rounds):
            keys = [(9, number + 2, i) for i in range(len(rows))]
            policy.model.eval()
            took, played = seconds(lambda keys=keys: here.play(rows, generator, keys))
            policy.model.train()
            trainer._generate_and_score_completions([dict(one) for one in inputs])
            if number < 0:
                continue
            ours.append(sampled(played) / took)
            theirs.append(spent[-1][1] / spent[-1][0])
            ratios.append(ours[-1] / theirs[-1])
        policy.model.eval()
    print("\nthe first turn, and the tools it calls")
    print(f"{'rollouts':32} {statistics.median(ours):,.0f} tokens/s")
    print(f"{'TRL, its own tool loop':32} {statistics.median(theirs):,.0f} tokens/s")
    print(f"{'ratio':32} {middle(ratios)}")
    here.close()


# --- transformers' continuous batching --------------------------------------------------------


def generate_batch(policy: Policy, bundle: Bundle, rows: Sequence[Instance]) -> None:
    """One message each after the openings, by transformers' `generate_batch` and by ours."""
    from transformers import GenerationConfig

    prompts = [policy.codec.opening(f"{row.id} {i}") for i, row in enumerate(rows)]
    generator = LocalGenerator(policy.model, ends=[], pad=policy.codec.pad)

    async def mine() -> int:
        async with generator:

            async def one(i: int) -> int:
                with generator.open(np.random.default_rng(i)) as line:
                    return len((await line.say(prompts[i], 32)).ids)

            return sum(await asyncio.gather(*(one(i) for i in range(len(prompts)))))

    ours, tokens = seconds(lambda: asyncio.run(mine()))
    config = GenerationConfig(
        max_new_tokens=32, do_sample=True, eos_token_id=-1, pad_token_id=policy.codec.pad
    )
    print("\none message of 32 tokens each")
    print(f"{'ours':32} {tokens / ours:,.0f} tokens/s")
    try:
        took, found = seconds(
            lambda: policy.model.generate_batch(inputs=prompts, generation_config=config)
        )
        made = sum(len(one.generated_tokens) for one in found.values())
        print(f"{'transformers generate_batch':32} {made / took:,.0f} tokens/s")
    except Exception as error:  # of any type: what it does on a CPU is the question
        print(f"{'transformers generate_batch':32} {type(error).__name__}: {str(error)[:200]}")


if __name__ == "__main__":
    main()
