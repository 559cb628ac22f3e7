"""What `cm2c test` counts as covered: what a test would notice, and nothing else."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from coverage_oracle import Case, covered, passes, score
from generated import checks
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tested import ROWS, draw_dialogue, draw_judged, draw_spec, write_files, write_test

from cm2dsl.testing.cover import Cover
from cm2dsl.testing.points import KINDS, points
from cm2dsl.testing.report import Share, report_on
from cm2dsl.testing.run import Ran, Runner
from cm2dsl.testing.subject import Subject, read_subject

EXAMPLES = 80
DIALOGUES = 6


def subject(path: Path) -> Subject:
    found = read_subject(path)
    assert found is not None
    return found


def shown(runner: Runner, ran: Ran) -> set[tuple[str, str, int, str]]:
    """What a test covers, by the tool."""
    every = {point.key for point in points(runner.subject, runner.parts)}
    cover = Cover(runner, every)
    cover.add(ran)
    return {(kind, name, index, outcome) for kind, _, name, index, outcome in every - cover.open}


def expectations(rng: random.Random, ran: Ran) -> list[str]:
    """Something that holds of a dialogue: some verdicts, and mostly something of its reward."""
    assert ran.played is not None
    scored = ran.played.scored
    found = [
        f"{name} {decision.verdict}"
        for name, decision in scored.decisions.items()
        if name not in ran.played.undecided and rng.random() < 0.25
    ]
    if scored.reward is not None and rng.random() < 0.8:
        order, value = rng.choice(
            [("==", scored.reward), (">=", scored.reward), ("<", 1.5), ("<", scored.reward + 0.2)]
        )
        found.append(f"reward {order} {value:.12f}")
    return found or ["reward >= 0"]


@pytest.mark.slow
def test_coverage_verdicts_and_rewards_are_those_of_the_slow_oracle(tmp_path: Path) -> None:
    write_files(tmp_path)
    compared: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data(), st.integers(0, 2**32))
    def agree(data: st.DataObject, seed: int) -> None:
        rng = random.Random(seed)
        drawn = draw_spec(rng, lambda: data.draw(checks("jsonl")))
        for _ in range(DIALOGUES):
            row = rng.choice(ROWS)
            dialogue = draw_dialogue(rng, drawn, row)
            judged = draw_judged(rng, drawn)
            first = subject(write_test(tmp_path, drawn, dialogue, judged, ["reward >= 0"]))
            expected = expectations(rng, Runner(first).run(first.tests[0]))
            spec = subject(write_test(tmp_path, drawn, dialogue, judged, expected))
            runner = Runner(spec)
            ran = runner.run(spec.tests[0])
            assert ran.played is not None
            found = ran.played.scored
            case = Case(spec.spec.tasks[0], ran.row, dialogue, judged, ran.test.block.expect)
            slow = score(case)
            verdicts = {name: one.verdict for name, one in slow.outcomes.items()}
            assert {name: d.verdict.value for name, d in found.decisions.items()} == verdicts
            assert found.reward == pytest.approx(slow.reward, abs=1e-9)
            if ran.status != "error":
                assert (ran.status == "passed") == passes(case, slow)
                meant = covered(case)
                assert shown(runner, ran) == meant
                compared.update(f"{kind} {outcome}" for kind, _, _, outcome in meant)
            compared[ran.status] += 1

    agree()
    # Hypothesis draws constants of the code too, so that any change of the code changes the draw:
    # these bounds, a fifth of what is usual and less, only say that there was something to compare.
    # Each kind by itself is in the examples below.
    assert compared["passed"] > 100
    for what in ("item pass", "item fail", "check true", "check false", "check undecided"):
        assert compared[what] > 8, compared
    rare = ("edge satisfied", "edge waits", "gate open", "gate closed")
    assert sum(compared[what] for what in rare) > 8, compared


# --- the same, said in examples -------------------------------------------------------------------

SPEC = """cm2 1
domain air
tools "tools.json"
template untouched(tool) never veto { check called tool }
task fly each row in "rows.jsonl" {
  turn find {
    user "A flight"
    item searches strict { check called search }
    item tells after searches { check reply contains "MU5101" and not reply contains row.s }
    item kind weight 0 { ask "Is the reply kind?" }
    use untouched(book)
    use untouched(查询) as unasked
  }
  turn take {
    user "Book it"
    item books { check called book }
  }
}
"""
CALL = {"id": "a", "type": "function", "function": {"name": "search", "arguments": "{}"}}
GOOD = [
    {"role": "user", "content": "A flight"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "a", "content": "1"},
    {"role": "assistant", "content": "MU5101"},
]


def by_tests(folder: Path, *tests: str) -> dict[str, set[str]]:
    """What tests of one dialogue, given as the lines of their blocks, cover, by kind."""
    write_files(folder)
    (folder / "good.jsonl").write_text(json.dumps({"messages": GOOD}) + "\n", encoding="utf-8")
    blocks = [
        f'test "{number}" for fly row "1" {{ trajectory "good.jsonl" {lines} }}'
        for number, lines in enumerate(tests)
    ]
    (folder / "air.cm2").write_text("\n".join([SPEC, *blocks]), encoding="utf-8")
    report = report_on(subject(folder / "air.cm2"), None)
    assert all(result.status != "error" for result in report.results)
    missing = {point.key for point in report.uncovered}
    found: dict[str, set[str]] = {"item": set(), "check": set(), "edge": set(), "gate": set()}
    for point in report.points:
        kind, _, name, index, outcome = point.key
        if point.key not in missing:
            found[kind].add(f"{name} {index} {outcome}" if kind == "check" else f"{name} {outcome}")
    return found


def test_what_no_expectation_depends_on_is_not_covered(tmp_path: Path) -> None:
    found = by_tests(tmp_path, "expect find.untouched pass")
    assert found == {
        "item": {"find.untouched pass"},
        "check": {"find.untouched 0 false"},
        "edge": set(),
        "gate": set(),
    }


def test_a_reward_that_has_room_holds_little_in_place(tmp_path: Path) -> None:
    exact = by_tests(tmp_path, "judged find.kind pass expect reward == 0.5")
    roomy = by_tests(tmp_path, "judged find.kind pass expect reward < 0.9")
    passing = {f"find.{name} pass" for name in ("searches", "tells", "untouched", "unasked")}
    assert exact["item"] == passing
    assert exact["edge"] == {"find.tells satisfied"}
    assert exact["check"] == {
        *("find.searches 0 true", "find.tells 0 true", "find.tells 1 false"),
        *("find.untouched 0 false", "find.unasked 0 false"),
    }
    assert roomy == {"item": set(), "check": set(), "edge": set(), "gate": set()}


def test_an_item_without_weight_is_covered_only_where_it_is_named(tmp_path: Path) -> None:
    assert (
        "find.kind pass"
        not in by_tests(tmp_path, "judged find.kind pass expect reward == 0.5")["item"]
    )
    assert by_tests(tmp_path, "judged find.kind pass expect find.kind pass")["item"] == {
        "find.kind pass"
    }


def test_a_test_that_fails_covers_nothing(tmp_path: Path) -> None:
    found = by_tests(tmp_path, "expect find.untouched pass expect find.searches fail")
    assert found == {"item": set(), "check": set(), "edge": set(), "gate": set()}


def test_what_several_tests_cover_is_put_together(tmp_path: Path) -> None:
    found = by_tests(tmp_path, "expect find.untouched pass", "expect find.unasked pass")
    assert found["item"] == {"find.untouched pass", "find.unasked pass"}


def test_a_task_with_rows_counts_once_and_a_template_once_a_use(tmp_path: Path) -> None:
    by_tests(tmp_path, "expect find.untouched pass")
    report = report_on(subject(tmp_path / "air.cm2"), None)
    assert {kind: report.share(kind).all for kind in KINDS} == {
        "item": 12,
        "check": 12,
        "edge": 2,
        "gate": 2,
    }
    uses = [point.use.line for point in report.points if point.use and point.kind == "check"]
    assert uses == [11, 11, 12, 12]
    assert [point.span.line for point in report.points if point.use][:2] == [4, 4]


def test_percentages_are_cut_and_100_is_all() -> None:
    assert Share(999, 1000).percent == 99.9
    assert Share(99_999, 100_000).percent == 99.9
    assert Share(2, 3).percent == 66.6
    assert Share(3, 3).percent == Share(0, 0).percent == 100


def test_what_an_item_comes_after_is_found_through_templates_and_counts_once(
    tmp_path: Path,
) -> None:
    spec = SPEC.replace(
        "task fly",
        "template late(other) after other, find.searches, searches { check replied }\ntask fly",
    ).replace(
        "    use untouched(book)\n",
        "    item last after searches, find.searches { check replied }\n"
        "    use late(tells) as one\n"
        "    use late(find.tells) as two after searches\n",
    )
    write_files(tmp_path)
    (tmp_path / "air.cm2").write_text(spec, encoding="utf-8")
    report = report_on(subject(tmp_path / "air.cm2"), None)
    edges = [(point.what, point.span.line) for point in report.points if point.kind == "edge"]
    assert edges[2::2] == [
        ("`after find.searches` of `fly find.last`", 12),
        ("`after find.tells` of `fly find.one`", 5),
        ("`after find.searches` of `fly find.one`", 5),
        ("`after find.searches` of `fly find.two`", 14),
    ]
