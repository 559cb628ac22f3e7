"""How likely a verdict was: what the engine says against a computation that looks at everything."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import judge_models
import pytest
import regex
import torch
from outlines_core.json_schema import build_regex_from_schema
from tokenizers import Tokenizer

from cm2.judge import Answered, Prompt
from cm2.judge.engines.transformers import TransformersEngine, load_engine
from cm2dsl import prompts

FILES = prompts.files()
VERDICTS = ("pass", "fail", "insufficient")
KEY = '"verdict"'


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Recorded(TransformersEngine):
    """An engine that keeps the token ids of every row it decodes."""

    def _decode(self, rows: Sequence[Any], *more: Any) -> list[Any]:
        written = super()._decode(rows, *more)
        self.kept = [(row.ids, one.ids) for row, one in zip(rows, written, strict=True)]
        return written


def engine(directory: Path) -> Recorded:
    plain = load_engine(directory, FILES, max_tokens=2048, batch_size=64)
    return Recorded(plain._loaded, plain._schemas, max_tokens=2048, batch_size=64)


def merged_letters() -> Tokenizer:
    """A token a letter, and tokens that write the quote, the verdict and what is around them."""
    words = ["pass", "pa", "fail", "fa", "insuff", 'insufficient"}', '"p', '"fail"', ' "in', ': "']
    words += ['"verdict": "', '"verdict":"pass', '", "verdict": "f', 'pass"', 'fail"}']
    tokenizer = judge_models.letters()
    tokenizer.add_tokens(words)
    return tokenizer


def by_looking_at_everything(own: Recorded, row: int, schema: str) -> float:
    """The written verdict's share, from one plain pass and the schema's expression alone.

    Every token of the vocabulary is tried: allowed is what the answer can still go on from. Where
    the first token stands that brought a letter of the verdict, the allowed ones that bring one
    are sorted by the verdict that they lead to.
    """
    prompt, ids = own.kept[row]
    tokens = own._loaded.tokens
    ids = ids[: ids.index(own._loaded.end)]
    answer = b"".join(tokens[i] for i in ids).decode()
    begins = answer.index('"', answer.index(KEY) + len(KEY)) + 1
    written, place = "", 0
    while len(written) + len(tokens[ids[place]].decode("latin-1")) <= len(answer[:begins].encode()):
        written += tokens[ids[place]].decode("latin-1")
        place += 1
    before = b"".join(tokens[i] for i in ids[:place]).decode()
    with torch.inference_mode():
        logits = own._loaded.model(torch.tensor([prompt + ids[:place]])).logits[0, -1].double()
    expression = regex.compile(build_regex_from_schema(schema))
    odds = Counter[str]()
    for i, text in tokens.items():
        try:
            so_far = before + text.decode()
        except UnicodeDecodeError:
            continue
        if len(so_far) <= begins or not expression.fullmatch(so_far, partial=True):
            continue
        if not so_far.startswith(answer[:begins]):
            continue  # another way to the quote: another place
        (verdict,) = (
            one
            for one in VERDICTS
            if f'{one}"'.startswith(so_far[begins:]) or so_far[begins:].startswith(f'{one}"')
        )
        odds[verdict] += torch.exp(logits[i] - logits.max()).item()
    return odds[json.loads(answer)["verdict"]] / odds.total()


@pytest.mark.parametrize("make", [judge_models.byte_level, judge_models.letters, merged_letters])
@pytest.mark.parametrize("shape", ["verdict", "dated"])
def test_confidence_is_the_verdicts_share_where_it_begins(
    make: Callable[[], Tokenizer], shape: Any, tmp_path: Path
) -> None:
    own = engine(judge_models.save(tmp_path, make()))
    asked = [Prompt("Judge.", f"question {i}", i or None, shape) for i in range(24)]
    answers = own.answers(asked)
    assert all(isinstance(answer, Answered) for answer in answers)
    shares = [answer.confidence for answer in answers if isinstance(answer, Answered)]
    expected = [by_looking_at_everything(own, row, own._schemas[shape]) for row in range(24)]
    assert shares == pytest.approx(expected, rel=1e-4)
    assert len({round(share, 3) for share in expected}) > 1


def test_verdicts_that_begin_inside_a_longer_token_are_among_those_tested(tmp_path: Path) -> None:
    own = engine(judge_models.save(tmp_path, merged_letters()))
    own.answers([Prompt("Judge.", f"question {i}", i) for i in range(64)])
    texts = Counter(
        own._loaded.tokens[i].decode()
        for _, ids in own.kept
        for i in ids
        if i in own._loaded.tokens
    )
    assert any(len(text) > 1 and text.startswith('"') and text[-1] in "pfn" for text in texts)
    assert any(text in texts for text in ('"verdict":"pass', '", "verdict": "f', '"fail"'))
    assert any(text in texts for text in ("pass", "fail", "insuff", 'insufficient"}', 'fail"}'))
