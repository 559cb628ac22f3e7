"""The transformers engine on real, randomly initialised models, decoding under the real schema."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import judge_models
import pytest
import torch
from judged import DIALOGUE, decided, item, question, spec
from tokenizers import Tokenizer

from cm2.judge import (
    Answer,
    Answered,
    EngineError,
    Failed,
    Judge,
    JudgeLoadError,
    Prompt,
    Question,
    load_judge,
)
from cm2.judge.engine import Usage
from cm2.judge.engines.transformers import TransformersEngine, load_engine
from cm2.judge.reading import read
from cm2.trajectory import Step
from cm2dsl import prompts
from cm2dsl.reward.verdict import Decision, Verdict

FILES = prompts.files()


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """A model this small is slower on several threads, and much slower beside other tests."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judge_models.save(tmp_path_factory.mktemp("model"), judge_models.byte_level())


@pytest.fixture(scope="module")
def judge(model_dir: Path) -> Judge:
    return load_judge(model_dir, batch=64)


def engine(directory: Path, *, max_tokens: int = 2048, batch_size: int = 8) -> TransformersEngine:
    return load_engine(directory, FILES, max_tokens=max_tokens, batch_size=batch_size)


def alike(answers: Sequence[Answer]) -> list[Answer]:
    """Answers without what it took to decode them, and without what floats decide.

    That probabilities are the same to four digits is tested in test_judge_prefix.py.
    """
    return [
        Answered(one.text) if isinstance(one, Answered) else replace(one, usage=Usage())
        for one in answers
    ]


def many(count: int, votes: int = 1) -> list[Question]:
    """Different questions on turns and on the whole dialogue, in two languages."""
    asks = ["Is reply number {} polite?", "第{}个回答有礼貌吗？"]
    return [
        question(item(asks[i % 2].format(i)), turn=(0, 1, None)[i % 3], own=spec(votes=votes))
        for i in range(count)
    ]


def test_every_verdict_parses_and_a_random_pass_is_insufficient(judge: Judge) -> None:
    decisions = decided(judge, *many(200), *many(20, votes=3))
    verdicts = Counter(decision.verdict for decision in decisions)
    assert set(verdicts) == {Verdict.FAIL, Verdict.INSUFFICIENT}
    unverified = [d for d in decisions if d.reason.startswith("passed without a quote")]
    assert unverified
    assert all(d.verdict is Verdict.INSUFFICIENT and d.step is None for d in unverified)


TOKENIZERS = [
    judge_models.byte_level,
    judge_models.some_bytes,
    judge_models.sentencepiece_like,
    judge_models.letters,
]


@pytest.mark.parametrize("make", TOKENIZERS)
@pytest.mark.parametrize("template", [None, judge_models.CHAT])
def test_every_make_of_tokenizer_answers_on_schema(
    make: Callable[[], Tokenizer], template: str | None, tmp_path: Path
) -> None:
    directory = judge_models.save(tmp_path, make(), template=template)
    asked = [Prompt("Judge.", f"question {i}", seed=i) for i in range(24)]
    answers = engine(directory, batch_size=24).answers(asked)
    readings = [read(answer.text) for answer in answers if isinstance(answer, Answered)]
    assert len(readings) == 24
    assert len({reading.reason for reading in readings}) > 1


def test_a_judge_that_runs_out_of_tokens_gives_an_error_and_no_verdict(model_dir: Path) -> None:
    for limit in (1, 8):
        decisions = decided(load_judge(model_dir, max_tokens=limit), *many(6))
        reason = f"the answer did not end within {limit} tokens"
        assert decisions == [Decision(Verdict.ERROR, "judge", reason=reason)] * 6


def test_a_prompt_that_does_not_fit_is_an_error_and_the_others_are_judged(model_dir: Path) -> None:
    long = replace(DIALOGUE.turns[1], steps=(Step(reply="x y " * 9000),))
    trajectory = replace(DIALOGUE, turns=(DIALOGUE.turns[0], long))
    asked = [question(turn=0, trajectory=trajectory), question(turn=1, trajectory=trajectory)]
    fits, does_not = decided(load_judge(model_dir), *asked)
    assert fits.verdict in (Verdict.FAIL, Verdict.INSUFFICIENT)
    assert does_not.verdict is Verdict.ERROR
    assert "leaves no room for an answer in the model's context of 8192" in does_not.reason


def test_an_answer_may_use_what_is_left_of_the_context(tmp_path: Path) -> None:
    """The long prompt leaves little, the short one enough, also where they share a batch."""
    directory = judge_models.save(tmp_path, judge_models.letters(), context=1500)
    short, long = Prompt("a", "b", seed=2), Prompt("a", "b" * 1400, seed=2)
    first, second = engine(directory).answers([long, short])
    assert alike([first]) == [Failed("the answer did not end within 95 tokens", "truncated")]
    assert isinstance(second, Answered)


def test_answers_do_not_depend_on_what_shares_their_batch(model_dir: Path) -> None:
    asked = [Prompt("Judge.", f"question {i}" * (1 + i % 5), seed=i % 4 or None) for i in range(12)]
    own = engine(model_dir)
    alone = [answer for prompt in asked for answer in own.answers([prompt])]
    together = own.answers(asked[::-1])[::-1]
    assert alike(alone) == alike(together)


