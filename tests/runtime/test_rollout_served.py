"""Facts about a policy behind a server by token ids, against a real one on loopback."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from judge_server import refusing_port
from policy_server import Change, PolicyServer
from rollout_doubles import desk, tiny_tokenizer

from cm2.judge.engine import EngineError
from cm2.rollout.codec import Codec
from cm2.rollout.generator import PolicyFailure, Sampled
from cm2.rollout.limits import Limits
from cm2.rollout.prefixes import checked
from cm2.rollout.sampling import Sampling
from cm2.rollout.served import ServedGenerator, Server
from cm2.rollout.stage import Stage
from cm2.train.config import Tiny
from cm2.train.tiny import build_model
from cm2dsl.reward.instance import instances

END = tiny_tokenizer().eos_token_id


@pytest.fixture(scope="module")
def model() -> Any:
    return build_model(tiny_tokenizer(), Tiny(hidden=16), positions=1024, seed=1).eval()


def generator(url: str, **options: Any) -> ServedGenerator:
    return ServedGenerator(Server(url, "policy", pause=0.01), ends=[END], **options)


def said(served: ServedGenerator, *given: list[int], budget: int = 12) -> list[Sampled]:
    async def work() -> list[Sampled]:
        async with served:
            with served.open(np.random.default_rng(3)) as line:
                return [await line.say(piece, budget) for piece in given]

    return asyncio.run(work())


def test_the_tokens_and_their_log_probabilities_are_the_servers(model: Any) -> None:
    with PolicyServer(model) as server:
        first, second = said(generator(server.url), [5, 6, 7], [8, 9])
        again = said(generator(server.url), [5, 6, 7], [8, 9])
    assert [first, second] == again
    whole = [5, 6, 7, *first.ids, 8, 9, *second.ids]
    with torch.no_grad():
        logs = model(input_ids=torch.tensor([whole])).logits.log_softmax(-1)[0]
    for one, start in ((first, 3), (second, 5 + len(first.ids))):
        expected = [logs[start - 1 + i, token].item() for i, token in enumerate(one.ids)]
        assert one.logprobs == pytest.approx(expected, abs=1e-5)
    _, one, two = server.bodies[:3]
    assert two["prompt"] == whole[: -len(second.ids)]
    assert one["seed"] != two["seed"]


def changed(**fields: Any) -> Change:
    """Choices with other fields; None leaves one out."""

    def change(number: int, body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        answer = deepcopy(answer)
        for name, value in fields.items():
            answer["choices"][0].pop(name)
            if value is not None:
                answer["choices"][0][name] = value
        return answer

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (changed(token_ids=None), "answers with text alone"),
        (changed(logprobs=None), "gives no log-probabilities"),
        (changed(prompt_token_ids=[1]), "reads other tokens"),
        (lambda *_: 401, "answers 401: no"),
        (lambda *_: 404, "answers 404: no"),
        (lambda *_: None, "does not answer"),
        (lambda *_: {"hello": 1}, "sends no completion"),
        (lambda *_: {"choices": []}, "sends no completion"),
    ],
)
def test_a_server_that_cannot_be_trained_from_is_refused_before_it_is_used(
    model: Any, change: Change, says: str
) -> None:
    with PolicyServer(model, change=change) as server, pytest.raises(EngineError, match=says):
        said(generator(server.url), [5])


def test_where_nothing_listens_the_message_says_so() -> None:
    with pytest.raises(EngineError, match="cannot be asked for tokens"):
        said(generator(f"http://127.0.0.1:{refusing_port()}/v1"), [5])


def test_probabilities_of_another_distribution_than_is_sampled_from_are_refused(model: Any) -> None:
    cut = Sampling(temperature=0.7, top_p=0.9)
    with PolicyServer(model, processed=False) as server:
        said(generator(server.url), [5])
        with pytest.raises(EngineError, match="processed_logprobs"):
            said(generator(server.url, sampling=cut), [5])
    with PolicyServer(model) as server:
        said(generator(server.url, sampling=cut), [5])


@pytest.mark.parametrize("fault", [503, 429, None])
def test_an_outage_that_passes_changes_nothing(model: Any, fault: int | None) -> None:
    with PolicyServer(model) as server:
        right = said(generator(server.url), [5, 6])

    def change(number: int, body: dict[str, Any], answer: dict[str, Any]) -> Any:
        return fault if number in (1, 2) else answer

    with PolicyServer(model, change=change) as server:
        assert said(generator(server.url), [5, 6]) == right


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (503, "answers 503"),
        (400, "answers 400"),
        ({"choices": [{"finish_reason": "stop", "token_ids": [4]}]}, "did not show"),
    ],
)
def test_an_outage_that_stays_fails_the_dialogue_alone(model: Any, sent: Any, says: str) -> None:
    def change(number: int, body: dict[str, Any], answer: dict[str, Any]) -> Any:
        return answer if number == 0 else sent

    with PolicyServer(model, change=change) as server, pytest.raises(PolicyFailure, match=says):
        said(generator(server.url), [5])


@pytest.mark.parametrize(
    ("ids", "logprobs", "stopped", "says"),
    [
        ([], [], False, "no token"),
        ([4, 5, 6, 7], [-1.0] * 4, False, "sent 4 tokens"),
        ([4, 5, 6], [-1.0, None, -1.0], False, "2 probabilities"),
        ([4, 5], [-1.0] * 2, True, "left out the token that ended"),
        ([4, 5], [-1.0] * 2, False, "gave up after 2 of 3"),
    ],
)
def test_an_answer_that_cannot_be_trained_on_is_no_answer(ids, logprobs, stopped, says) -> None:
    with pytest.raises(PolicyFailure, match=says):
        checked(ids, logprobs, budget=3, stopped=stopped, ends=[3])


def test_a_rollout_whose_server_fails_is_masked_and_the_others_are_as_ever(
    model: Any, tmp_path: Any
) -> None:
    bundle = desk(tmp_path)
    codec = Codec(tiny_tokenizer(), system=bundle.spec.system)
    stage = Stage(bundle, codec, Limits(steps=2, step_tokens=8, tokens=600), [])
    rows = [instances(bundle.spec)[0]] * 4
    seeds = [int(np.random.default_rng([0, i]).integers(2**31)) for i in range(4)]

    def change(number: int, body: dict[str, Any], answer: dict[str, Any]) -> Any:
        return 500 if body["seed"] == seeds[2] else answer

    def played(change: Change) -> list[Any]:
        with PolicyServer(model, change=change, delay=0.05) as server:
            found = stage.play(rows, generator(server.url), [(0, i) for i in range(4)])
            assert server.most > 1
        return found

    right, broken = played(lambda number, body, answer: answer), played(change)
    assert [one.masked for one in broken] == [False, False, True, False]
    assert broken[2].rollout.stop == "policy_failure"
    assert "500" in str(broken[2].rollout.fault)
    for i in (0, 1, 3):
        assert right[i].rollout.completion == broken[i].rollout.completion


def test_vllm_is_asked_in_its_own_classes() -> None:
    pytest.importorskip("vllm", reason="vLLM is not installed")
    from vllm.entrypoints.openai.completion.protocol import CompletionRequest

    asked = generator("http://localhost/v1")._request([5, 6], 20, 4)
    assert not CompletionRequest.model_validate(asked).model_extra
