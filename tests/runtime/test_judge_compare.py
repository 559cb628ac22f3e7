"""Two judges on the same dialogues: agreement, rewards, costs, and rows in place of a judge."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from calibrated import ITEMS, cm2, lines, replaying, says, write
from click.testing import CliRunner
from judge_server import Server, saying
from judged import verdict

from cm2.bundle import open_spec
from cm2.calibrate.rows import Row, RowError, read_rows
from cm2.calibrate.versus import versus
from cm2.cli import main

COUNT = 12


def all_of(verdict: str, **others: str) -> list[dict[str, Any]]:
    """Verdicts on every item of every dialogue; `others` are the verdicts on dialogues by id."""
    names = [*ITEMS, "find.looks"]
    return [
        says(f"d{i}", item, others.get(f"d{i}", verdict)) for i in range(COUNT) for item in names
    ]


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return write(tmp_path, COUNT)


def row(reward: float | None, *, judged: bool | None = True, **verdicts: str) -> Row:
    names = frozenset(verdicts) if judged else frozenset()
    return Row(reward, verdicts, None if judged is None else names)


def test_a_judge_agrees_with_itself(spec: Path, tmp_path: Path) -> None:
    one = replaying(tmp_path, all_of("pass", d3="fail", d4="fail"))
    done = cm2("compare", one, one, spec, tmp_path / "dialogues.jsonl")
    assert done.exit_code == 0, done.output
    whole = next(line for line in done.output.splitlines() if line.startswith("all items"))
    assert whole.split()[2:6] == ["48", "12", "0", "1.000"]
    assert "they differ by 0.000 in the mean; Spearman's ρ 1.000" in done.output
    assert "differ most" not in done.output


def test_the_dialogues_whose_rewards_differ_most_come_first(spec: Path, tmp_path: Path) -> None:
    first = replaying(tmp_path, all_of("pass", d1="fail"), "first")
    other = [one for one in all_of("pass") if (one["id"], one["item"]) != ("d7", "act.kind")]
    second = replaying(tmp_path, [*other, says("d7", "act.kind", "insufficient")], "second")
    done = cm2("compare", first, second, spec, tmp_path / "dialogues.jsonl")
    assert done.exit_code == 0, done.output
    shown = done.output[done.output.index("rewards that differ most") :].splitlines()[3:]
    assert [line.split()[0] for line in shown] == ["d1", "d7"]
    assert shown[0].split()[2:5] == ["0.000", "0.889", "-0.889"]
    assert shown[1].endswith("act.kind pass/insufficient")


def test_errors_leave_no_reward_and_count_as_neither(spec: Path, tmp_path: Path) -> None:
    first = replaying(tmp_path, all_of("pass", d1="error"), "first")
    second = replaying(tmp_path, all_of("pass"), "second")
    done = cm2("compare", first, second, spec, tmp_path / "dialogues.jsonl")
    assert "rewards of 11 dialogues: mean 0.889 by A, 0.889 by B" in done.output
    assert "without a reward from one of them: 1 dialogue\n" in done.output
    whole = next(line for line in done.output.splitlines() if line.startswith("all items"))
    assert whole.split()[2:5] == ["44", "11", "4"]


@pytest.mark.parametrize("evidence", [["--evidence"], []])
def test_rows_stand_in_for_a_judge(spec: Path, tmp_path: Path, evidence: list[str]) -> None:
    first = replaying(tmp_path, all_of("pass", d1="fail"), "first")
    second = replaying(tmp_path, all_of("pass", d2="insufficient"), "second")
    dialogues = tmp_path / "dialogues.jsonl"
    written = {}
    for name, judge in (("a", first), ("b", second)):
        out = written[name] = tmp_path / f"{name}.jsonl"
        options = ["--judge", judge, "-o", out, *evidence]
        done = CliRunner().invoke(main, ["score", *map(str, [spec, dialogues, *options])])
        assert done.exit_code == 0, done.output
    asked = cm2("compare", first, second, spec, dialogues).output
    read = cm2("compare", written["a"], written["b"], spec).output
    mixed = cm2("compare", written["a"], second, spec, dialogues).output

    def tables(text: str) -> list[list[str]]:
        # A check decides `looks`, which rows without evidence cannot say.
        other = ("A", "B", "-", "all items", "serve.find.looks")
        return [line.split() for line in text.splitlines() if not line.startswith(other)]

    assert tables(asked) == tables(read) == tables(mixed)
    assert read.count("rows, judged before") == 2


def test_what_a_judge_costs_is_said_of_each(spec: Path, tmp_path: Path) -> None:
    replayed = replaying(tmp_path, all_of("fail"))
    with Server(lambda _: saying(verdict("fail"))) as server:
        asking = tmp_path / "asking.toml"
        asking.write_text(f'engine = "openai"\nmodel = "m"\nurls = ["{server.url}"]\n', "utf-8")
        done = cm2("compare", replayed, asking, spec, tmp_path / "dialogues.jsonl")
    assert done.exit_code == 0, done.output
    assert "A: 0 calls, 0 from the cache" in done.output
    calls, hits = len(server.requests), 4 * COUNT - len(server.requests)
    prompt, cached, output = calls * 100, calls * 60, calls * 20
    assert (
        f"B: {calls} calls, {hits} from the cache, {prompt} prompt tokens ({cached} cached), "
        f"{output} of answers"
    ) in done.output


def test_only_what_a_judge_decided_is_compared() -> None:
    one = {("t", "1"): row(1.0, a="pass", b="pass"), ("t", "2"): row(0.0, a="fail", b="pass")}
    checked = Row(1.0, {"a": "pass", "b": "pass"}, frozenset({"a"}))
    other = {("t", "1"): checked, ("t", "2"): checked}
    asked = {key: Row(each.reward, each.verdicts, frozenset({"a"})) for key, each in one.items()}
    assert set(versus(one, other).items) == {"a", "b"}
    assert set(versus(asked, other).items) == {"a"}


def test_ranks_are_spearmans_and_undefined_where_a_side_is_constant() -> None:
    def of(*rewards: float) -> dict[Any, Row]:
        return {("t", str(i)): row(reward) for i, reward in enumerate(rewards)}

    assert versus(of(0.1, 0.2, 0.3), of(0.7, 0.8, 0.9)).ranks == pytest.approx(1)
    assert versus(of(0.1, 0.2, 0.3), of(0.9, 0.8, 0.7)).ranks == pytest.approx(-1)
    # Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: Pearson's of those.
    assert versus(of(0, 1, 1, 2), of(0, 1, 2, 3)).ranks == pytest.approx(4.5 / math.sqrt(4.5 * 5))
    assert math.isnan(versus(of(0.1, 0.2, 0.3), of(1, 1, 1)).ranks)
    assert math.isnan(versus(of(0.1, 0.2), of(0.1, 0.2)).ranks)


def test_what_only_one_side_has_is_counted() -> None:
    one = {("t", "1"): row(1.0, a="pass"), ("t", "2"): row(1.0, a="pass")}
    found = versus(one, {("t", "2"): row(None, a="error"), ("t", "3"): row(1.0, a="pass")})
    assert (found.both, found.missing, found.unrewarded, found.whole.left_out) == (0, 2, 1, 1)


WRONG = [
    ("[]", "found `[]`"),
    ('{"id": "d0"}', "expected a row that `cm2 score` wrote"),
    ('{"id": "d0", "task": "server", "items": {}}', "there is no task `server`"),
    ('{"id": "d0", "task": "serve", "reward": "1", "items": {}}', '`reward` is `"1"`'),
    ('{"id": "d0", "task": "serve", "items": {"find.kind": "yes"}}', '`find.kind` is `"yes"`'),
    ('{"id": "d9", "task": "serve", "items": {}}', "two dialogues of `serve` have the id `d9`"),
]


@pytest.mark.parametrize(("line", "message"), WRONG)
def test_a_wrong_row_is_named_by_its_file_and_line(
    spec: Path, tmp_path: Path, line: str, message: str
) -> None:
    rows = tmp_path / "rows.jsonl"
    good = json.dumps({"id": "d9", "task": "serve", "reward": 1, "items": {"find.kind": "pass"}})
    rows.write_text(f"{good}\n{line}\n", "utf-8")
    with pytest.raises(RowError) as raised:
        read_rows(open_spec(spec), rows)
    assert raised.value.place == f"{rows}:2"
    assert message in str(raised.value)
    done = cm2("compare", rows, rows, spec)
    assert done.exit_code == 2
    assert done.output.startswith(f"error: {rows}:2: ")


def test_a_judge_needs_dialogues_and_rows_do_not(spec: Path, tmp_path: Path) -> None:
    judge = replaying(tmp_path, all_of("pass"))
    done = cm2("compare", judge, judge, spec)
    assert done.exit_code == 2
    assert f"`{judge}` is a judge, and there are no dialogues to judge" in done.output


def test_rows_of_other_dialogues_are_not_compared(spec: Path, tmp_path: Path) -> None:
    def rows(name: str) -> Path:
        one = {"id": name, "task": "serve", "reward": 1, "items": {"find.kind": "pass"}}
        return lines(tmp_path / f"{name}.jsonl", [one])

    done = cm2("compare", rows("x"), rows("y"), spec)
    assert (done.exit_code, done.output.splitlines()[0]) == (2, "error: no dialogue is in both")


def test_scores_of_whole_dialogues_are_ranked_against_a_checklists_rewards(
    spec: Path, tmp_path: Path
) -> None:
    fails = {f"d{i}": "fail" for i in range(6)}
    checklist = replaying(tmp_path, all_of("pass", **fails), "checklist")
    scores = {"good": 9, "bad": 2}
    dialogues = []
    for number, line in enumerate((tmp_path / "dialogues.jsonl").read_text("utf-8").splitlines()):
        one = json.loads(line)
        one["messages"][1]["content"] = "bad" if number < 6 else "good"
        dialogues.append(one)
    lines(tmp_path / "dialogues.jsonl", dialogues)

    def rates(request: Any) -> Any:
        kind = "bad" if "\nbad\n" in request.user else "good"
        return saying(json.dumps({"reason": "So it is.", "score": scores[kind]}))

    with Server(rates) as server:
        holistic = tmp_path / "holistic.toml"
        holistic.write_text(
            f'engine = "holistic"\n[of]\nengine = "openai"\nmodel = "m"\nurls = ["{server.url}"]\n',
            "utf-8",
        )
        done = cm2("compare", checklist, holistic, spec, tmp_path / "dialogues.jsonl")
        assert done.exit_code == 0, done.output
        assert len(server.requests) == 2
    assert "Spearman's ρ of A's rewards and B's scores of whole dialogues 1.000" in done.output