def test_the_same_seed_gives_the_same_answer_and_another_seed_another(model_dir: Path) -> None:
    own = engine(model_dir)
    once, again, other = alike(own.answers([Prompt("a", "b", seed) for seed in (1, 1, 2)]))
    assert once == again != other


class SmallMemory(TransformersEngine):
    """An engine on a device that holds only so many rows at once."""

    rows = 0

    def _decode(self, rows: Sequence[Any], *more: Any) -> list[Any]:
        if len(rows) > self.rows:
            raise torch.OutOfMemoryError
        return super()._decode(rows, *more)


def test_a_batch_too_large_for_the_memory_is_halved_until_it_fits(model_dir: Path) -> None:
    asked = [Prompt("a", "b", seed) for seed in range(7)]
    own = engine(model_dir)
    small = SmallMemory(own._loaded, own._schemas, max_tokens=2048, batch_size=8)
    assert {type(answer) for answer in small.answers(asked)} == {Failed}
    small.rows = 2
    assert alike(small.answers(asked)) == alike(own.answers(asked))


def test_an_answer_holds_no_control_token(model_dir: Path) -> None:
    own = engine(model_dir, batch_size=24)
    assert set(own.control_tokens) == set(judge_models.CONTROL)
    answers = own.answers([Prompt("a", "b", seed) for seed in range(24)])
    texts = [answer.text for answer in answers if isinstance(answer, Answered)]
    assert len(texts) == 24
    assert not any(token in text for token in judge_models.CONTROL for text in texts)


def test_a_directorys_own_generation_settings_do_not_apply(model_dir: Path, tmp_path: Path) -> None:
    directory = shutil.copytree(model_dir, tmp_path / "model")
    settings = {"do_sample": True, "repetition_penalty": 9.0, "min_new_tokens": 900}
    (directory / "generation_config.json").write_text(json.dumps(settings))
    asked = [Prompt("a", "b")]
    assert alike(engine(directory).answers(asked)) == alike(engine(model_dir).answers(asked))


SYSTEM_REFUSED = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('none') }}{% endif %}"
    "<|user|>{{ m.content }}{% endfor %}"
)
SYSTEM_DROPPED = "{% for m in messages if m.role == 'user' %}<|user|>{{ m.content }}{% endfor %}"


@pytest.mark.parametrize("template", [None, judge_models.CHAT, SYSTEM_REFUSED, SYSTEM_DROPPED])
def test_the_instructions_reach_the_model_under_any_chat_template(
    template: str | None, tmp_path: Path
) -> None:
    directory = judge_models.save(tmp_path, judge_models.byte_level(), template=template)
    loaded = engine(directory)._loaded
    text = loaded.tokenizer.decode(loaded.encode(Prompt("instructions", "question")))
    assert text.index("instructions") < text.index("question")
    assert ("<|user|>" in text) == (template is not None)


# --- directories that are no judge ------------------------------------------------------------


def refused(directory: Path) -> str:
    with pytest.raises(JudgeLoadError) as caught:
        load_judge(directory)
    message = str(caught.value)
    assert "\n" not in message
    assert str(directory) in message
    return message


def test_a_directory_that_is_missing_or_empty_is_refused(tmp_path: Path) -> None:
    assert "there is no directory" in refused(tmp_path / "nowhere")
    assert "has no config.json" in refused(tmp_path)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("config.json", "{"),
        ("config.json", '{"model_type": "no-such-model"}'),
        ("config.json", '{"model_type": "t5"}'),
        ("model.safetensors", "not a tensor"),
        ("model.safetensors", None),
        ("tokenizer.json", '{"version": "1.0"}'),
        ("tokenizer.json", None),
    ],
)
def test_a_damaged_directory_is_refused(
    file: str, text: str | None, model_dir: Path, tmp_path: Path
) -> None:
    directory = shutil.copytree(model_dir, tmp_path / "model")
    (directory / file).unlink()
    if text is not None:
        (directory / file).write_text(text)
    assert "does not load as a" in refused(directory)


def test_weights_that_are_not_complete_are_refused(model_dir: Path, tmp_path: Path) -> None:
    """transformers would fill them with random numbers, and only log a warning."""
    directory = shutil.copytree(model_dir, tmp_path / "model")
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 2}))
    assert "are not complete: no model.layers.1" in refused(directory)


def test_a_tokenizer_that_cannot_judge_is_refused(tmp_path: Path) -> None:
    endless = judge_models.save(tmp_path / "b", judge_models.letters(), end=None)
    assert "has no end token" in refused(endless)
    foreign = judge_models.save(tmp_path / "c", judge_models.letters(), vocabulary=50)
    assert "they do not belong together" in refused(foreign)


def test_a_tokenizer_that_cannot_spell_a_verdict_judges_nothing(tmp_path: Path) -> None:
    braces = judge_models.save(tmp_path, judge_models.without_braces())
    with pytest.raises(EngineError, match="cannot spell a verdict") as caught:
        decided(load_judge(braces), question())
    assert 'no token begins with any of ["{"]' in caught.value.message


def test_a_chat_template_without_the_users_words_is_refused(tmp_path: Path) -> None:
    mute = judge_models.save(tmp_path, judge_models.letters(), template="<|user|>")
    assert "does not render a user message" in refused(mute)


def test_importing_the_judge_imports_no_model_library() -> None:
    code = (
        "import sys, cm2.judge; print(*(set(sys.modules) & {'torch', 'transformers', 'outlines'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
