"""A judge against labels: figures worked out by hand, and a page that text cannot break out of."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import krippendorff
import numpy as np
import pytest
from calibrated import ITEMS, cm2, lines, replaying, says, write
from hypothesis import given, settings
from hypothesis import strategies as st
from judged import Scripted, judge_of, verdict

from cm2.agreement import interval, interval_by_group, kappa
from cm2.bundle import Bundle, open_spec
from cm2.calibrate.cases import Case, ask, cases
from cm2.calibrate.dialogues import read_dialogues
from cm2.calibrate.figures import alpha, by_family, confusion, figures, people, retest
from cm2.calibrate.labels import LabelError, read_labels
from cm2.calibrate.page import page
from cm2.calibrate.report import report
from cm2.calibrate.shown import visible
from cm2.commands.judge_inputs import without_cache
from cm2.judge import Answer, Failed, Judge, Prompt
from cm2.judge.ledger import Cost
from cm2dsl.reward.verdict import Verdict

NAN = math.nan


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return open_spec(write(tmp_path))


def labelled(bundle: Bundle, folder: Path, records: Sequence[dict[str, Any]]) -> list[Case]:
    """The cases of some labels on the dialogues of the folder."""
    labels = read_labels(lines(folder / "labels.jsonl", records))
    found, rejects = read_dialogues(bundle, [folder / "dialogues.jsonl"], "cm2", "")
    assert not rejects
    return cases(bundle, found, labels, whole=False)


def asked(judge: Judge, found: list[Case], runs: int = 1) -> list[Case]:
    with judge:
        judge.run(ask(judge, found, runs))
    return found


# --- figures --------------------------------------------------------------------------------------


def test_fail_and_insufficient_are_no_and_an_error_is_neither(tmp_path: Path) -> None:
    spec = write(tmp_path)
    said = ["pass", "fail", "insufficient", "error", "pass", "fail"]
    label = ["pass", "fail", "fail", "fail", "fail", "pass"]
    judge = replaying(tmp_path, [says(f"d{i}", "find.kind", one) for i, one in enumerate(said)])
    labels = lines(
        tmp_path / "labels.jsonl",
        [says(f"d{i}", "find.kind", one) for i, one in enumerate(label)],
    )
    done = cm2("agree", spec, labels, tmp_path / "dialogues.jsonl", "--judge", judge)
    assert done.exit_code == 0, done.output
    row = next(line for line in done.output.splitlines() if line.startswith("serve.find.kind"))
    # Of five: one pass and two no as labelled. Chance: 2/5 * 2/5 + 3/5 * 3/5 = 13/25.
    _name, n, dialogues, errors, accuracy, *_, kappa_, interval_ = row.split()
    assert (n, dialogues, errors, accuracy) == ("5", "5", "1", "0.600")
    assert kappa_ == f"{(3 / 5 - 13 / 25) / (1 - 13 / 25):.3f}"
    assert interval_ == "-"
    assert "no interval of κ: fewer than 10 dialogues" in done.output
    assert "disagreements: 2" in done.output
    assert "errors: 1" in done.output


def test_an_interval_is_shown_from_ten_dialogues_on_and_where_resamples_differ() -> None:
    def drawn(count: int, *, wrong: int) -> tuple[float, float]:
        pairs = [(i, i % 2 == 0, (i % 2 == 0) != (i < wrong)) for i in range(count)]
        return figures(pairs).kappa_interval

    assert math.isnan(drawn(9, wrong=2)[0])
    low, high = drawn(10, wrong=2)
    assert low < 0.6 < high
    # Without a disagreement a bootstrap would say that there is none anywhere.
    assert math.isnan(drawn(400, wrong=0)[0])


def test_the_accuracys_interval_stays_wide_for_few_that_all_agree() -> None:
    low, high = figures((i, True, True) for i in range(3)).accuracy_interval
    # Wilson, 1927: n / (n + z^2) for n of n.
    assert low == pytest.approx(3 / (3 + 1.959964**2), abs=1e-5)
    assert high == 1


def test_figures_of_nothing_are_not_numbers() -> None:
    found = figures([(0, None, True), (1, True, None)])
    assert (found.n, found.left_out) == (0, 2)
    assert math.isnan(found.accuracy)
    assert math.isnan(found.kappa)
    assert math.isnan(found.accuracy_interval[0])


def test_cases_of_one_dialogue_are_drawn_together() -> None:
    alike = [[5, 0, 0, 0], [0, 5, 0, 0], [0, 0, 0, 5]] * 5
    whole = [25, 25, 0, 25]
    by_case, by_dialogue = interval(whole), interval_by_group(alike)
    assert by_dialogue[1] - by_dialogue[0] > 1.5 * (by_case[1] - by_case[0])
    assert by_dialogue[0] < kappa(whole) < by_dialogue[1]
    single = [[int(cell == k) for cell in range(4)] for k in (0, 1, 3) for _ in range(25)]
    assert interval_by_group(single) == pytest.approx(by_case, abs=0.05)


def test_groups_have_no_interval_where_kappa_has_none() -> None:
    assert all(map(math.isnan, interval_by_group([])))
    assert all(map(math.isnan, interval_by_group([[3, 0, 0, 0], [4, 0, 0, 0]])))
    assert all(map(math.isnan, interval_by_group([[3, 1, 0, 2]])))


def test_families_are_focus_language_and_what_a_template_makes(
    bundle: Bundle, tmp_path: Path
) -> None:
    records = [says(f"d{i}", item, "pass") for item in ITEMS for i in range(3)]
    engine = Scripted(lambda _: verdict("fail"))
    found = asked(judge_of(engine), labelled(bundle, tmp_path, records))
    counts = {name: one.n for name, one in by_family(found).items()}
    assert counts == {
        ("focus", "reply"): 9,
        ("focus", "tool_call"): 3,
        ("language", "other"): 9,
        ("language", "zh"): 3,
        ("name", "kind"): 6,
    }


def test_the_confusion_has_every_verdict_by_focus_and_label(bundle: Bundle, tmp_path: Path) -> None:
    def reply(prompt: Prompt) -> Answer | str:
        if "calm" in prompt.user:
            return Failed("no connection", "refused")
        return verdict("insufficient" if "first" in prompt.user else "fail")

    records = [says("d0", item, "pass") for item in ITEMS] + [says("d1", "find.kind", "fail")]
    found = asked(judge_of(Scripted(reply)), labelled(bundle, tmp_path, records))
    assert confusion(found) == {
        ("reply", True): {Verdict.INSUFFICIENT: 1, Verdict.FAIL: 2},
        ("reply", False): {Verdict.INSUFFICIENT: 1},
        ("tool_call", True): {Verdict.ERROR: 1},
    }


# --- runs, labellers, checks ----------------------------------------------------------------------


def test_every_run_asks_anew_and_retest_says_how_often_they_agree(
    bundle: Bundle, tmp_path: Path
) -> None:
    answers = iter(["pass", "fail", "pass"] + ["fail"] * 3)
    quote = ("t0.s0.reply", "Hello")

    def reply(prompt: Prompt) -> str:
        return verdict(kind, quote) if (kind := next(answers)) == "pass" else verdict(kind)

    engine = Scripted(reply)
    first = asked(
        judge_of(engine), labelled(bundle, tmp_path, [says("d0", "find.kind", "pass")]), runs=3
    )
    second = asked(
        judge_of(engine), labelled(bundle, tmp_path, [says("d1", "find.kind", "pass")]), runs=3
    )
    assert len(engine.asked) == 6
    found = retest([*first, *second])
    assert found is not None
    assert (found.runs, found.n, found.same) == (3, 2, 0.5)
    assert found.pairwise == pytest.approx((1 / 3 + 1) / 2)
    data = [[1, 0], [0, 0], [1, 0]]
    assert found.alpha == pytest.approx(krippendorff.alpha(data, level_of_measurement="nominal"))


def test_a_judge_that_is_asked_more_than_once_has_no_cache_also_inside_another() -> None:
    said = {"engine": "noisy", "cache": "a", "of": {"engine": "openai", "cache": "b", "model": "m"}}
    assert without_cache(said) == {"engine": "noisy", "of": {"engine": "openai", "model": "m"}}


def test_runs_go_past_the_cache_and_one_run_uses_it(tmp_path: Path) -> None:
    from judge_server import Server, saying

    spec = write(tmp_path)
    labels = lines(tmp_path / "labels.jsonl", [says("d0", "find.kind", "fail")])
    with Server(lambda _: saying(verdict("fail"))) as server:
        judge = tmp_path / "judge.toml"
        judge.write_text(
            f'engine = "openai"\nmodel = "m"\nurls = ["{server.url}"]\ncache = "cache.sqlite"\n',
            "utf-8",
        )
        common = ("agree", spec, labels, tmp_path / "dialogues.jsonl", "--judge", judge)
        for runs, expected in ((1, 1), (1, 1), (3, 4)):
            done = cm2(*common, "--runs", runs)
            assert done.exit_code == 0, done.output
            assert len(server.requests) == expected
        assert "3 runs, 1 item: all runs say the same of 1.000" in done.output


def test_what_most_labellers_say_counts_and_a_tie_is_left_out(
    bundle: Bundle, tmp_path: Path
) -> None:
    who = ("ada", "bo", "cy")
    votes = {"d0": "ppf", "d1": "pff", "d2": "pf"}
    records = [
        says(id, "find.kind", {"p": "pass", "f": "fail"}[vote], labeller=name)
        for id, cast in votes.items()
        for vote, name in zip(cast, who, strict=False)
    ]
    found = asked(
        judge_of(Scripted(lambda _: verdict("fail"))), labelled(bundle, tmp_path, records)
    )
    assert [case.label for case in found] == [True, False, None]
    shown = report("desk", {}, found, Cost())
    assert (shown.ties, shown.whole.n, shown.whole.accuracy) == (1, 2, 0.5)
    assert shown.people is not None
    assert {name: one.n for name, one in shown.people.each.items()} == {"ada": 3, "bo": 3, "cy": 2}
    assert shown.people.each["bo"].accuracy == pytest.approx(2 / 3)
    assert people(labelled(bundle, tmp_path, [says("d0", "find.kind", "pass")])) is None


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.sampled_from([None, "a", "b", "c"]), min_size=3, max_size=3)))
def test_alpha_is_that_of_a_matrix_of_raters(rows: list[list[str | None]]) -> None:
    units = [[value for value in row if value is not None] for row in rows]
    found = alpha(units)
    values = sorted({value for unit in units for value in unit})
    usable = [unit for unit in units if len(unit) > 1]
    if len({value for unit in usable for value in unit}) < 2:
        return
    data = [
        [np.nan if row[rater] is None else values.index(row[rater]) for row in rows]
        for rater in range(3)
    ]
    assert found == pytest.approx(krippendorff.alpha(data, level_of_measurement="nominal"))


def test_what_a_check_decides_is_not_asked_and_counted_apart(
    bundle: Bundle, tmp_path: Path
) -> None:
    calling = {"function": {"name": "lookup", "arguments": "{}"}, "id": "a"}
    lines(
        tmp_path / "dialogues.jsonl",
        [
            {
                "id": "d0",
                "messages": [
                    {"role": "user", "content": "Find it."},
                    {"role": "assistant", "content": "", "tool_calls": [calling]},
                    {"role": "tool", "tool_call_id": "a", "content": "{}"},
                    {"role": "assistant", "content": "Hello"},
                ],
            }
        ],
    )
    records = [says("d0", "find.looks", "fail"), says("d0", "find.kind", "fail")]
    engine = Scripted(lambda _: verdict("fail"))
    found = asked(judge_of(engine), labelled(bundle, tmp_path, records))
    assert len(engine.asked) == 1
    shown = report("desk", {}, found, Cost())
    assert shown.settled == (1, 0)
    assert shown.whole.n == 1


# --- labels ---------------------------------------------------------------------------------------

WRONG = [
    ("[1]", "expected an object"),
    ('{"id": "d0", "item": "find.kind"}', "a person says `pass` or `fail`"),
    ('{"id": "d0", "item": "find.kind", "verdict": "insufficient"}', "leaves the item out"),
    ('{"id": "d0", "item": "find.kind", "verdict": "pass", "who": "x"}', "there is no `who`"),
    ('{"item": "find.kind", "verdict": "pass"}', "`id` is missing"),
    ('{"id": "d0", "verdict": "pass"}', "`item` is missing"),
    ('{"id": "d0", "item": 3, "verdict": "pass"}', "`item` is `3`"),
    ('{"id": "d0", "item": "find.kind", "verdict": "pass"', "not JSON at column"),
    ('{"id": "d0", "item": "find.polite", "verdict": "fail"}', "again"),
    ('{"id": "dx", "item": "find.kind", "verdict": "pass"}', "there is no dialogue `dx`"),
    ('{"id": "d0", "item": "find.kindly", "verdict": "pass"}', "did you mean `find.kind`?"),
]


@pytest.mark.parametrize(("line", "message"), WRONG)
def test_a_wrong_label_is_named_by_its_file_and_line(
    tmp_path: Path, line: str, message: str
) -> None:
    spec = write(tmp_path)
    judge = replaying(tmp_path, [says("d0", "find.polite", "pass")])
    good = json.dumps(says("d0", "find.polite", "pass"))
    labels = tmp_path / "labels.jsonl"
    labels.write_text(f"{good}\n\n{line}\n", "utf-8")
    done = cm2("agree", spec, labels, tmp_path / "dialogues.jsonl", "--judge", judge)
    assert done.exit_code == 2
    assert f"error: {labels}:3: " in done.output
    assert message in done.output


def test_a_label_on_a_turn_that_the_dialogue_does_not_have_is_refused(
    bundle: Bundle, tmp_path: Path
) -> None:
    short = [{"role": "user", "content": "Find it."}, {"role": "assistant", "content": "Hello"}]
    lines(tmp_path / "dialogues.jsonl", [{"id": "d0", "messages": short}])
    with pytest.raises(LabelError, match=r"has 1 turn, and does not reach `act\.kind`"):
        labelled(bundle, tmp_path, [says("d0", "act.kind", "pass")])


def test_an_id_that_two_dialogues_have_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    one = (tmp_path / "dialogues.jsonl").read_text("utf-8").splitlines()[0]
    (tmp_path / "dialogues.jsonl").write_text(f"{one}\n{one}\n", "utf-8")
    with pytest.raises(LabelError, match="2 dialogues have the id `d0`"):
        labelled(bundle, tmp_path, [says("d0", "act.kind", "pass")])


def test_agreement_without_a_judge_says_how_to_name_one(tmp_path: Path) -> None:
    spec = write(tmp_path)
    labels = lines(tmp_path / "labels.jsonl", [says("d0", "find.kind", "pass")])
    done = cm2("agree", spec, labels, tmp_path / "dialogues.jsonl")
    assert (done.exit_code, done.output) == (
        2,
        "error: no judge is named\n  = help: give one with --judge\n",
    )


# --- what is shown --------------------------------------------------------------------------------

NASTY = (
    "</pre></article><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\u202e{{ 7*7 }}"
)


class Tags(HTMLParser):
    """The tags of a page, with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def nasty_report(tmp_path: Path) -> Any:
    bundle = open_spec(write(tmp_path, reply=NASTY))
    records = [says("d0", "find.kind", "fail", labeller=NASTY, reason=NASTY)]
    reply = verdict(
        "pass", ("t0.s0.reply", "<script>alert(1)</script>"), reason=NASTY.replace("\x1b", "")
    )
    found = asked(judge_of(Scripted(lambda _: reply)), labelled(bundle, tmp_path, records))
    assert found[0].runs[0].verdict is Verdict.PASS
    return report(NASTY, {"model": NASTY}, found, Cost())


