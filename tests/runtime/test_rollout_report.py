"""Facts about what a set of rollouts comes to, in numbers and in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rollout_doubles import Script, desk, tiny_tokenizer, tool_call

from cm2.commands.rollout_report import report
from cm2.rollout.codec import Codec
from cm2.rollout.dialogue import Limits
from cm2.rollout.report import lost_tasks, record, summarise, summary
from cm2.rollout.stage import Played, Stage

LOOK_UP = tool_call("lookup", booking="AB12")
CANCEL = tool_call("cancel", booking="AB12")
GOOD = [LOOK_UP, "AB12 is flex.", CANCEL, "It is done."]
LATE = [tool_call("lookup", booking="ZZ99"), LOOK_UP, "AB12 is flex.", "No."]
GATED = ["No."]
MASKED = [tool_call("lookup", booking="BROKEN")]
UNKNOWN = [LOOK_UP, tool_call("launch"), *["Wait."] * 2]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> list[Played]:
    bundle = desk(tmp_path_factory.mktemp("desk"))
    codec = Codec(tiny_tokenizer(), system="Be brief.")
    stage = Stage(bundle, codec, Limits(steps=4, step_tokens=200, tokens=2_000), [])
    scripts = [GOOD, LATE, GATED, MASKED, UNKNOWN]
    rows = [bundle.by_id["serve/r0"]] * len(scripts)
    found = stage.play(rows, Script(codec, scripts), [(0, 0, i) for i in range(len(scripts))])
    stage.close()
    return found


def test_a_summary_is_of_what_is_not_masked_and_counts_the_rest(played: list[Played]) -> None:
    shown = summarise(played)
    assert (shown["rollouts"], shown["masked"]) == (5, 1)
    assert shown["masked_by"] == {"tool": 1, "policy": 0, "user": 0, "judge": 0}
    assert shown["gate_rate"] == 0.25
    assert shown["stops"] == {"done": 3, "strict": 1}
    # The first step at which it held: 0, 1 and 0; where it never did, there is none.
    assert shown["first_pass"]["serve.find.looks_up"] == pytest.approx(1 / 3, abs=1e-4)
    assert shown["items"]["serve.find.looks_up"] == 0.75
    assert shown["lengths"]["turns"] == pytest.approx((2 + 2 + 1 + 2) / 4)
    assert shown["lengths"]["steps"] == pytest.approx((4 + 4 + 1 + 4) / 4)
    sampled = [sum(one.rollout.mask) for one in played if not one.masked]
    assert shown["lengths"]["tokens"] == pytest.approx(sum(sampled) / 4)
    assert "verdicts" not in shown


def test_shares_of_sources_are_of_all_calls_that_were_answered(played: list[Played]) -> None:
    assert summarise(played)["sources"] == {"python": 0.8333, "schema": 0.1667}


def test_a_summary_of_lines_that_were_read_is_that_of_the_rollouts(played: list[Played]) -> None:
    lines: list[dict[str, Any]] = [json.loads(json.dumps(record(one))) for one in played]
    assert summary(lines) == summarise(played)


def test_no_rollouts_have_a_summary_too() -> None:
    shown = summary([])
    assert (shown["reward"], shown["rollouts"], shown["sources"]) == (None, 0, {})
    assert report([], 0.0, 0)


def test_the_report_names_rewards_stops_sources_and_what_broke(played: list[Played]) -> None:
    text = report([record(one) for one in played], 2.0, 300)
    assert "done" in text
    assert "tools: python 83%, schema 17%" in text
    assert "300 tokens sampled in 2.0 s: 150 tokens/s" in text
    assert "exceptions of the spec's backends:" in text
    assert "    1  desk_backend.py:" in text
    assert ": ValueError" in text
    assert "1 of 5 rollouts are masked:" in text
    assert "lookup" in text.rpartition("masked:")[2]


def test_a_task_is_lost_where_all_of_its_rollouts_are_masked(played: list[Played]) -> None:
    records = [record(one) for one in played]
    assert lost_tasks(records) == set()
    alone = {**records[3], "task": "other/r0"}
    assert lost_tasks([*records, alone]) == {"other"}
