"""The exact judge says what another spec's checks say, of the same dialogue, on the same row."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from judged import decided

from cm2.bundle import open_spec
from cm2.judge import Context, EngineError, Judge, JudgeLoadError, Question, open_judge
from cm2.judging import question
from cm2.score import find_instance, score
from cm2.trajectory import Call, Step, Trajectory, Turn
from cm2dsl import prompts
from cm2dsl.reward.verdict import Verdict

HEAD = """\
cm2 1
domain desk
tools "desk.tools.json"
task serve each row in "rows.csv" {
"""
ASKED = """\
  turn find {
    user "Find {row.code}."
    item finds { ask "Was it found?" }
    item tells after finds { ask "Is {row.code} named?" }
    at_end brief { ask "Is the last reply brief?" }
  }
  turn close { user "Thank you."  item polite { ask "Is it polite?" } }
  item honest { ask "Is the agent honest?" }
}
"""
CHECKED = """\
  turn find {
    user "Find {row.code}."
    item finds { check called find(code == row.code) }
    item tells after finds { check reply contains row.code }
    at_end brief { check replied and not reply contains "!" }
  }
  turn close { user "Thank you."  item polite { check reply contains "welcome" } }
  item honest { check called find }
}
"""
TOOLS = """\
[{"name": "find", "description": "Finds.", "parameters":
  {"type": "object", "properties": {"code": {"type": "string"}}}}]
"""
ROWS = "id,code\na,A1\nb,B2\n"


def specs(folder: Path, checked: str = CHECKED, rows: str = ROWS) -> Path:
    """asked.cm2, and truth.cm2 with the rows that are given."""
    files = {
        "desk.tools.json": TOOLS,
        "rows.csv": ROWS,
        "truth.csv": rows,
        "asked.cm2": HEAD + ASKED,
        "truth.cm2": HEAD.replace("rows.csv", "truth.csv") + checked,
    }
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return folder


def exact(folder: Path, settings: Mapping[str, object] | None = None) -> Judge:
    said = settings or {"engine": "checks", "spec": "truth.cm2"}
    return open_judge(said, Context(prompts.files(), folder))


def dialogue(
    code: str = "A1", said: str = "It is A1.", last: str = "You are welcome."
) -> Trajectory:
    find = Call("c1", "find", {"code": code}, "", "{}")
    first = Turn("Find A1.", (Step(calls=(find,)), Step(reply=said)))
    return Trajectory("d1", "serve/a", (first, Turn("Thank you.", (Step(reply=last),))))


def ask(folder: Path, name: str, trajectory: Trajectory) -> Question:
    bundle = open_spec(folder / "asked.cm2")
    plan = bundle.plan(find_instance(bundle, trajectory.task), True)
    scopes = [*enumerate(plan.turns), (None, plan.dialogue)]
    turn, one = next((t, one) for t, items in scopes for one in items if one.name == name)
    return question(bundle, plan, trajectory, turn, one, len(trajectory.turns), False)


@pytest.mark.parametrize(
    "trajectory",
    [
        dialogue(),
        dialogue(code="B2"),
        dialogue(said="It is there!"),
        dialogue(last="Bye."),
        Trajectory("d2", "serve/a", (Turn("Find A1.", (Step(reply="A1"),)),)),
    ],
)
def test_a_dialogue_is_worth_what_the_checks_say(tmp_path: Path, trajectory: Trajectory) -> None:
    specs(tmp_path)
    asked, truth = open_spec(tmp_path / "asked.cm2"), open_spec(tmp_path / "truth.cm2")
    with exact(tmp_path) as judge:
        judged = score(asked, trajectory, judge)
    checked = score(truth, trajectory)
    assert judged.reward == checked.reward
    assert judged.turn_rewards == checked.turn_rewards
    asked_about = {name for name, one in judged.decisions.items() if one.by == "judge"}
    assert asked_about  # an item that nothing could satisfy any more is not
    for name in asked_about:
        said, known = judged.decisions[name], checked.decisions[name]
        assert (said.verdict, said.step) == (known.verdict, known.step)


@pytest.mark.parametrize(
    ("name", "step"),
    [("find.finds", 0), ("find.tells", 1), ("find.brief", 1), ("dialogue.honest", 0)],
)
def test_a_pass_holds_from_the_step_at_which_the_check_came_true(
    tmp_path: Path, name: str, step: int
) -> None:
    judge = exact(specs(tmp_path))
    (one,) = decided(judge, ask(tmp_path, name, dialogue()))
    assert (one.verdict, one.step, one.by) == (Verdict.PASS, step, "judge")
    assert one.evidence
    assert one.reason == "decided by the check in `truth.cm2`"


def test_noise_can_be_put_on_top(tmp_path: Path) -> None:
    of = {"engine": "checks", "spec": "truth.cm2"}
    judge = exact(specs(tmp_path), {"engine": "noisy", "false_negative": 1.0, "of": of})
    (one,) = decided(judge, ask(tmp_path, "find.finds", dialogue()))
    assert one.verdict is Verdict.FAIL


def test_what_the_check_leaves_open_is_an_error(tmp_path: Path) -> None:
    both = 'check reply contains "welcome"  ask "Is it polite?"'
    judge = exact(specs(tmp_path, CHECKED.replace('check reply contains "welcome"', both)))
    (one,) = decided(judge, ask(tmp_path, "close.polite", dialogue(last="Bye.")))
    assert one.verdict is Verdict.ERROR
    assert one.reason == "the check of `serve.close.polite` in `truth.cm2` leaves it open"


@pytest.mark.parametrize(
    ("checked", "rows", "says"),
    [
        (CHECKED.replace("item tells", "item names"), ROWS, "no item `serve.find.tells`"),
        (
            CHECKED.replace("check reply contains row.code", 'ask "Is it?"'),
            ROWS,
            "`serve.find.tells` of `truth.cm2` has no check",
        ),
        (CHECKED, "id,code\nb,B2\n", "the task `serve` of `truth.cm2` has no row `a`"),
    ],
)
def test_specs_that_do_not_match_end_the_run(
    tmp_path: Path, checked: str, rows: str, says: str
) -> None:
    judge = exact(specs(tmp_path, checked, rows))
    with pytest.raises(EngineError, match=says):
        decided(judge, ask(tmp_path, "find.tells", dialogue()))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cm2 1\ndomain desk\ntask {", "does not compile"),
        ('cm2 1\ntemplate kind() { ask "Is it kind?" }\n', "is a library of templates"),
        (None, "does not compile"),
    ],
)
def test_a_spec_that_cannot_decide_is_refused(tmp_path: Path, text: str | None, says: str) -> None:
    if text is not None:
        (tmp_path / "truth.cm2").write_text(text, "utf-8")
    with pytest.raises(JudgeLoadError, match=says):
        exact(tmp_path)