def test_text_of_strangers_makes_no_tag_on_the_page(tmp_path: Path) -> None:
    text = page(nasty_report(tmp_path))
    tags = Tags()
    tags.feed(text)
    assert not {"script", "img"} & {tag for tag, _ in tags.found}
    assert not [name for _, attributes in tags.found for name in attributes if name[:2] == "on"]
    assert not [name for _, attributes in tags.found for name in attributes if name == "src"]
    assert text.count("<article>") == text.count("</article>") == 1
    assert "<mark>&lt;script&gt;alert(1)&lt;/script&gt;</mark>" in text
    assert "{{ 7*7 }}" in text
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text


def test_control_letters_are_written_out_on_the_page_and_on_the_terminal(tmp_path: Path) -> None:
    from cm2.calibrate.text import report_text

    found = nasty_report(tmp_path)
    for text in (page(found), report_text(found)):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\\x1b[31m\\u202e" in text


def test_what_is_written_out_is_nothing_that_people_write() -> None:
    assert visible("Füße 你好\n\t🙂") == "Füße 你好\n\t🙂"
    assert visible("a\x00\u200b\U000e0041") == "a\\x00\\u200b\\U000e0041"


def test_the_page_shows_what_a_person_needs_to_decide_who_is_right(tmp_path: Path) -> None:
    spec = write(tmp_path)
    judge = replaying(tmp_path, [says("d0", "find.kind", "fail", reason="No greeting in it.")])
    labels = lines(
        tmp_path / "labels.jsonl", [says("d0", "find.kind", "pass", labeller="ada", reason="It is")]
    )
    out = tmp_path / "page.html"
    done = cm2("agree", spec, labels, tmp_path / "dialogues.jsonl", "--judge", judge, "--html", out)
    assert done.exit_code == 0, done.output
    text = out.read_text("utf-8")
    for part in (
        "Is the first reply kind?",
        "Greets &amp; thanks",
        "Is &lt;b&gt;rude&lt;/b&gt;",
        "No greeting in it.",
        "by ada: It is",
        f"{labels}:1",
        "Hello, thank you",
        "engine = replay",
    ):
        assert part in text, part
    assert "http://" not in text
    assert "https://" not in text


def test_a_page_that_would_replace_what_is_read_is_refused_before_anything_is_asked(
    tmp_path: Path,
) -> None:
    spec = write(tmp_path)
    judge = replaying(tmp_path, [says("d0", "find.kind", "pass")])
    labels = lines(tmp_path / "labels.jsonl", [says("d0", "find.kind", "pass")])
    common = ("agree", spec, labels, tmp_path / "dialogues.jsonl", "--judge", judge, "--html")
    for out, message in ((labels, "is read"), (tmp_path / "no" / "page.html", "no folder")):
        done = cm2(*common, out)
        assert done.exit_code == 2
        assert message in done.output
    assert read_labels(labels)


def test_an_engine_that_cannot_judge_is_named_without_a_traceback(tmp_path: Path) -> None:
    from judge_server import Response, Server

    spec = write(tmp_path)
    labels = lines(tmp_path / "labels.jsonl", [says("d0", "find.kind", "pass")])
    with Server(lambda _: Response(401), lambda _: Response(401)) as server:
        judge = tmp_path / "judge.toml"
        judge.write_text(f'engine = "openai"\nmodel = "m"\nurls = ["{server.url}"]\n', "utf-8")
        done = cm2("agree", spec, labels, tmp_path / "dialogues.jsonl", "--judge", judge)
    assert done.exit_code == 2
    assert done.output.startswith("error: ")
    assert "  = help: " in done.output
