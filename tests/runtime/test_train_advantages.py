"""The advantages that TRL's loss gets, (B, T), against numbers worked out by hand.

The checklist (weights normalised within the turn):
turn find: looks_up 1/2 strict, says 1/2 after looks_up;  turn act: cancels 3/4, confirms 1/4.

| rollout | find | act | R |
|---|---|---|---|
| 0 looks up, says it; cancels, says done | 1 | 1 | 1 |
| 1 looks up, does not say it; only says done | 1/2 | 1/4 | 3/8 |
| 2 does not look up: the dialogue ends | 0 | not reached: 0 | 0 |
| 3 looks up, says it; a malformed call, then sorry | 1 | 0 | 1/2 |

trajectory: mean R = 15/32.  turn: means 5/8 and 5/16.
step: b = looks_up 3/4, says 1/2, cancels 1/4, confirms 1/2.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from rollout_doubles import Script, desk, tiny_tokenizer, tool_call

from cm2.bundle import Bundle
from cm2.rollout.codec import Codec
from cm2.rollout.dialogue import Limits
from cm2.rollout.stage import Stage
from cm2.train.arguments import grpo_arguments
from cm2.train.config import Config, Credit, Tiny
from cm2.train.credit import assigned, group_credit
from cm2.train.tiny import build_model
from cm2.train.trainer import ChecklistTrainer, columns
from cm2dsl.reward.instance import instances

LOOK_UP = tool_call("lookup", booking="AB12")
SCRIPTS = [
    [LOOK_UP, "AB12 is there", tool_call("cancel", booking="AB12"), "done"],
    [LOOK_UP, "it is there", "done"],
    ["no"],
    [LOOK_UP, "AB12", '<tool_call>\n{"name": cancel}\n</tool_call>', "sorry"],
]
BY_HAND: dict[str, list[dict[tuple[int, int], float]]] = {
    "trajectory": [
        dict.fromkeys([(0, 0), (0, 1), (1, 0), (1, 1)], 17 / 32),
        dict.fromkeys([(0, 0), (0, 1), (1, 0)], -3 / 32),
        {(0, 0): -15 / 32},
        dict.fromkeys([(0, 0), (0, 1), (1, 0), (1, 1)], 1 / 32),
    ],
    "turn": [
        {(0, 0): 3 / 8, (0, 1): 3 / 8, (1, 0): 11 / 16, (1, 1): 11 / 16},
        {(0, 0): -1 / 8, (0, 1): -1 / 8, (1, 0): -1 / 16},
        {(0, 0): -5 / 8},
        {(0, 0): 3 / 8, (0, 1): 3 / 8, (1, 0): -5 / 16, (1, 1): -5 / 16},
    ],
    "step": [
        {(0, 0): 1 / 4, (0, 1): 1 / 2, (1, 0): 11 / 16, (1, 1): 1 / 2},
        {(0, 0): 1 / 4, (0, 1): -1 / 2, (1, 0): -1 / 16},
        {(0, 0): -3 / 4},
        {(0, 0): 1 / 4, (0, 1): 1 / 2, (1, 0): -5 / 16, (1, 1): -5 / 16},
    ],
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Bundle:
    return desk(tmp_path_factory.mktemp("desk"))


def trained_batch(
    bundle: Bundle,
    folder: Path,
    scripts: Sequence[Sequence[str]],
    level: Any,
    truncate: float | None = None,
    **credit: Any,
) -> tuple[dict[str, Any], list[Any], ChecklistTrainer]:
    """What the overridden method returns for one group, its rollouts, and the trainer."""
    bundle = assigned(bundle, Credit(**credit))
    codec = Codec(tiny_tokenizer(), system=bundle.spec.system)
    stage = Stage(bundle, codec, Limits(steps=3, step_tokens=64, tokens=1024), [])
    instance = instances(bundle.spec)[0]
    played: list[Any] = []

    def rollouts(prompts: list[str], trainer: Any) -> dict[str, Any]:
        keys = [(0, i) for i in range(len(prompts))]
        found = stage.play([instance] * len(prompts), Script(codec, scripts), keys)
        played.extend(found)
        return columns(found, group_credit(found, config.credit))

    config = Config(group=4, groups=1, micro_batch=4, credit=Credit(level=level, **credit))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = ChecklistTrainer(
            model=build_model(codec.tokenizer, Tiny(hidden=16), positions=512, seed=0),
            processing_class=codec.tokenizer,
            args=grpo_arguments(config, folder),
            train_dataset=Dataset.from_dict({"prompt": [instance.id]}),
            rollout_func=rollouts,
            truncate=truncate,
        )
    trainer.model.train()
    out = trainer._generate_and_score_completions([{"prompt": instance.id} for _ in range(4)])
    return out, played, trainer


@pytest.mark.parametrize("level", ["trajectory", "turn", "step"])
def test_every_sampled_token_has_the_advantage_of_its_step(bundle, tmp_path, level):
    out, played, trainer = trained_batch(bundle, tmp_path, SCRIPTS, level)
    assert out["advantages"].shape == out["completion_ids"].shape
    for row, one in enumerate(played):
        by_hand = BY_HAND[level][row]
        assert {place for place in one.rollout.places if place} == set(by_hand)
        for column, place in enumerate(one.rollout.places):
            expected = by_hand[place] if place else 0.0
            assert out["advantages"][row, column].item() == pytest.approx(expected, abs=1e-6)
        padding = out["advantages"][row, len(one.rollout.places) :]
        assert not padding.any()
    trainer.current_gradient_accumulation_steps = 1  # as Trainer sets it when training starts
    assert trainer.compute_loss(trainer.model, out).isfinite()


def test_the_levels_differ_in_the_advantages_alone(bundle, tmp_path):
    outs = [
        trained_batch(bundle, tmp_path, SCRIPTS, level)[0]
        for level in ("trajectory", "turn", "step")
    ]
    for key in set(outs[0]) - {"advantages"}:
        assert all((out[key] == outs[0][key]).all() for out in outs), key
    assert not (outs[0]["advantages"] == outs[1]["advantages"]).all()
    assert not (outs[1]["advantages"] == outs[2]["advantages"]).all()


def test_tool_results_and_user_turns_are_out_of_the_loss(bundle, tmp_path):
    out, played, _ = trained_batch(bundle, tmp_path, SCRIPTS, "trajectory")
    codec = Codec(tiny_tokenizer())
    row = played[0].rollout
    learned = [
        i for i, bit in zip(row.completion, out["tool_mask"][0].tolist(), strict=False) if bit
    ]
    text = codec.tokenizer.decode(learned)
    assert "fare" not in text
    assert "Cancel it." not in text
    assert text.count("<|end|>") == 4


def test_a_broken_tool_masks_its_rollout_and_leaves_the_others_as_if_it_were_not_there(
    bundle, tmp_path
):
    broken = [*SCRIPTS[:3], [tool_call("lookup", booking="BROKEN")]]
    out, played, _ = trained_batch(bundle, tmp_path, broken, "trajectory")
    assert played[3].rollout.stop == "tool_failure"
    assert played[3].scored.reward is None
    assert not out["advantages"][3].any()
    length = len(played[3].rollout.completion)
    assert not out["tool_mask"][3, :length].any()
    mean = (1 + 3 / 8 + 0) / 3
    for row, worth in enumerate([1, 3 / 8, 0]):
        assert out["advantages"][row, 0].item() == pytest.approx(worth - mean, abs=1e-6)


@pytest.mark.parametrize(
    ("level", "worth"),
    [
        ("turn", {0: 1 - 5 / 16, 1: 1 / 4 - 5 / 16, 3: -5 / 16}),
        ("step", {row: BY_HAND["step"][row][1, 0] for row in (0, 1, 3)}),
    ],
)
def test_a_rollout_that_reached_no_turn_that_counts_is_in_its_group_and_not_masked(
    bundle, tmp_path, level, worth
):
    """Rollout 2 ends before `act`, the only turn with reward: that is the policy's own doing. It
    counts as one that never satisfied anything there, and its tokens as tokens."""
    out, played, _ = trained_batch(
        bundle, tmp_path, SCRIPTS, level, at=("act",), unreached="mask", baseline="all"
    )
    assert [one.scored.reward for one in played] == [1.0, 0.25, None, 0.0]
    assert not any(one.masked for one in played)
    for row, expected in worth.items():
        column = played[row].rollout.places.index((1, 0))
        assert out["advantages"][row, column].item() == pytest.approx(expected, abs=1e-6)
    assert not out["advantages"][2].any()
    assert out["tool_mask"][2, : len(played[2].rollout.mask)].tolist() == played[2].rollout.mask


def test_a_tokens_importance_is_bounded_and_weighs_its_advantage(bundle, tmp_path):
    """The script says of each token that it had the log-probability -1."""
    plain, _, trainer = trained_batch(bundle, tmp_path, SCRIPTS, "turn")
    weighed = trained_batch(bundle, tmp_path, SCRIPTS, "turn", truncate=0.008)[0]["advantages"]
    ids = torch.cat([plain["prompt_ids"], plain["completion_ids"]], dim=1)
    mask = torch.cat([plain["prompt_mask"], plain["completion_mask"]], dim=1)
    with torch.no_grad():
        logits = trainer.model(input_ids=ids, attention_mask=mask).logits[:, :-1]
    logprobs = logits.log_softmax(-1).gather(2, ids[:, 1:].unsqueeze(2)).squeeze(2)
    width = plain["completion_ids"].shape[1]
    importance = (logprobs[:, -width:] + 1.0).exp()
    assert (importance > 0.008).any()
    assert (importance < 0.008).any()
    expected = plain["advantages"] * importance.clamp(max=0.008)
    sampled = plain["tool_mask"].bool() & plain["completion_mask"].bool()
    assert torch.allclose(weighed[sampled], expected[sampled], atol=1e-6)
    assert not weighed[~sampled].any()


def test_dropout_is_no_part_of_a_tokens_importance(bundle, tmp_path):
    out, _, trainer = trained_batch(bundle, tmp_path, SCRIPTS, "turn")
    exact = trainer._importance(out, 2.0)
    for layer in trainer.model.model.layers:
        layer.self_attn.attention_dropout = 0.5
    assert torch.equal(trainer._importance(out, 2.0), exact)
    assert trainer.model.training
