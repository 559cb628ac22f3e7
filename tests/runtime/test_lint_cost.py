"""What lint predicts of judging a rollout is what the judge is really asked, in its own words."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from judged import Scripted, judge_of, verdict

from cm2.bundle import Bundle, open_spec
from cm2.judge import Question
from cm2.judge.prompt import Templates
from cm2.judge.view import view
from cm2.score import score
from cm2dsl import ir, prompts
from cm2dsl.language import language_of
from cm2dsl.lint.cost import cost_of, prompts_for, size_of
from cm2dsl.lint.scopes import scopes_of
from cm2dsl.lint.subject import Subject
from cm2dsl.trajectory import Segment, Trajectory, segments

SPECS = Path(__file__).parents[2] / "specs"
EACH = 11
"""Of recordings that differ in their rows alone, every eleventh is compared."""

Recorded = tuple[ir.Task, ir.Row | None, Trajectory, Sequence[Segment]]


def recorded(subject: Subject) -> list[Recorded]:
    """Recordings of every task, with their rows."""
    assert subject.spec is not None
    found: list[Recorded] = []
    for task in subject.spec.tasks:
        recordings = subject.recordings[task.reference or ""]
        rows = {row.key: row for row in task.rows or ()}
        places = recordings.of_task(task.name)
        for place in places[:: EACH if len(places) > EACH else 1]:
            dialogue = recordings.dialogues[place]
            row = rows.get(dialogue.task.partition("/")[2])
            found.append((task, row, dialogue, recordings.segments[place]))
    return found


def asked_of(task: ir.Task) -> list[tuple[str, ir.Item]]:
    return [(scope, i) for scope, items in scopes_of(task).items() for i in items if i.ask]


def with_view(spec: ir.Spec, view: ir.View) -> ir.Spec:
    return msgspec.structs.replace(spec, judge=msgspec.structs.replace(spec.judge, view=view))


@pytest.mark.parametrize("shown", ["turn", "dialogue"])
@pytest.mark.parametrize("name", ["airline", "tutor", "挂号"])
def test_every_prompt_of_every_recording_is_as_long_as_predicted_to_the_letter(
    name: str, shown: ir.View
) -> None:
    subject = Subject.read(SPECS / f"{name}.cm2")
    assert subject.spec is not None
    spec = with_view(subject.spec, shown)
    templates = Templates(prompts.files(), language_of(spec))
    compared = 0
    for task, row, dialogue, pieces in recorded(subject):
        asked = asked_of(task)
        numbers = {turn.name: number for number, turn in enumerate(task.turns)}
        predicted = prompts_for(spec, task, row, dialogue, pieces, asked)
        for (scope, item), guess in zip(asked, predicted, strict=True):
            question = Question(spec, task, row, numbers.get(scope), item, dialogue)
            prompt = templates.render(question, view(question, ()), ())
            text = prompt.system + prompt.user
            assert (guess.size, guess.item) == (size_of(text), f"{scope}.{item.name}")
            compared += 1
    assert compared >= 30


@pytest.mark.parametrize("focus", ["reasoning", "user", "tool_call", "tool_result"])
@pytest.mark.parametrize("kind", ["item", "always", "never", "at_end"])
@pytest.mark.parametrize(("name", "level"), [("挂号", "trajectory"), ("airline", "step")])
def test_a_prompt_is_as_long_as_predicted_for_every_focus_and_kind(
    name: str, level: ir.Level, focus: ir.Channel, kind: ir.Kind
) -> None:
    subject = Subject.read(SPECS / f"{name}.cm2")
    assert subject.spec is not None
    task, row, dialogue, pieces = next(one for one in recorded(subject) if asked_of(one[0]))
    dialogue = thinking(dialogue)
    pieces = segments(dialogue)
    turns = [
        msgspec.structs.replace(
            turn,
            items=tuple(msgspec.structs.replace(i, kind=kind, focus=focus) for i in turn.items),
        )
        for turn in task.turns
    ]
    assign = msgspec.structs.replace(task.assign, level=level)
    changed = msgspec.structs.replace(task, turns=tuple(turns), assign=assign)
    templates = Templates(prompts.files(), language_of(subject.spec))
    for scope, item in asked_of(changed):
        number = {turn.name: n for n, turn in enumerate(turns)}.get(scope)
        (guess,) = prompts_for(subject.spec, changed, row, dialogue, pieces, [(scope, item)])
        dated = level == "step"
        question = Question(subject.spec, changed, row, number, item, dialogue, dated)
        prompt = templates.render(question, view(question, ()), ())
        assert guess.size == size_of(prompt.system + prompt.user)


def thinking(dialogue: Trajectory) -> Trajectory:
    """The dialogue of an agent that says what it thinks."""
    turns = [
        dataclasses.replace(
            turn,
            steps=tuple(
                dataclasses.replace(s, reasoning=f"Thought {i}.") for i, s in enumerate(turn.steps)
            ),
        )
        for turn in dialogue.turns
    ]
    return dataclasses.replace(dialogue, turns=tuple(turns))


def without_checks(bundle: Bundle) -> Bundle:
    """The bundle with every item that has an `ask` left to the judge, at once and in any case."""

    def left(items: Sequence[ir.Item]) -> tuple[ir.Item, ...]:
        return tuple(
            msgspec.structs.replace(item, expr=None, check=None, strict=False, after=())
            if item.ask is not None
            else msgspec.structs.replace(item, strict=False, after=())
            for item in items
        )

    tasks = [
        msgspec.structs.replace(
            task,
            items=left(task.items),
            turns=tuple(msgspec.structs.replace(t, items=left(t.items)) for t in task.turns),
        )
        for task in bundle.spec.tasks
    ]
    spec = msgspec.structs.replace(bundle.spec, tasks=tuple(tasks))
    return dataclasses.replace(bundle, spec=spec, _plans={})


@pytest.mark.parametrize("name", ["airline", "tutor", "挂号"])
def test_a_rollout_takes_at_most_the_requests_and_letters_predicted(name: str) -> None:
    subject = Subject.read(SPECS / f"{name}.cm2")
    assert subject.spec is not None
    bundle = open_spec(SPECS / f"{name}.cm2")
    costs = {
        task.name: cost_of(subject.spec, task, subject.recordings[task.reference or ""])
        for task in subject.spec.tasks
    }
    votes = subject.spec.judge.votes
    unanimous = votes // 2 + 1  # votes that agree decide before all are asked for
    reached = dict.fromkeys(costs, 0)
    for spec, exact in ((bundle, False), (without_checks(bundle), True)):
        for task, _, dialogue, _ in recorded(subject):
            engine = Scripted(lambda _: verdict("fail"))
            score(spec, dialogue, judge_of(engine))
            prompts_asked = engine.asked
            cost = costs[task.name]
            tokens = sum(size_of(p.system + p.user).tokens for p in prompts_asked)
            assert len(prompts_asked) <= cost.calls
            assert tokens <= cost.tokens
            if exact:
                assert len(prompts_asked) == len(cost.prompts) * unanimous
                reached[task.name] = max(reached[task.name], tokens)
    floor = 0.8 * unanimous / votes
    assert all(tokens >= floor * costs[name].tokens for name, tokens in reached.items())
