"""What a step of training changes, against the losses as their papers write them.

The rival below takes each rollout alone, without padding and without passes: its tokens, the bits
that say which were sampled, and the advantages by (turn, step). An update of plain gradient descent
has to move every weight by the learning rate times the rival's gradient.

Losses: GRPO (arXiv 2402.03300, eq. 3), DAPO (2503.14476, eq. 8), Dr. GRPO (2503.20783, section
3.2), CISPO (2506.13585, eq. 4), SAPO (2511.20347), LUSPO (2602.05261); the KL term by the estimator
of GRPO's eq. 4, weighed by the ratio (DeepSeek-V3.2, 2512.02556) unless GRPO's own is asked for.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from rollout_doubles import Script, desk, tiny_tokenizer, tool_call
from transformers import AutoModelForCausalLM

from cm2.bundle import Bundle
from cm2.rollout.codec import Codec
from cm2.rollout.dialogue import Limits
from cm2.rollout.stage import Played, Stage
from cm2.train.arguments import grpo_arguments, updates_of
from cm2.train.config import Config, Credit, Sampling, Tiny
from cm2.train.credit import group_credit
from cm2.train.tiny import build_model
from cm2.train.trainer import ChecklistTrainer, columns
from cm2dsl.reward.credit import RolloutCredit
from cm2dsl.reward.instance import instances

LOOK_UP = tool_call("lookup", booking="AB12")
SCRIPTS = [
    [LOOK_UP, "AB12 is there", tool_call("cancel", booking="AB12"), "done"],
    [LOOK_UP, "it is there", "done"],
    ["no"],
    [tool_call("lookup", booking="BROKEN")],  # masked
    [LOOK_UP, "AB12", '<tool_call>\n{"name": cancel}\n</tool_call>', "sorry"],
    [LOOK_UP, "AB12 is there", "done"],
    [LOOK_UP, "AB12, I believe", "a long answer that says nothing of what is asked for"],
    ["AB12 is there"],
]
RATE = 0.5
SGD = {"optim": "sgd"}
GRPO_KL = {"use_bias_correction_kl": False}
PLAIN = Config(
    steps=1,
    group=8,
    groups=1,
    micro_batch=8,
    learning_rate=RATE,
    schedule="constant",
    warmup=0,
    max_grad_norm=1e9,
    limits=Limits(steps=3, step_tokens=64, tokens=1024),
    credit=Credit(level="step"),
    trl=SGD,
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return desk(tmp_path_factory.mktemp("desk"))


def trained(
    bundle: Bundle, folder: Path, config: Config
) -> tuple[Any, Any, list[Any], list[Any], list[list[int]]]:
    """A model before and after one step of training, the step's rollouts and their credit, and for
    each pass the numbers of the rollouts that went through it."""
    codec = Codec(tiny_tokenizer(), system=bundle.spec.system)
    stage = Stage(bundle, codec, config.limits, [])
    instance = instances(bundle.spec)[0]
    step: tuple[list[Played], list[RolloutCredit]] = ([], [])

    passes: list[list[int]] = []

    class Watched(ChecklistTrainer):
        def _compute_loss(self, model: Any, inputs: Any) -> Any:
            lengths = inputs["completion_mask"].sum(1).tolist()
            said = [
                row[:n] for row, n in zip(inputs["completion_ids"].tolist(), lengths, strict=True)
            ]
            known = [one.rollout.completion for one in step[0]]
            passes.append([known.index(one) for one in said])
            return super()._compute_loss(model, inputs)

    def rollouts(prompts: list[str], trainer: Any) -> dict[str, Any]:
        keys = [(0, i) for i in range(len(prompts))]
        played = stage.play([instance] * len(prompts), Script(codec, SCRIPTS), keys)
        credit = group_credit(played, config.credit)
        step[0].extend(played)
        step[1].extend(credit)
        return columns(played, credit)

    before = build_model(codec.tokenizer, Tiny(hidden=16, spread=0.3), positions=512, seed=0)
    before.save_pretrained(folder / "start")  # the reference of the KL term is read from it
    model = AutoModelForCausalLM.from_pretrained(folder / "start")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = Watched(
            model=model,
            processing_class=codec.tokenizer,
            args=grpo_arguments(config, folder),
            train_dataset=Dataset.from_dict({"prompt": [instance.id]}),
            rollout_func=rollouts,
            truncate=config.truncate,
        )
        trainer.train()
    assert trainer.state.global_step == updates_of(config)
    return before, model, *step, passes


Tokens = tuple[torch.Tensor, torch.Tensor]


def spoken(model: Any, one: Played, credit: RolloutCredit, temperature: float) -> Tokens:
    """The log-probability and the advantage of each token that counts: (n,) and (n,)."""
    rollout = one.rollout
    ids = torch.tensor([[*rollout.prompt, *rollout.completion]])
    logits = model(input_ids=ids).logits[0, len(rollout.prompt) - 1 : -1] / temperature
    said = logits.log_softmax(-1)[range(len(rollout.completion)), rollout.completion]
    sampled = [i for i, bit in enumerate(rollout.mask) if bit and not one.masked]
    places = [rollout.places[i] for i in sampled]
    worth = [credit.advantages[place[0]][place[1]] for place in places if place is not None]
    assert len(worth) == len(sampled)
    return said[sampled], torch.tensor(worth)


def rival(
    config: Config, now: Sequence[Tokens], old: Sequence[Any], first: Sequence[Any], part: set[int]
) -> Any:
    """The loss of the rollouts of a step that an update learns from, from all their
    log-probabilities now, when they were played, and to the policy at the start."""
    high = config.epsilon if config.epsilon_high is None else config.epsilon_high
    losses = []
    for i in sorted(part):
        (said, worth), then, reference = now[i], old[i], first[i]
        ratio = (said - then).exp()
        if config.truncate is not None:  # the scripts say of each token that it had e^-1
            worth = worth * (then + 1.0).exp().clamp(max=config.truncate)
        if config.loss == "cispo":
            loss = -ratio.detach().clamp(max=high) * worth * said
        elif config.loss == "sapo":
            softness = torch.where(worth > 0, 1.0, 1.05)
            loss = -4 / softness * torch.sigmoid(softness * (ratio - 1)) * worth
        else:
            if config.loss == "luspo" and len(said):  # of the dialogue: a geometric mean
                ratio = (said - then).mean().exp()
            clipped = ratio.clamp(1 - config.epsilon, 1 + high)
            loss = -torch.min(ratio * worth, clipped * worth)
        gap = reference - said
        weight = ratio if config.trl.get("use_bias_correction_kl", True) else 1.0
        losses.append(loss + config.beta * weight * (gap.exp() - gap - 1))
    tokens = sum(len(loss) for loss in old) / config.updates
    if config.loss == "luspo":
        return sum(loss.sum() for loss in losses) / len(losses)
    if config.loss in ("grpo", "sapo"):
        return sum(loss.sum() / max(len(loss), 1) for loss in losses) / len(losses)
    if config.loss == "dr_grpo":
        return sum(loss.sum() for loss in losses) / (len(losses) * config.limits.tokens)
    return sum(loss.sum() for loss in losses) / tokens  # dapo, cispo, and bnpo in one pass


WAYS = {
    "dapo": PLAIN,
    "dapo in four passes": replace(PLAIN, micro_batch=2),
    "by trajectory": replace(PLAIN, micro_batch=2, credit=Credit(level="trajectory", scale="std")),
    "by turn, unreached masked": replace(PLAIN, credit=Credit(level="turn", unreached="mask")),
    "grpo": replace(PLAIN, loss="grpo"),
    "grpo in four passes": replace(PLAIN, loss="grpo", micro_batch=2),
    "dr_grpo in four passes": replace(PLAIN, loss="dr_grpo", micro_batch=2),
    "bnpo": replace(PLAIN, loss="bnpo"),
    "sapo in four passes": replace(PLAIN, loss="sapo", iterations=2, micro_batch=2),
    "luspo in four passes": replace(
        PLAIN, loss="luspo", learning_rate=0.01, iterations=2, micro_batch=2
    ),
    "dapo in two parts, twice": replace(PLAIN, updates=2, iterations=2, micro_batch=2, beta=0.3),
    "grpo in two parts": replace(PLAIN, loss="grpo", updates=2, micro_batch=4),
    "cispo in four passes": replace(PLAIN, loss="cispo", epsilon_high=5.0, micro_batch=2),
    "KL": replace(PLAIN, beta=0.3, iterations=2, micro_batch=4),
    "KL as GRPO has it": replace(PLAIN, beta=0.3, iterations=2, trl=SGD | GRPO_KL),
    "clipped": replace(PLAIN, iterations=3, epsilon=0.02, epsilon_high=0.05, micro_batch=2),
    "cispo, clipped": replace(PLAIN, loss="cispo", iterations=3, epsilon_high=0.02),
    "another temperature": replace(PLAIN, sampling=Sampling(temperature=0.7), iterations=2),
    "truncated": replace(PLAIN, truncate=0.008, micro_batch=4),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_update_goes_down_the_gradient_of_the_loss_as_it_is_written(
    bundle: Bundle, tmp_path: Path, way: str
) -> None:
    config = WAYS[way]
    before, after, played, credit, passes = trained(bundle, tmp_path, config)
    assert [one.masked for one in played] == [False] * 3 + [True] + [False] * 4
    heat = config.sampling.temperature
    model = copy.deepcopy(before).eval()

    def all_spoken() -> list[Tokens]:
        return [spoken(model, one, its, heat) for one, its in zip(played, credit, strict=True)]

    old = [said.detach() for said, _ in all_spoken()]
    amount = len(passes) // updates_of(config)
    for update in range(updates_of(config)):
        part = {i for one in passes[update * amount :][:amount] for i in one}
        assert len(part) == 8 // config.updates
        model.zero_grad()
        rival(config, all_spoken(), old, old, part).backward()
        with torch.no_grad():
            for weight in model.parameters():
                if weight.grad is not None:
                    weight -= config.learning_rate * weight.grad
    moved = 0.0
    for (name, found), first, expected in zip(
        after.named_parameters(), before.parameters(), model.parameters(), strict=True
    ):
        step = (expected - first).abs().max().item()
        moved = max(moved, step)
        assert (found - expected).abs().max().item() <= 1e-6 + 1e-3 * step, name
    assert moved > 1e-4, "an update that moves nothing shows nothing"
