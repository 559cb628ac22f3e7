"""Verdicts are replayed onto what they were given on, and onto nothing else."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from deciding import Deciding
from judged import DIALOGUE, Scripted, decided, item, judge_of, question, spec, verdict

from cm2.bundle import open_spec
from cm2.cli import main
from cm2.judge import Context, Judge, JudgeLoadError, Prompt, open_judge
from cm2.judge.digest import digest
from cm2.judge.engines.replay import ReplayJudge
from cm2.judge.recorded import read_record
from cm2.score import score, verdict_records
from cm2.trajectory import Step, Trajectory, Turn
from cm2dsl import ir, prompts
from cm2dsl.chat import read, to_chat
from cm2dsl.reward.card import Scored
from cm2dsl.reward.verdict import Decision, Evidence, Verdict

SPECS = Path(__file__).parents[2] / "specs"
QUOTE = {"segment": "t0.s1.reply", "quote": "MU5101 departs at 08:00"}


def label(verdict: str = "pass", **more: Any) -> dict[str, Any]:
    return {"id": "d1", "item": "find.so", "verdict": verdict, **more}


def replaying(folder: Path, *lines: Any, inner: Judge | None = None) -> ReplayJudge:
    path = folder / "labels.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return ReplayJudge(read_record([path]), inner)


def decide(judge: Judge, **own: Any) -> Decision:
    (one,) = decided(judge, question(**own))
    return one


# --- labels -----------------------------------------------------------------------------------


def test_a_label_decides_its_item_with_its_reason_and_evidence(tmp_path: Path) -> None:
    judge = replaying(tmp_path, label(reason="It says when.", evidence=[QUOTE]))
    assert decide(judge) == Decision(
        Verdict.PASS,
        "judge",
        (Evidence(QUOTE["segment"], QUOTE["quote"]),),
        step=1,
        reason="It says when.",
    )


@pytest.mark.parametrize("said", ["fail", "insufficient"])
def test_a_label_need_say_no_more_than_the_verdict(tmp_path: Path, said: str) -> None:
    assert decide(replaying(tmp_path, label(said))) == Decision(Verdict(said), "judge")


def test_an_item_may_be_named_with_its_task(tmp_path: Path) -> None:
    judge = replaying(tmp_path, label() | {"item": "book.find.so"})
    assert decide(judge).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("more", "turn", "kind", "step"),
    [
        ({}, 0, "item", 1),
        ({"evidence": [{"segment": "t0.s0.tool_call"}]}, 0, "item", 0),
        ({"evidence": [{"segment": "t0.s0.tool_call"}]}, 0, "always", 1),
        ({"evidence": [{"segment": "t0.user"}]}, 0, "item", 1),
        ({"step": 0}, 0, "item", 0),
        ({}, None, "item", 2),
        ({"evidence": [{"segment": "t1.s0.reply"}]}, None, "item", 2),
        ({"evidence": [{"segment": "t0.s1.reply"}]}, None, "item", 1),
    ],
)
def test_a_pass_holds_from_its_step_or_from_that_of_its_evidence_or_from_the_last(
    tmp_path: Path, more: dict[str, Any], turn: int | None, kind: str, step: int
) -> None:
    name = "find.so" if turn == 0 else "dialogue.so"
    judge = replaying(tmp_path, label(**more) | {"item": name})
    assert decide(judge, one=item(kind=kind), turn=turn).step == step


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"evidence": [{"segment": "t0.s1.reply", "quote": "CA1234"}]}, "`CA1234` is not in"),
        ({"evidence": [{"segment": "t9.s0.reply"}]}, "there is no `t9.s0.reply`"),
        ({"step": 2}, "there is no step 2 of 2"),
        ({"step": -1}, "there is no step -1 of 2"),
    ],
)
def test_a_label_that_does_not_fit_the_dialogue_is_an_error(
    tmp_path: Path, more: dict[str, Any], what: str
) -> None:
    one = decide(replaying(tmp_path, label(**more)))
    assert (one.verdict, one.step) == (Verdict.ERROR, None)
    assert what in one.reason
    assert "labels.jsonl:1" in one.reason


def test_what_has_no_verdict_is_an_error_or_the_other_judges_to_decide(tmp_path: Path) -> None:
    other = Trajectory("d2", "book", DIALOGUE.turns, DIALOGUE.system)
    judge = replaying(tmp_path, label())
    for own in ({"turn": 1}, {"trajectory": other}):
        one = decide(judge, **own)
        assert one.verdict is Verdict.ERROR
        assert one.reason.startswith("there is no verdict on `")
    inner = Deciding(lambda _: Decision(Verdict.FAIL, "judge", reason="asked"))
    with replaying(tmp_path, label(), inner=inner) as both:
        assert decide(both).verdict is Verdict.PASS
        assert decide(both, turn=1).reason == "asked"
    assert (inner.asked, inner.released) == (["book.book.so"], 1)


def test_an_error_that_was_recorded_is_no_verdict(tmp_path: Path) -> None:
    recorded = label("error", reason="no answer within 3 s")
    one = decide(replaying(tmp_path, recorded))
    assert (one.verdict, one.reason) == (Verdict.ERROR, "no answer within 3 s")
    inner = Deciding(lambda _: Decision(Verdict.FAIL, "judge"))
    assert decide(replaying(tmp_path, recorded, inner=inner)).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "no judge's verdict is in"),
        ([{"id": "d1", "items": {"find.so": "pass"}}], "no judge's verdict is in"),
        ([label("good")], r"labels.jsonl:1: invalid enum value 'good'"),
        ([label(), label(resaon="x")], r"labels.jsonl:2: .*unknown field `resaon`"),
        ([{"id": "d1", "verdict": "pass"}], r"labels.jsonl:1: .*missing required field `item`"),
        ([{"messages": []}], r"labels.jsonl:1: neither a label nor a row"),
        ([3], r"labels.jsonl:1: neither a label nor a row"),
        ([label(), label("fail")], r"labels.jsonl:2: .* is fail here, and pass at .*:1; keep one"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_its_line(
    tmp_path: Path, lines: Sequence[Any], message: str
) -> None:
    with pytest.raises(JudgeLoadError, match=message):
        replaying(tmp_path, *lines)


def test_the_same_said_twice_is_said_once(tmp_path: Path) -> None:
    other = label(labeller="bo", task="book")
    assert decide(replaying(tmp_path, label(labeller="ada"), other)).verdict is Verdict.PASS


def test_a_judge_is_opened_with_files_beside_its_settings(tmp_path: Path) -> None:
    replaying(tmp_path, label())
    context = Context(prompts.files(), tmp_path)
    settings = {"engine": "replay", "verdicts": ["labels.jsonl"]}
    assert decide(open_judge(settings, context)).verdict is Verdict.PASS
    noise = {"engine": "noisy", "of": settings, "false_negative": 1}
    assert decide(open_judge(noise, context)).verdict is Verdict.FAIL
    both = settings | {"else": {"engine": "noisy", "of": settings}}
    assert decide(open_judge(both, context), turn=1).verdict is Verdict.ERROR
    with pytest.raises(JudgeLoadError, match=r"cannot read `.*nothing.jsonl`: no such file"):
        open_judge({"engine": "replay", "verdicts": "nothing.jsonl"}, context)


# --- rows and rollouts --------------------------------------------------------------------------


def answer(prompt: Prompt) -> str:
    """A verdict that follows from the prompt, with a quote that is there."""
    number = len(prompt.user) % 5
    if number == 0:
        return verdict("insufficient")
    if number == 1:
        return verdict("fail", reason="Not so.")
    names = [line[1:-1] for line in prompt.user.splitlines() if line.startswith("[t")]
    replies = [name for name in names if name.endswith(".reply")]
    lines = prompt.user.splitlines()
    place = lines.index(f"[{replies[-1]}]")
    quote = lines[place + 2][:60].replace('"', "'").replace("\\", " ")
    return verdict("pass", (replies[-1], quote))


def judged_rows(
    name: str, folder: Path, count: int = 12
) -> tuple[Any, list[Trajectory], list[Scored], Path]:
    """A spec, recordings of it, their scores by a judge, and the rows with those."""
    bundle = open_spec(SPECS / f"{name}.cm2")
    dialogues: list[Trajectory] = []
    for task in bundle.spec.tasks:
        if task.reference:
            found = [one for one in read(SPECS / task.reference) if one.task.startswith(task.name)]
            dialogues += found[:count]
    dialogues = [
        dataclasses.replace(one, id=f"dialogue {number}") for number, one in enumerate(dialogues)
    ]
    scored = [score(bundle, one, judge_of(Scripted(answer))) for one in dialogues]
    path = folder / "rollouts.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for one, its in zip(dialogues, scored, strict=True):
            row = {**to_chat(one), "reward": its.reward, "items": verdict_records(its)}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return bundle, dialogues, scored, path


@pytest.mark.parametrize("name", ["airline", "tutor", "挂号"])
def test_rollouts_are_scored_again_from_their_own_rows_to_the_same_rewards(
    name: str, tmp_path: Path
) -> None:
    bundle, dialogues, scored, path = judged_rows(name, tmp_path)
    replay = ReplayJudge(read_record([path]))
    again = [score(bundle, one, replay) for one in dialogues]
    assert [one.reward for one in again] == [one.reward for one in scored]
    assert [one.decisions for one in again] == [one.decisions for one in scored]
    judged = [d for one in scored for d in one.decisions.values() if d.by == "judge"]
    assert len({d.verdict for d in judged}) >= 2


def test_a_verdict_is_not_replayed_onto_another_dialogue_with_the_same_id(tmp_path: Path) -> None:
    bundle, dialogues, scored, path = judged_rows("tutor", tmp_path, 2)
    replay = ReplayJudge(read_record([path]))
    one = dialogues[0]
    last = one.turns[-1]
    more = dataclasses.replace(last, steps=(*last.steps[:-1], Step(reply="Something else.")))
    changed = dataclasses.replace(one, turns=(*one.turns[:-1], more))
    said = score(bundle, changed, replay)
    judged = [d for d in said.decisions.values() if d.by == "judge"]
    errors = [d for d in judged if d.verdict is Verdict.ERROR]
    assert errors
    assert any("is of another dialogue or question" in d.reason for d in errors)
    assert {d.verdict for d in judged if d not in list(scored[0].decisions.values())} == {
        Verdict.ERROR
    }
    assert said.reward is None


def test_a_verdict_is_not_replayed_onto_another_question(tmp_path: Path) -> None:
    bundle, dialogues, _, path = judged_rows("tutor", tmp_path, 1)
    replay = ReplayJudge(read_record([path]))

    def asks(one: ir.Item) -> ir.Item:
        return one if one.ask is None else msgspec.structs.replace(one, passes=(("Other.",),))

    tasks = tuple(
        msgspec.structs.replace(
            task,
            items=tuple(map(asks, task.items)),
            turns=tuple(
                msgspec.structs.replace(t, items=tuple(map(asks, t.items))) for t in task.turns
            ),
        )
        for task in bundle.spec.tasks
    )
    changed = dataclasses.replace(
        bundle, spec=msgspec.structs.replace(bundle.spec, tasks=tasks), _plans={}
    )
    said = score(changed, dialogues[0], replay)
    assert {d.verdict for d in said.decisions.values() if d.by == "judge"} == {Verdict.ERROR}


def test_a_dialogue_that_was_renamed_keeps_its_verdicts(tmp_path: Path) -> None:
    bundle, dialogues, scored, path = judged_rows("tutor", tmp_path, 2)
    replay = ReplayJudge(read_record([path]))
    for number, (one, its) in enumerate(zip(dialogues, scored, strict=True)):
        renamed = dataclasses.replace(one, id=f"new {number}")
        assert score(bundle, renamed, replay).decisions == its.decisions


def test_the_digest_has_all_that_is_asked_and_seen_and_no_names() -> None:
    base = question()
    turns = DIALOGUE.turns
    reasoned = dataclasses.replace(turns[0].steps[0], reasoning="They want two.")
    others = [
        question(item("Is it other?")),
        question(item(focus="user")),
        question(item(kind="never")),
        question(turn=1),
        question(turn=None),
        question(trajectory=dataclasses.replace(DIALOGUE, system="Be rude.")),
        question(trajectory=dataclasses.replace(DIALOGUE, turns=turns[:1])),
        question(
            trajectory=dataclasses.replace(
                DIALOGUE,
                turns=(Turn(turns[0].user, (reasoned, *turns[0].steps[1:])), *turns[1:]),
            )
        ),
    ]
    assert len({digest(base), *map(digest, others)}) == 1 + len(others)
    same = dataclasses.replace(DIALOGUE, id="other", task="other")
    assert digest(question(trajectory=same)) == digest(base)
    told = dataclasses.replace(DIALOGUE, system="")
    assert digest(question(trajectory=told, own=spec(system=DIALOGUE.system))) == digest(base)


# --- cm2 score ----------------------------------------------------------------------------------


def test_rows_of_a_judged_run_are_replayed_by_the_command(tmp_path: Path) -> None:
    """People's labels first; then the rows that this wrote, without the labels."""
    bundle, dialogues, _, _ = judged_rows("tutor", tmp_path, 3)
    spec_file = SPECS / "tutor.cm2"
    lines, labels = [], []
    for number, one in enumerate(dialogues):
        lines.append(json.dumps(to_chat(one), ensure_ascii=False))
        names = {
            name
            for name, d in score(bundle, one, judge_of(Scripted(answer))).decisions.items()
            if d.by == "judge"
        }
        for place, name in enumerate(sorted(names)):
            said = "pass" if (number + place) % 2 else "fail"
            labels.append(json.dumps({"id": one.id, "item": name, "verdict": said, "reason": "因"}))
    (tmp_path / "logs.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "labels.jsonl").write_text("\n".join(labels), encoding="utf-8")

    def run(*extra: str) -> list[dict[str, Any]]:
        result = CliRunner().invoke(
            main,
            ["score", str(spec_file), str(tmp_path / "logs.jsonl"), "--json", "--evidence", *extra],
        )
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]

    def by(file: str) -> list[str]:
        return ["--judge-set", "engine=replay", "--judge-set", f"verdicts={tmp_path / file}"]

    first = run(*by("labels.jsonl"))
    assert {v for row in first for v in row["items"].values()} >= {"pass", "fail"}
    assert any(said.get("reason") == "因" for row in first for said in row["judged"].values())
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, first)), encoding="utf-8")
    assert run(*by("rows.jsonl")) == first
