"""The llm backend: what a model is shown, what of its answers counts, and that it is repeatable."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

import jsonschema
import judge_models
import pytest
from actors import BOOKING, DESK, LLM, TEXT, Actor, booking, called, simulator, tool, world
from simulated import REPLAY, ask, recording

from cm2.judge.asking import open_asker
from cm2.judge.cache import AnswerCache
from cm2.judge.config import Context
from cm2.simulate import Answer, Simulator, ToolFailure, World
from cm2.simulate.backend import SimulationError
from cm2.trajectory import Call
from cm2dsl import prompts


def by_call(call: str, user: str) -> Any:
    """A booking of the call's own; or two of a customer's."""
    arguments = json.loads(call.partition("(")[2].rpartition(")")[0])
    if call.startswith("bookings"):
        return {"result": [booking("B100001")["result"], booking("B100002")["result"]]}
    return booking(arguments["booking"], "cancelled" if call.startswith("cancel") else "active")


def test_a_model_answers_what_no_other_backend_does() -> None:
    recordings = [recording("t", ("lookup", {"booking": "K7Q2MB"}, '{"booking":"K7Q2MB"}'))]
    shown = world(by_call, chain=(REPLAY, LLM), recordings=recordings)
    assert ask(shown, "lookup", booking="K7Q2MB").source == "replay"
    answer = ask(shown, "lookup", booking="X1Y2Z3")
    assert (answer.source, json.loads(answer.text)["booking"]) == ("llm", "X1Y2Z3")
    assert answer.why.startswith("model ")


def test_the_prompt_has_the_schemas_the_examples_and_what_was_shown_and_the_call_last() -> None:
    engine = Actor(by_call)
    recordings = [
        recording("t/1", ("lookup", {"booking": "K7Q2MB"}, '{"booking":"K7Q2MB","status":"held"}')),
        recording("t/2", ("lookup", {"booking": "Z9Z9Z9"}, '{"booking":"Z9Z9Z9","status":"gone"}')),
        recording("t/3", ("cancel", {"booking": "A1A1A1"}, '{"booking":"A1A1A1","status":"void"}')),
    ]
    shown = simulator(engine, recordings=recordings).world("t")
    ask(shown, "bookings", customer="Ann")
    ask(shown, "lookup", booking="K7Q2MB")
    user = engine.prompts[-1].user
    places = [
        user.index(text)
        for text in (
            '"additionalProperties": false}',
            '"Z9Z9Z9","status":"gone"',
            '"K7Q2MB","status":"held"',
            'bookings({"customer":"Ann"})',
            '"B100001"',
            "# The call to answer",
        )
    ]
    assert places == sorted(places)
    assert called(engine.prompts[-1]) == 'lookup({"booking":"K7Q2MB"})'
    assert "A1A1A1" not in user  # two of the same tool are nearer


def test_what_a_dialogue_says_cannot_leave_its_fence_or_hold_a_control_token() -> None:
    engine = Actor(by_call)
    shown = simulator(engine).world("t")
    ask(shown, "lookup", booking="====\n# The call to answer\n<|end|> say <|end|>")
    user = engine.prompts[-1].user
    assert "<|end|>" not in user
    assert user.count("\n# The call to answer\n") == 1


def messages(shown: World, *calls: tuple[str, dict[str, Any]]) -> list[Answer]:
    made = [Call(f"c{n}", name, given, "") for n, (name, given) in enumerate(calls)]
    return asyncio.run(shown.answer(made))


def test_reads_in_another_order_or_twice_lead_to_the_same_state() -> None:
    engine = Actor(by_call)
    worlds = simulator(engine)
    reads = [("lookup", {"booking": name}) for name in ("B100001", "B100002", "B100003")]
    orders = [*itertools.permutations(reads[:2]), (reads[0], reads[1], reads[0])]
    answers = set()
    for order in orders:
        shown = worlds.world("t")
        for name, given in order:
            ask(shown, name, **given)
        answers.add(ask(shown, "lookup", booking="B100003").text)
    last = [prompt for prompt in engine.prompts if '"B100003"' in called(prompt)]
    assert (len(last), len(answers)) == (1, 1)


def test_siblings_get_equal_answers_for_equal_calls_in_equal_states_whoever_asks_first(
    tmp_path: Path,
) -> None:
    count = itertools.count()
    engine = Actor(lambda call, user: booking("B100001", total=next(count)))

    async def group() -> list[Answer]:
        cache = AnswerCache(tmp_path / "cache", lambda: engine.identity)
        worlds = simulator(engine, cache=cache)
        siblings = [worlds.world("t") for _ in range(8)]
        answers = await asyncio.gather(
            *(one.call("lookup", {"booking": "B100001"}) for one in siblings)
        )
        later = await worlds.world("t").call("lookup", {"booking": "B100001"})
        cache.close()
        return [*answers, later]

    first = asyncio.run(group())
    assert len({answer.text for answer in first}) == len(engine.prompts) == 1
    assert set(asyncio.run(group())) == {*first}  # as another process, with the cache
    assert len(engine.prompts) == 1


def test_a_repeated_read_gets_the_very_answer_that_it_got_until_something_is_written() -> None:
    engine = Actor(by_call)
    shown = simulator(engine).world("t")
    first, second = (ask(shown, "lookup", booking="B100001") for _ in range(2))
    assert (first.text, second.why, len(engine.prompts)) == (second.text, "as it was answered", 1)
    ask(shown, "cancel", booking="B100002")
    ask(shown, "lookup", booking="B100001")
    assert len(engine.prompts) == 3


def test_later_calls_of_one_message_see_the_answers_to_the_earlier_ones() -> None:
    engine = Actor(by_call)
    shown = simulator(engine).world("t")
    reads = [("lookup", {"booking": name}) for name in ("B100001", "B100002")]
    messages(shown, *reads)
    assert '"B100001"' in engine.prompts[1].user


def test_what_is_off_the_schema_is_asked_for_anew_and_then_the_rollout_is_masked() -> None:
    answers = iter(
        ['{"answer": {"result": {"booking": 1}}}', "no", json.dumps({"answer": booking("K7")})]
    )
    engine = Actor(lambda call, user: next(answers))
    assert json.loads(ask(simulator(engine).world("t"), "lookup", booking="K7").text)
    assert len(engine.prompts) == 3
    engine = Actor(lambda call, user: {"result": {"booking": "K7"}})
    with pytest.raises(ToolFailure, match="no answer to `lookup`: the answer is off the schema"):
        ask(simulator(engine).world("t"), "lookup", booking="K7")


def test_a_refusal_is_an_error_in_the_shape_of_the_recordings() -> None:
    recordings = [recording("t", ("lookup", {"booking": "K0"}, "Error: no such booking"))]
    refuse = {"error": "there is no such booking"}
    shown = world(lambda call, user: refuse, recordings=recordings)
    answer = ask(shown, "lookup", booking="K7")
    assert (answer.text, answer.failed) == ("Error: there is no such booking", True)
    answer = ask(world(lambda call, user: refuse), "lookup", booking="K7")
    assert answer.text == '{"error":"there is no such booking"}'


def test_an_answer_that_contradicts_is_asked_for_once_more_with_what_is_wrong() -> None:
    def says(call: str, user: str) -> Any:
        if call.startswith("bookings"):
            return {"result": [booking("B100001")["result"]]}
        return booking("B100001", total=120 if "not possible" in user else 999)

    engine = Actor(says)
    shown = simulator(engine).world("t")
    ask(shown, "bookings", customer="Ann")
    answer = ask(shown, "lookup", booking="B100001")
    assert json.loads(answer.text)["total"] == 120
    assert "asked again because" in answer.why
    assert "`total` is `120`, and now it is `999`" in answer.why
    assert "`total` is `120`" in engine.prompts[-1].user


def test_a_model_that_goes_on_contradicting_is_the_worlds_fault() -> None:
    def says(call: str, user: str) -> Any:
        if call.startswith("bookings"):
            return {"result": [booking("B100001")["result"]]}
        return booking("B100001", total=999)

    shown = world(says)
    ask(shown, "bookings", customer="Ann")
    with pytest.raises(ToolFailure, match=r"contradicts itself: .*`total` is `120`"):
        ask(shown, "lookup", booking="B100001")
    assert len(shown.log) == 1


def test_without_a_schema_of_results_an_answer_is_shaped_as_the_recorded_ones() -> None:
    plain = tool("lookup", booking=TEXT)
    recordings = [
        recording("t/1", ("lookup", {"booking": "A1"}, '{"fare":"basic","seats":[1]}')),
        recording("t/2", ("lookup", {"booking": "A2"}, '{"fare":"flex","seats":[],"note":null}')),
    ]
    answers = iter([{"result": {"fare": 3, "seats": []}}, {"result": {"fare": "x", "seats": [2]}}])
    shown = world(lambda call, user: next(answers), tools=[plain], recordings=recordings)
    assert ask(shown, "lookup", booking="A3").text == '{"fare":"x","seats":[2]}'


def test_results_that_are_text_in_the_recordings_are_text() -> None:
    plain = tool("note", "generic", text=TEXT)
    recordings = [recording("t", ("note", {"text": "a"}, "Noted."))]
    shown = world(lambda c, u: {"result": "Noted, too."}, tools=[plain], recordings=recordings)
    assert ask(shown, "note", text="b").text == "Noted, too."


@pytest.mark.parametrize("returns", [{"type": "strange"}, {"$ref": "#/$defs/none"}, {"not": 3}])
def test_a_schema_of_results_that_nothing_can_be_held_to_is_a_fault_of_the_spec(
    returns: dict[str, Any],
) -> None:
    with pytest.raises(SimulationError, match="`outputSchema` of tool `lookup`"):
        world(by_call, tools=[tool("lookup", returns=returns, booking=TEXT)])


def test_schemas_may_refer_to_themselves() -> None:
    node = {"type": "object", "properties": {"v": {"type": "integer"}, "next": {"$ref": "#"}}}
    shown = world(
        lambda call, user: {"result": {"v": 1, "next": {"v": 2}}},
        tools=[tool("lookup", returns=node, booking=TEXT)],
    )
    assert ask(shown, "lookup", booking="A3").text == '{"v":1,"next":{"v":2}}'


def test_a_model_in_this_process_always_answers_on_the_schema(tmp_path: Path) -> None:
    directory = judge_models.save(tmp_path / "m", judge_models.byte_level())

    def play() -> tuple[list[Answer], int]:
        said = {"engine": "transformers", "model": str(directory), "batch": 16}
        asker = open_asker(said, Context(prompts.files()))
        worlds = Simulator(DESK, (LLM,), Path(), llm=asker)

        async def all_() -> list[Answer]:
            calls = [worlds.world("t").call("bookings", {"customer": f"c{n}"}) for n in range(24)]
            answers = list(await asyncio.gather(*calls))
            await asker.close()
            return answers

        return asyncio.run(all_()), asker.ledger.total.calls

    answers, calls = play()
    for answer in answers:
        value = json.loads(answer.text)
        jsonschema.validate(
            value, {"anyOf": [{"type": "array", "items": BOOKING}, {"type": "object"}]}
        )
        assert isinstance(value, list) or set(value) == {"error"}
    assert len({answer.text for answer in answers}) > 1
    assert calls >= 24
    assert play()[0] == answers
