"""Pieces that a judge decides: several at once, written in order, and the same in every run."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from pathlib import Path

import pytest

from cm2.bundle import open_spec
from cm2.judge.engine import EngineError
from cm2.judge.judge import BY, Judge
from cm2.judge.view import Question
from cm2.scoring.run import Run
from cm2.scoring.worker import Options
from cm2dsl.reward.verdict import Decision, Verdict

SPEC = """cm2 1 domain d
task t {
  turn first { user "go"
    item a { ask "Is it a?" }
    item b { ask "Is it b?" }
    item c { ask "Is it c?" }
  }
}"""
COUNT = 12


class Slow(Judge):
    """Answers the later items first, breaks at dialogue `stuck`, and takes its time for `long`.

    `out` are the questions without an answer yet, as (dialogue, item).
    """

    def __init__(self, stuck: str = "", places: int = 4, long: str = "") -> None:
        super().__init__()
        self.places = places
        self.stuck, self.long = stuck, long
        self.out: set[tuple[str, str]] = set()
        self.most = 0
        self.withdrawn: set[tuple[str, str]] = set()

    async def decide(self, question: Question) -> Decision:
        dialogue = question.trajectory.id
        asked = (dialogue, question.item.name)
        self.out.add(asked)
        self.most = max(self.most, len({dialogue for dialogue, _ in self.out}))
        try:
            await asyncio.sleep(0.003 * (3 - "abc".index(question.item.name)))
            if dialogue == self.long:
                await asyncio.sleep(60)
            if dialogue == self.stuck:
                raise EngineError("it is gone", "start it again")
        except asyncio.CancelledError:
            self.withdrawn.add(asked)
            raise
        self.out.discard(asked)
        return Decision(Verdict.FAIL, BY, reason="no")

    async def release(self) -> None:
        pass


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    spec, chat = tmp_path / "spec.cm2", tmp_path / "chat.jsonl"
    spec.write_text(SPEC, "utf-8")
    says = [{"role": "user", "content": "go"}, {"role": "assistant", "content": "gone"}]
    chat.write_text(
        "".join(json.dumps({"id": f"d{i}", "messages": says}) + "\n" for i in range(COUNT))
    )
    return spec, chat


def run(files: tuple[Path, Path], judge: Judge) -> Run:
    return Run([files[1]], "cm2", open_spec(files[0]), Options(evidence=True), judge)


def test_rows_and_their_items_are_in_order_whichever_answer_comes_first(
    files: tuple[Path, Path],
) -> None:
    with Slow() as judge:
        rows = [json.loads(result.rows) for _, result in run(files, judge).results()]
    assert [row["id"] for row in rows] == [f"d{i}" for i in range(COUNT)]
    for row in rows:
        assert list(row["items"]) == list(row["judged"]) == ["first.a", "first.b", "first.c"]


def test_as_many_dialogues_are_judged_at_once_as_the_judge_has_places(
    files: tuple[Path, Path],
) -> None:
    judge = Slow(places=3)
    with judge:
        assert len(list(run(files, judge).results())) == COUNT
    assert judge.most == 3


def test_what_is_judged_before_the_judge_is_gone_is_there_and_the_rest_is_withdrawn(
    files: tuple[Path, Path],
) -> None:
    done: list[int] = []
    judge = Slow("d5")
    with judge, closing(run(files, judge).results()) as results:
        with pytest.raises(EngineError):
            done.extend(size for size, _ in results)
        assert len(done) == 5
        assert {dialogue for dialogue, _ in judge.out - judge.withdrawn} <= {"d5"}


def test_a_run_that_is_left_withdraws_what_is_under_way(files: tuple[Path, Path]) -> None:
    judge = Slow(long="d1")
    with judge:
        with closing(run(files, judge).results()) as results:
            next(results)
        assert {("d1", "a"), ("d1", "b"), ("d1", "c")} <= judge.withdrawn
        assert judge.withdrawn == judge.out


def test_a_run_goes_on_behind_the_pieces_that_are_done(files: tuple[Path, Path]) -> None:
    with Slow() as judge:
        rows = [json.loads(result.rows) for _, result in run(files, judge).results(done=9)]
    assert [row["id"] for row in rows] == ["d9", "d10", "d11"]
