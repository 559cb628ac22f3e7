"""The fast way and the general one: the same rows, the same rejects, the same counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chat_lines import chat_lines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from score_runs import dialogue, write_spec

from cm2.bundle import Bundle, open_spec
from cm2.judge import Judge, Question
from cm2.scoring.tally import Tally
from cm2.scoring.units import Lines
from cm2.scoring.worker import Options, Result, Worker
from cm2dsl.jsonl import JsonError, parse
from cm2dsl.reward.verdict import Decision

TEXT = """cm2 1 domain d tools "tools.json"
task t {
  turn u { user "go"
    item a { check called search(day == "Monday") }
    never b penalty 0.25 { check failed search }
    item c after a { check reply contains "120" }
  }
  turn v { user "on" item d { check result search has a } item e { check replied } }
  item f { check called search at_least 2 times }
}
task s { turn u { user "go" item a { check called search } } }"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("spec")
    tools = {"name": "search", "parameters": {"type": "object"}}
    spec = write_spec(folder, TEXT)
    (folder / "tools.json").write_text(json.dumps([tools]))
    return open_spec(spec)


class NeverAsked(Judge):
    """With a judge, lines go the general way; these checks leave it nothing."""

    async def release(self) -> None:
        pass

    async def decide(self, question: Question) -> Decision:
        raise AssertionError("no item of the spec has an `ask`")


def scored(bundle: Bundle, options: Options, lines: list[bytes], fast: bool) -> Result:
    data = b"\n".join(lines)
    lines_of_all = Lines("chat.jsonl", 7, data, len(data))
    if fast:
        return Worker(bundle, options).score(lines_of_all)
    with NeverAsked() as judge:
        return Worker(bundle, options, judge).score(lines_of_all)


def strict(line: bytes) -> bool:
    """Whether a line is nothing that only the general reader refuses (cm2.fastchat says what)."""
    try:
        parse(line)
    except JsonError as error:
        return not any(said in error.message for said in ("too large", "occurs twice"))
    return b"\n" not in line


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(chat_lines().filter(strict), max_size=4),
    st.sampled_from(["", "s", "x"]),
    st.booleans(),
)
def test_both_ways_say_the_same_of_every_line(
    bundle: Bundle, lines: list[bytes], task: str, evidence: bool
) -> None:
    options = Options(task=task, evidence=evidence)
    one, other = (scored(bundle, options, lines, fast) for fast in (True, False))
    assert one.rows == other.rows
    assert one.rejects == other.rejects
    assert one.tally == other.tally


def test_a_dialogue_without_an_id_has_the_number_of_its_line(bundle: Bundle) -> None:
    nameless = {key: value for key, value in dialogue(1).items() if key != "id"}
    lines = [json.dumps(nameless).encode(), b"", json.dumps(nameless).encode()]
    for fast in (True, False):
        rows = scored(bundle, Options(), lines, fast).rows.splitlines()
        assert [json.loads(row)["id"] for row in rows] == ["7", "9"]


def test_an_official_result_is_read_only_to_be_agreed_with(bundle: Bundle) -> None:
    line = json.dumps(dialogue(1, official="yes")).encode()
    for fast in (True, False):
        assert scored(bundle, Options(), [line], fast).tally.dialogues == 1
    (reject,) = scored(bundle, Options(agree=True), [line], True).rejects
    assert (reject.line, reject.path) == (7, "official")


def test_tallies_add_up_and_survive_being_written(bundle: Bundle, tmp_path: Path) -> None:
    lines = [json.dumps(dialogue(number)).encode() for number in range(20)]
    options = Options(agree=True)
    whole, parts = scored(bundle, options, lines, True).tally, Tally()
    for start in (0, 7, 11):
        end = {0: 7, 7: 11, 11: 20}[start]
        parts.add(scored(bundle, options, lines[start:end], True).tally)
        parts = Tally.from_json(json.loads(json.dumps(parts.to_json())))
    assert parts == whole
    assert whole.by_file
    assert whole.unknown
