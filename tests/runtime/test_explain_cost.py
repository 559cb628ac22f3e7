"""`cm2c explain --cost` predicts what a scripted judge is asked on the shipped recordings."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from judged import Scripted, judge_of, verdict

from cm2.bundle import Bundle, open_spec
from cm2.judge import Prompt
from cm2.score import score
from cm2dsl import ir
from cm2dsl.chat import read
from cm2dsl.cm2c import main
from cm2dsl.compiler import analyse
from cm2dsl.explain_cost import Predicted, predict
from cm2dsl.lint.cost import size_of
from cm2dsl.trajectory import Trajectory

SPECS = Path(__file__).parents[2] / "specs"
NAMES = ["airline", "tutor", "挂号"]


def predicted(name: str, **judge: object) -> dict[str, Predicted]:
    found = analyse(SPECS / f"{name}.cm2")
    assert found.compiled is not None
    spec = found.compiled.spec
    changed = msgspec.structs.replace(spec, judge=msgspec.structs.replace(spec.judge, **judge))
    return {one.task.name: one for one in predict(changed, found.recordings)}


def left_to_the_judge(bundle: Bundle, **judge: object) -> Bundle:
    """The bundle without checks on what is asked, gates and `after`: everything is asked."""

    def left(items: Sequence[ir.Item]) -> tuple[ir.Item, ...]:
        return tuple(
            msgspec.structs.replace(one, expr=None, check=None, strict=False, after=())
            if one.ask is not None
            else msgspec.structs.replace(one, strict=False)
            for one in items
        )

    tasks = tuple(
        msgspec.structs.replace(
            task,
            items=left(task.items),
            turns=tuple(msgspec.structs.replace(t, items=left(t.items)) for t in task.turns),
        )
        for task in bundle.spec.tasks
    )
    own = msgspec.structs.replace(bundle.spec.judge, **judge)
    spec = msgspec.structs.replace(bundle.spec, tasks=tasks, judge=own)
    return dataclasses.replace(bundle, spec=spec, _plans={})


def longest(bundle: Bundle, task: ir.Task) -> Trajectory:
    dialogues = [
        one
        for one in read(SPECS / (task.reference or ""))
        if one.task.partition("/")[0] == task.name
    ]
    return max(dialogues, key=lambda one: len(str(one)))


def asked(bundle: Bundle, dialogue: Trajectory, said: str = "fail") -> list[Prompt]:
    engine = Scripted(lambda _: verdict(said))
    score(bundle, dialogue, judge_of(engine))
    return engine.asked


def new_letters(texts: Iterable[str]) -> int:
    """Letters new to an ideal radix cache: sorted, each shares most with the one before it."""
    total, before = 0, ""
    for text in sorted(texts):
        same = next(
            (n for n, (a, b) in enumerate(zip(before, text, strict=False)) if a != b),
            min(len(before), len(text)),
        )
        total += len(text) - same
        before = text
    return total


@pytest.mark.parametrize("view", ["turn", "dialogue"])
@pytest.mark.parametrize("name", NAMES)
def test_calls_tokens_and_the_shared_part_are_those_of_the_longest_recording(
    name: str, view: str
) -> None:
    bundle = left_to_the_judge(open_spec(SPECS / f"{name}.cm2"), view=view, votes=1)
    for task_name, guess in predicted(name, view=view, votes=1).items():
        task = next(one for one in bundle.spec.tasks if one.name == task_name)
        prompts = asked(bundle, longest(bundle, task))
        texts = [f"{one.system}\n{one.user}" for one in prompts]
        letters = sum(map(len, texts))
        assert len(prompts) == guess.cost.calls
        tokens = sum(size_of(text).tokens for text in texts)
        assert tokens == pytest.approx(guess.cost.tokens, rel=0.05)
        share = 1 - new_letters(texts) / letters
        assert guess.shared == pytest.approx(share, abs=0.05), task_name


@pytest.mark.parametrize(("votes", "calls"), [(1, (1, 1)), (3, (2, 3)), (5, (3, 5)), (4, (3, 4))])
def test_a_judge_that_agrees_with_itself_is_asked_the_least_that_is_predicted(
    votes: int, calls: tuple[int, int]
) -> None:
    bundle = left_to_the_judge(open_spec(SPECS / "tutor.cm2"), votes=votes)
    for name, guess in predicted("tutor", votes=votes).items():
        task = next(one for one in bundle.spec.tasks if one.name == name)
        taken = asked(bundle, longest(bundle, task))
        assert len(taken) == len(guess.cost.prompts) * calls[0]
        assert guess.cost.calls == len(guess.cost.prompts) * calls[1]
        assert set(guess.least.values()) <= {0, calls[0]}


def test_what_a_check_may_decide_or_others_leave_unasked_may_take_no_call() -> None:
    for name in NAMES:
        bundle = open_spec(SPECS / f"{name}.cm2")
        found = predicted(name)
        for task in bundle.spec.tasks:
            if task.name not in found:
                continue
            least = found[task.name].least
            for dialogue in list(read(SPECS / (task.reference or "")))[:5]:
                if dialogue.task.partition("/")[0] != task.name:
                    continue
                taken = len(asked(bundle, dialogue))
                assert sum(least.values()) <= taken <= found[task.name].cost.calls


def test_the_table_has_every_task_and_item_that_is_asked() -> None:
    result = CliRunner().invoke(main, ["explain", "--cost", str(SPECS / "airline.cm2")])
    assert result.exit_code == 0, result.output
    found = predicted("airline")
    lines = result.output.splitlines()
    for name, one in found.items():
        head = next(n for n, line in enumerate(lines) if line.startswith(f"task {name},"))
        rows = Counter(line.split()[0] for line in lines[head + 3 :] if line.strip())
        assert all(rows[prompt.item] for prompt in one.cost.prompts)
    total = sum(one.cost.calls * one.rows for one in found.values())
    assert f"up to {total:,} calls" in lines[-3]


SPEC = """cm2 1
domain desk
JUDGE
task chat {
  turn ask {
    user "Hello"
    item greets { ask "Does it greet?" }
    item offers after greets { ask "Does it offer help?" }
    item answers { check replied }
  }
}
"""


@pytest.mark.parametrize(
    ("judge", "first", "total"),
    [
        ("", "1", "1–2"),
        ("judge { votes 5 }", "3–5", "3–10"),
        ("judge { votes 1..5 until 0.9 }", "1–5", "1–10"),
    ],
)
def test_votes_are_a_range(tmp_path: Path, judge: str, first: str, total: str) -> None:
    path = tmp_path / "desk.cm2"
    path.write_text(SPEC.replace("JUDGE", judge), encoding="utf-8")
    output = CliRunner().invoke(main, ["explain", "--cost", str(path)]).output
    rows = {line.split("  ")[0]: line.split() for line in output.splitlines() if line.strip()}
    assert rows["ask.greets"][1] == first
    assert rows["a rollout"][2] == total
    assert "it has no recording" in output


def test_what_asks_nothing_or_does_not_compile_is_said(tmp_path: Path) -> None:
    path = tmp_path / "desk.cm2"

    def said(text: str, *more: str) -> tuple[int, str]:
        path.write_text(text, encoding="utf-8")
        result = CliRunner().invoke(main, ["explain", "--cost", str(path), *more])
        return result.exit_code, result.output

    plain = SPEC.replace("JUDGE", "")
    without = "\n".join(line for line in plain.splitlines() if 'ask "' not in line)
    code, text = said(without)
    assert (code, "no judge is needed" in text) == (0, True)
    code, text = said("cm2 1\ntemplate b() { check replied }\n")
    assert (code, "nothing is asked" in text) == (0, True)
    code, text = said(plain.replace("replied", "called nothing"))
    assert (code, "error[E101]" in text) == (1, True)
    code, text = said(plain, "L101")
    assert (code, "give one of them" in text) == (2, True)
