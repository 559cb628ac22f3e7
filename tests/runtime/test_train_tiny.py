"""Facts about the tiny policy: its tokenizer, its saved form, and what it is cold-started on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from rollout_doubles import CORPUS, tiny_tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from cm2.rollout.codec import Codec
from cm2.train.coldstart import cold_start, encode
from cm2.train.config import Tiny
from cm2.train.folder import RunError
from cm2.train.policy import cold_started
from cm2.train.relabel import Relabeller
from cm2.train.tiny import build_model
from cm2.trajectory import Call, Step, Trajectory, Turn

TEXTS = [
    *CORPUS,
    "航班KF482，5月19日",
    "Ünïcödé 🛫 <tool_call>\n{}\n</tool_call>",
    '{"a": [1, 2.5]}',
]


def recording(code: str, looked_up: str | None = None) -> Trajectory:
    call = Call("c", "lookup", {"booking": looked_up or code}, "", f'{{"booking":"{code}"}}')
    steps = (Step(calls=(call,)), Step(reply=f"{code} is cancelled, refund 120 EUR."))
    return Trajectory("r", "cancel/1", (Turn(f"Please cancel {code}.", steps),))


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_survives_the_tokenizer(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_digits_and_capitals_are_tokens_of_their_own(tokenizer):
    tokens = tokenizer.tokenize("booking AB12, KF482")
    for char in "AB12KF48":
        assert char in tokens


def test_a_saved_policy_is_an_ordinary_transformers_directory(tokenizer, tmp_path):
    model = build_model(tokenizer, Tiny(hidden=32), positions=256, seed=0)
    tokenizer.save_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    for text in TEXTS:
        assert again(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert again.chat_template == tokenizer.chat_template
    ids = torch.arange(40).unsqueeze(0)
    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(tmp_path)(ids).logits
        assert torch.equal(logits, model(ids).logits)


def test_a_recording_is_the_tokens_of_a_rollout_and_only_the_assistant_counts(tokenizer):
    codec = Codec(tokenizer)
    example = encode(recording("AB12"), codec)
    assert tokenizer.decode(example.ids) == (
        "<|user|>Please cancel AB12.<|assistant|><tool_call>\n"
        '{"name": "lookup", "arguments": {"booking": "AB12"}}\n</tool_call><|end|>'
        '<|tool|>{"booking":"AB12"}<|assistant|>AB12 is cancelled, refund 120 EUR.<|end|>'
    )
    counted = [token for token, bit in zip(example.ids, example.mask, strict=True) if bit]
    assert tokenizer.decode(counted) == (
        '<tool_call>\n{"name": "lookup", "arguments": {"booking": "AB12"}}\n</tool_call><|end|>'
        "AB12 is cancelled, refund 120 EUR.<|end|>"
    )


def relabelled(tokenizer, trajectory: Trajectory, seed: int) -> str:
    example = encode(trajectory, Codec(tokenizer))
    relabel = Relabeller(tokenizer)
    ids = np.array(example.ids)
    other = relabel(ids, relabel.codes(ids, example.mask), np.random.default_rng(seed))
    return tokenizer.decode(other.tolist())


def test_a_relabelled_dialogue_has_another_code_and_has_it_everywhere(tokenizer):
    text = relabelled(tokenizer, recording("AB12"), 1)
    code = text.split("Please cancel ")[1][:4]
    assert code != "AB12"
    assert text.count(code) == 4
    assert code[0] != code[1]


def test_a_code_that_was_misread_stays_misread(tokenizer):
    text = relabelled(tokenizer, recording("AB12", looked_up="AB13"), 1)
    code = text.split("Please cancel ")[1][:4]
    assert text.count(code) == 3
    assert text.count(code[:3]) == 4


def test_what_an_agent_knows_is_not_relabelled(tokenizer):
    call = Call("c", "search", {"origin": "CAI", "date": "05-19"}, "", "[]")
    said = Trajectory("r", "t", (Turn("From Cairo on May 19", (Step(calls=(call,)),)),))
    text = relabelled(tokenizer, said, 3)
    assert '"origin": "CAI"' in text
    day = text.split("May ")[1][:2]
    assert day != "19"
    assert f'"date": "05-{day}"' in text


def test_cold_start_lowers_the_loss_and_is_the_same_for_the_same_seed(tokenizer):
    tiny = Tiny(hidden=32, steps=60, batch=4)
    codec = Codec(tokenizer)
    examples = [encode(recording(code), codec) for code in ("AB12", "CD34", "EF56", "GH78")]
    losses: list[list[float]] = []
    for _ in range(2):
        seen: list[float] = []
        model = build_model(tokenizer, tiny, positions=256, seed=3)
        cold_start(
            model,
            examples,
            tiny,
            relabel=Relabeller(tokenizer),
            pad=codec.pad,
            seed=3,
            on_step=lambda step, loss, seen=seen: seen.append(loss),
        )
        losses.append(seen)
    assert losses[0] == losses[1]
    assert losses[0][-1] < 0.5 * losses[0][0]


def test_heads_that_cannot_share_the_width_are_told_in_words(tokenizer):
    with pytest.raises(RunError, match=r"3 heads .* cannot share it.* a multiple of 6"):
        cold_started(None, [], Tiny(heads=3), positions=9, seed=0, on_step=lambda *_: None)
