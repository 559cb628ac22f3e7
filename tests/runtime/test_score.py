"""From a spec and dialogues to rewards: weights, gates, judges, errors, task scope."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from cm2.bundle import Bundle, load, open_spec
from cm2.cli import main
from cm2.judge import EngineError, Judge, Question
from cm2.score import ScoreError, find_instance, score, score_all
from cm2.trajectory import Call, Step, Trajectory, Turn
from cm2dsl.emit.bundle import BundleError
from cm2dsl.reward.instance import instances
from cm2dsl.reward.verdict import Decision, Evidence, Verdict

TOOLS = ["search", "book", "pay"]


@pytest.fixture
def spec(tmp_path: Path) -> Any:
    """Opens a spec whose task has this body."""

    def opened(body: str, head: str = "") -> Bundle:
        tools = [{"name": tool, "parameters": {"type": "object"}} for tool in TOOLS]
        (tmp_path / "tools.json").write_text(json.dumps(tools))
        text = f'cm2 1 domain d tools "tools.json" {head} task t {{ {body} }}'
        (tmp_path / "spec.cm2").write_text(text, encoding="utf-8")
        return open_spec(tmp_path / "spec.cm2")

    return opened


def calling(*tools: str, reply: str = "") -> Step:
    calls = [Call(str(i), tool, {}, "{}", '{"ok": true}') for i, tool in enumerate(tools)]
    return Step(reply=reply, calls=tuple(calls))


def saying(text: str) -> Step:
    return Step(reply=text)


def dialogue(*turns: Sequence[Step], task: str = "t") -> Trajectory:
    return Trajectory("d", task, tuple(Turn("go", tuple(steps)) for steps in turns))


class Says(Judge):
    """A judge that says what it was told to, of each item, and remembers what it was asked."""

    def __init__(self, **verdicts: str) -> None:
        super().__init__()
        self.verdicts = verdicts
        self.asked: list[str] = []
        self.questions: list[Question] = []

    async def release(self) -> None:
        pass

    async def decide(self, question: Question) -> Decision:
        self.asked.append(question.item.name)
        self.questions.append(question)
        await asyncio.sleep(0)
        verdict = Verdict(self.verdicts.get(question.item.name, "fail"))
        turns = question.trajectory.turns
        steps = turns if question.turn is None else turns[question.turn : question.turn + 1]
        last = sum(len(turn.steps) for turn in steps) - 1
        step = last if verdict is Verdict.PASS else None
        return Decision(verdict, "judge", (Evidence("t0.user", "go"),), step)


ONE_TURN = """turn u { user "go"
  item searches weight 3 { check called search }
  item answers after searches { check reply contains "done" }
}"""


# --- weights, order, kinds --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "reward"),
    [
        ([], 0.0),
        ([saying("done")], 0.0),
        ([calling("search")], 0.75),
        ([calling("search"), saying("done")], 1.0),
        ([calling("search", reply="done")], 0.75),
        ([saying("done"), calling("search")], 0.75),
        ([saying("done"), calling("search"), saying("bye")], 1.0),
    ],
)
def test_an_item_counts_one_step_after_what_it_waits_for(
    steps: list[Step], reward: float, spec: Any
) -> None:
    scored = score(spec(ONE_TURN), dialogue(steps))
    assert scored.reward == pytest.approx(reward)
    assert scored.turn_rewards == [pytest.approx(reward)]


def test_a_turn_of_two_steps_can_carry_a_chain_of_two_but_not_of_three(spec: Any) -> None:
    bundle = spec(
        """turn u { user "go"
          item a { check called search }
          item b after a { check reply contains "done" }
          item c after b { check reply contains "done" }
        }"""
    )
    two = dialogue([calling("search"), saying("done")])
    three = dialogue([calling("search"), saying("done"), saying("bye")])
    assert score(bundle, two).reward == pytest.approx(2 / 3)
    assert score(bundle, three).reward == pytest.approx(1.0)


def test_a_veto_takes_the_turn_and_a_penalty_its_share(spec: Any) -> None:
    bundle = spec(
        """turn u { user "go"
          item a { check called search }
          never b veto { check called book }
          never c penalty 0.25 { check called pay }
          at_end d penalty 1 { check reply contains "sorry" or called search }
        }"""
    )
    assert score(bundle, dialogue([calling("search")])).reward == 1.0
    assert score(bundle, dialogue([calling("search", "book")])).reward == 0.0
    assert score(bundle, dialogue([calling("search", "pay")])).reward == 0.75
    assert score(bundle, dialogue([saying("no")])).reward == 0.0


def test_what_never_happens_holds_from_the_last_step(spec: Any) -> None:
    bundle = spec(
        """turn u { user "go"
          never a { check called book }
          item b after a { check called search }
        }"""
    )
    scored = score(bundle, dialogue([calling("search"), saying("done")]))
    assert scored.decisions["u.a"].step == 1
    assert scored.reward == 0.5


# --- several turns ----------------------------------------------------------------------------

TWO_TURNS = """
turn first { user "go"
  item finds strict { check called search }
  item greets { check reply contains "hi" }
}
turn second { user "on"
  item books { check called book }
  item thanks after first.greets { check reply contains "bye" }
}
"""


def test_a_strict_item_that_fails_ends_the_dialogue(spec: Any) -> None:
    scored = score(spec(TWO_TURNS), dialogue([saying("hi")], [calling("book"), saying("bye")]))
    assert scored.turn_rewards == [0.5, 0.0]
    assert scored.reward == 0.25
    assert scored.decisions["second.books"].by == "gate"
    assert scored.decisions["second.books"].verdict is Verdict.FAIL
    assert len(scored.verdicts.turns) == 1


def test_a_strict_item_that_holds_lets_the_next_turn_count(spec: Any) -> None:
    turns = ([calling("search", reply="hi")], [calling("book"), saying("bye")])
    assert score(spec(TWO_TURNS), dialogue(*turns)).reward == 1.0


def test_what_was_not_satisfied_in_one_turn_is_waited_for_in_vain_in_the_next(spec: Any) -> None:
    scored = score(spec(TWO_TURNS), dialogue([calling("search")], [calling("book"), saying("bye")]))
    assert scored.decisions["second.thanks"].verdict is Verdict.PASS
    assert scored.turn_rewards == [0.5, 0.5]


def test_a_dialogue_that_ends_early_is_worth_nothing_there(spec: Any) -> None:
    scored = score(spec(TWO_TURNS), dialogue([calling("search", reply="hi")]))
    assert scored.turn_rewards == [1.0, 0.0]
    assert scored.decisions["second.books"].reason == "the turn was not reached"


def test_turns_not_reached_may_be_masked_instead(spec: Any) -> None:
    bundle = spec(TWO_TURNS, "assign { unreached mask }")
    scored = score(bundle, dialogue([calling("search", reply="hi")]))
    assert scored.turn_rewards == [1.0, None]
    assert scored.reward == 1.0


def test_turns_after_the_tasks_last_are_ignored(spec: Any) -> None:
    turns = ([calling("search", reply="hi")], [calling("book"), saying("bye")], [calling("pay")])
    bundle = spec(TWO_TURNS + " never pays veto weight 1 { check called pay }")
    assert score(bundle, dialogue(*turns)).reward == 1.0


def test_only_assigned_turns_carry_reward(spec: Any) -> None:
    bundle = spec(TWO_TURNS, "assign { at second }")
    scored = score(bundle, dialogue([calling("search")], [calling("book")]))
    assert scored.at == ("second",)
    assert scored.turn_rewards == [0.5, 0.5]
    assert scored.reward == 0.5


# --- task scope -------------------------------------------------------------------------------


def test_task_scope_is_one_more_turn_over_the_whole_dialogue(spec: Any) -> None:
    bundle = spec(
        """turn a { user "go" item x { check called search } }
           turn b { user "on" item y { check called book } }
           item once weight 3 { check called search exactly 1 times and called book }
           item last after b.y { check reply contains "bye" }"""
    )
    scored = score(bundle, dialogue([calling("search")], [calling("book"), saying("bye")]))
    assert scored.turn_rewards == [1.0, 1.0, 1.0]
    assert scored.decisions["dialogue.once"].step == 1
    missed = score(bundle, dialogue([calling("search"), calling("search")], [calling("book")]))
    assert missed.turn_rewards == [1.0, 1.0, 0.0]
    assert missed.reward == pytest.approx(2 / 3)


def test_task_scope_does_not_see_what_the_gate_cut_off(spec: Any) -> None:
    body = TWO_TURNS + ' never pays { check called pay } item says { check reply contains "bye" }'
    scored = score(spec(body), dialogue([saying("hi")], [calling("pay"), saying("bye")]))
    assert scored.decisions["dialogue.pays"].verdict is Verdict.PASS
    assert scored.decisions["dialogue.says"].verdict is Verdict.FAIL


# --- judges -----------------------------------------------------------------------------------

JUDGED = """turn u { user "go"
  item searches { check called search }
  item kind weight 2 after searches { ask "Is it kind?" }
  item price { check reply contains "120" ask "Is the price named?" }
}"""


def test_a_judge_is_asked_what_checks_leave_open(spec: Any) -> None:
    bundle, judge = spec(JUDGED), Says(kind="pass", price="pass")
    scored = score(bundle, dialogue([calling("search"), saying("It is 120")]), judge)
    assert judge.asked == ["kind"]
    assert scored.decisions["u.price"].by == "check"
    assert scored.decisions["u.kind"].by == "judge"
    assert scored.reward == 1.0
    score(bundle, dialogue([calling("search"), saying("cheap")]), judge)
    assert judge.asked[1:] == ["kind", "price"]


def test_a_call_decides_both_ways_also_where_there_is_a_judge(spec: Any) -> None:
    bundle = spec(
        """turn u { user "go"
          item a { check called search and reply contains "x" ask "Is it?" }
          item b { check not reply contains "x" ask "Is it?" }
        }"""
    )
    judge = Says(b="pass")
    scored = score(bundle, dialogue([saying("y")]), judge)
    assert scored.decisions["u.a"].by == "check"
    assert judge.asked == ["b"]
    scored = score(bundle, dialogue([calling("search", reply="x")]), judge)
    assert scored.decisions["u.b"].by == "check"
    assert scored.decisions["u.b"].verdict is Verdict.FAIL


GATED = """turn a { user "go" item x strict { ask "Is it?" } item w { ask "Is it?" } }
           turn b { user "on" item y { ask "Is it?" } }
           item z { ask "Is it?" }"""


def test_a_turn_is_asked_about_when_the_gate_before_it_is_open(spec: Any) -> None:
    bundle = spec(GATED)
    judge = Says(x="pass")
    both = [dialogue([saying("1")], [saying("2")]), dialogue([saying("3")])]
    scored = score_all(bundle, both, judge)
    assert judge.asked == ["x", "w", "x", "w", "y", "z", "z"]
    assert [one.turn_rewards for one in scored] == [[0.5, 0.0, 0.0], [0.5, 0.0, 0.0]]
    closed = Says(x="fail")
    score_all(bundle, both, closed)
    assert closed.asked == ["x", "w", "x", "w", "z", "z"]


def shown_turns(judge: Says) -> dict[str, int]:
    return {each.item.name: len(each.trajectory.turns) for each in judge.questions}


def test_an_item_of_a_turn_is_shown_what_was_said_up_to_its_end(spec: Any) -> None:
    judge = Says(x="pass")
    score(spec(GATED), dialogue([saying("1")], [saying("2")]), judge)
    assert shown_turns(judge) == {"x": 1, "w": 1, "y": 2, "z": 2}


def test_what_is_shown_the_whole_dialogue_waits_for_its_end_unless_a_gate_hangs_on_it(
    spec: Any,
) -> None:
    bundle = spec(GATED)
    whole = msgspec.structs.replace(bundle.spec.judge, view="dialogue")
    bundle = replace(bundle, spec=msgspec.structs.replace(bundle.spec, judge=whole))
    judge = Says(x="pass")
    score(bundle, dialogue([saying("1")], [saying("2")]), judge)
    assert shown_turns(judge) == {"x": 1, "w": 2, "y": 2, "z": 2}
    closed = Says(x="fail")
    score(bundle, dialogue([saying("1")], [saying("2")]), closed)
    assert shown_turns(closed) == {"x": 1, "w": 1, "z": 1}


def test_a_judge_of_whole_dialogues_is_shown_them_whatever_the_view(spec: Any) -> None:
    judge = Says(x="pass")
    judge.whole_dialogues = True
    score(spec(GATED), dialogue([saying("1")], [saying("2")]), judge)
    assert shown_turns(judge) == {"x": 1, "w": 2, "y": 2, "z": 2}


def test_what_comes_after_an_unsatisfied_item_is_not_asked_unless_more_hangs_on_it(
    spec: Any,
) -> None:
    bundle = spec(
        """turn a { user "go"
          item x { ask "Is it?" }
          item y after x { ask "Is it?" }
          item z after y { ask "Is it?" }
          item v after x veto { ask "Is it?" }
          item w after v { ask "Is it?" }
        }"""
    )
    judge = Says(x="fail", v="pass")
    scored = score(bundle, dialogue([saying("1")]), judge)
    assert judge.asked == ["x", "v"]
    assert {name: one.by for name, one in scored.decisions.items()} == {
        "a.x": "judge",
        "a.y": "after",
        "a.z": "after",
        "a.v": "judge",
        "a.w": "after",
    }


class Broken(Says):
    """A judge whose engine cannot answer at all."""

    async def decide(self, question: Question) -> Decision:
        await asyncio.sleep(0)
        raise EngineError("the key is wrong", "set KEY")


def test_an_engine_that_can_decide_nothing_ends_the_scoring_with_its_own_error(spec: Any) -> None:
    both = [dialogue([saying("1")], [saying("2")]), dialogue([saying("3")])]
    with pytest.raises(EngineError, match="the key is wrong; set KEY"):
        score_all(spec(GATED), both, Broken())


def test_insufficient_is_not_satisfied(spec: Any) -> None:
    steps = [calling("search"), saying("120")]
    scored = score(spec(JUDGED), dialogue(steps), Says(kind="insufficient"))
    assert scored.decisions["u.kind"].verdict is Verdict.INSUFFICIENT
    assert scored.reward == 0.5


def test_an_error_leaves_no_reward_and_closes_no_gate(spec: Any) -> None:
    bundle = spec(
        """turn a { user "go" item x strict { ask "Is it?" } item w { check called search } }
           turn b { user "on" item y { check called book } }"""
    )
    turns = ([calling("search")], [calling("book")])
    scored = score(bundle, dialogue(*turns), Says(x="error"))
    assert scored.reward is None
    assert scored.turn_rewards == [None, 1.0]
    assert scored.decisions["b.y"].by == "check"


# --- without a judge --------------------------------------------------------------------------


def test_without_a_judge_items_with_an_ask_are_left_out_of_the_weights(spec: Any) -> None:
    scored = score(spec(JUDGED), dialogue([calling("search"), saying("It is 120")]))
    assert scored.unjudged == ("u.kind", "u.price")
    assert set(scored.decisions) == {"u.searches"}
    assert scored.reward == 1.0


def test_the_weights_do_not_depend_on_what_a_check_could_decide(spec: Any) -> None:
    bundle = spec(JUDGED)
    with_price = score(bundle, dialogue([saying("It is 120")]))
    without = score(bundle, dialogue([saying("It is cheap")]))
    assert with_price.reward == without.reward == 0.0
    assert with_price.task == without.task


def test_a_turn_that_has_nothing_left_does_not_count(spec: Any) -> None:
    bundle = spec(
        """turn a { user "go" item x { ask "Is it?" } never v veto { check called pay } }
           turn b { user "on" item y after a.x, a.v { check called book } }
           item z { ask "Is it?" }"""
    )
    scored = score(bundle, dialogue([calling("pay")], [calling("book")]))
    assert scored.at == ("b",)
    assert scored.reward == 1.0
    assert scored.unjudged == ("a.x", "dialogue.z")


def test_a_task_of_questions_alone_has_no_reward_without_a_judge(spec: Any) -> None:
    scored = score(spec('turn a { user "go" item x { ask "Is it?" } }'), dialogue([saying("x")]))
    assert scored.reward is None
    assert scored.turn_rewards == [None]
    assert scored.decisions == {}


def test_a_strict_item_that_no_one_judged_keeps_the_gate_open(spec: Any) -> None:
    bundle = spec(
        """turn a { user "go" item x strict { ask "Is it?" } item w { check called search } }
           turn b { user "on" item y { check called book } }"""
    )
    scored = score(bundle, dialogue([calling("search")], [calling("book")]))
    assert scored.turn_rewards == [1.0, 1.0]


# --- tasks and rows ---------------------------------------------------------------------------


def rows(tmp_path: Path) -> Bundle:
    (tmp_path / "rows.csv").write_text("id,word,split\na,1,train\nb,2,heldout\n")
    (tmp_path / "spec.cm2").write_text(
        """cm2 1 domain d
        task t each row in "rows.csv" split by split {
          turn u { user "Say {row.word}" item says { check reply contains row.word } }
        }
        task s { turn u { user "x" item i { check reply contains "y" } } }"""
    )
    return open_spec(tmp_path / "spec.cm2")


def test_a_row_is_a_task_of_its_own(tmp_path: Path) -> None:
    bundle = rows(tmp_path)
    assert [(one.id, one.split) for one in instances(bundle.spec)] == [
        ("t/a", "train"),
        ("t/b", "heldout"),
        ("s", "train"),
    ]
    assert score(bundle, dialogue([saying("2")], task="t/b")).reward == 1.0
    assert score(bundle, dialogue([saying("2")], task="t/a")).reward == 0.0


@pytest.mark.parametrize(
    ("task", "message", "help"),
    [
        ("t/aa", "there is no task `t/aa` in the spec", "did you mean `t/a`?"),
        ("t", "there is no task `t` in the spec", "there is `s`, `t/a`, `t/b`"),
        ("", "the dialogue names no task", 'add `"task": "NAME"`, or "NAME/ROW"'),
    ],
)
def test_a_dialogue_of_an_unknown_task_is_refused(
    task: str, message: str, help: str, tmp_path: Path
) -> None:
    with pytest.raises(ScoreError) as error:
        find_instance(rows(tmp_path), task)
    assert (error.value.message, error.value.help) == (message, help)


def test_a_spec_of_one_task_needs_no_name(spec: Any) -> None:
    assert score(spec(ONE_TURN), dialogue([calling("search")], task="")).instance.id == "t"


# --- the bundle -------------------------------------------------------------------------------


def test_a_changed_bundle_is_not_scored_with(spec: Any) -> None:
    bundle = spec(ONE_TURN)
    folder = bundle.path
    text = (folder / "reward.py").read_text()
    (folder / "reward.py").write_text(text.replace('"search"', '"book"'))
    with pytest.raises(BundleError, match=r"reward\.py` was changed"):
        load(folder)


# --- the command ------------------------------------------------------------------------------

CHAT = {
    "id": "one",
    "messages": [
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "1", "function": {"name": "search", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "{}"},
        {"role": "assistant", "content": "It is 120"},
    ],
}


def invoke(folder: Path, *arguments: str, chat: str | None = None) -> Any:
    (folder / "chat.jsonl").write_text(chat if chat is not None else json.dumps(CHAT) + "\n")
    command = ["score", str(folder / "spec.cm2"), str(folder / "chat.jsonl"), *arguments]
    return CliRunner().invoke(main, command, prog_name="cm2")


def test_json_has_one_line_a_dialogue(spec: Any, tmp_path: Path) -> None:
    spec(JUDGED)
    result = invoke(tmp_path, "--json")
    assert result.exit_code == 0
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {
            "id": "one",
            "task": "t",
            "reward": 1.0,
            "turn_rewards": [1.0],
            "items": {"u.searches": "pass"},
            "unjudged": ["u.kind", "u.price"],
        }
    ]
    assert (
        "2 items with an `ask` are left out of the weights (t.u.kind, t.u.price)" in result.stderr
    )


def test_evidence_is_written_where_it_is_asked_for(spec: Any, tmp_path: Path) -> None:
    spec(JUDGED)
    row = json.loads(invoke(tmp_path, "--json", "--evidence").stdout)
    assert row["items"] == {"u.searches": "pass"}
    assert row["evidence"] == {"u.searches": [{"segment": "t0.s0.tool_call"}]}


def test_the_table_is_for_people(spec: Any, tmp_path: Path) -> None:
    spec(ONE_TURN)
    result = invoke(tmp_path)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "id   task  reward  by turn  not passed",
        "---  ----  ------  -------  ----------",
        "one  t      0.750  0.750    u.answers",
        "",
        "item          pass  fail  insufficient  error",
        "------------  ----  ----  ------------  -----",
        "t.u.searches     1     0             0      0",
        "t.u.answers      0     1             0      0",
        "",
        "mean reward 0.750 over 1 dialogue",
    ]


@pytest.mark.parametrize(
    ("chat", "messages"),
    [
        ("", ["error: nothing was scored: the files hold no dialogue"]),
        (
            "\n{",
            [
                "chat.jsonl:2: rejected: not JSON at column 2: ",
                "= help: write one JSON value",
                "error: nothing was scored: the only dialogue was rejected",
            ],
        ),
        (
            '{"task": "other", "messages": []}\n',
            [
                "chat.jsonl:1: rejected: `task`: there is no task `other` in the spec",
                "= help: there is `t`",
                "error: nothing was scored: the only dialogue was rejected",
            ],
        ),
    ],
)
def test_a_run_that_scores_nothing_is_an_error_of_the_user(
    chat: str, messages: list[str], spec: Any, tmp_path: Path
) -> None:
    spec(ONE_TURN)
    result = invoke(tmp_path, chat=chat)
    assert result.exit_code == 2
    for message in messages:
        assert message in result.stderr
    assert result.stdout == ""


def test_what_cannot_be_scored_is_named_and_the_rest_is_scored(spec: Any, tmp_path: Path) -> None:
    spec(ONE_TURN)
    other = {**CHAT, "task": "other"}
    lines = [json.dumps(other), json.dumps(CHAT), "{", '{"messages": [{}]}']
    result = invoke(tmp_path, "--json", chat="\n".join(lines))
    assert result.exit_code == 1
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["one"]
    for place in ("chat.jsonl:1", "chat.jsonl:3", "chat.jsonl:4"):
        assert f"{place}: rejected: " in result.stderr
    assert "3 of 4 dialogues were rejected" in result.stderr


def test_a_spec_with_faults_is_not_scored_with(spec: Any, tmp_path: Path) -> None:
    spec(ONE_TURN)
    text = (tmp_path / "spec.cm2").read_text().replace("called search", "called serch")
    (tmp_path / "spec.cm2").write_text(text)
    result = invoke(tmp_path)
    assert result.exit_code == 2
    assert "error[E101]: tool `serch` is not defined" in result.stderr
