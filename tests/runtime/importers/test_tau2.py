"""τ²-bench's tasks as specs: what is required, what may not happen, and what is only reported."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from workshop import (
    TOOLS,
    action,
    call,
    dialogue,
    holds,
    imported,
    items,
    made,
    result,
    reward,
    run_of,
    simulation,
    task,
    tool,
    written,
)

from cm2.bundle import open_spec
from cm2.cli import main
from cm2.formats.source import SourceFault

BOOK = action("book_slot", job="J1", day="2026-03-02")
LOOK = action("get_job", job="J1")
DONE = call("book_slot", job="J1", day="2026-03-02")


# --- writes and reads -------------------------------------------------------------------------


def test_a_write_of_the_reference_is_required_and_a_read_is_not(tmp_path: Path) -> None:
    spec, bundle = made(tmp_path, task(actions=[LOOK, BOOK]))
    assert list(items(spec)) == ["book_slot", "no_other_writes", "ends_with_reply"]
    assert reward(bundle, DONE) == 1.0
    assert reward(bundle, call("get_job", job="J1")) == 0.0


def test_a_write_that_failed_is_none(tmp_path: Path) -> None:
    _, bundle = made(tmp_path, task(actions=[BOOK]))
    failed = call("book_slot", "Error: closed", job="J1", day="2026-03-02")
    assert reward(bundle, failed) == 0.0
    assert reward(bundle, failed, DONE) == 1.0


def test_any_other_write_makes_the_dialogue_worth_nothing(tmp_path: Path) -> None:
    _, bundle = made(tmp_path, task(actions=[BOOK]))
    assert reward(bundle, DONE, call("cancel_job", job="J2")) == 0.0
    assert reward(bundle, DONE, call("book_slot", job="J1", day="2026-03-03")) == 0.0
    assert reward(bundle, DONE, call("cancel_job", "Error: no job J2", job="J2")) == 1.0
    assert reward(bundle, DONE, call("get_job", job="J2"), call("estimate", sum="2+2")) == 1.0


def test_a_dialogue_that_ends_without_a_reply_is_worth_nothing(tmp_path: Path) -> None:
    _, bundle = made(tmp_path, task(actions=[BOOK]))
    assert reward(bundle, DONE, reply="") == 0.0


def test_two_writes_share_the_worth(tmp_path: Path) -> None:
    cancel = action("cancel_job", job="J2")
    _, bundle = made(tmp_path, task(actions=[BOOK, cancel]))
    assert reward(bundle, DONE) == 0.5
    assert reward(bundle, call("cancel_job", job="J2"), DONE) == 1.0


def test_the_same_action_twice_is_one_item(tmp_path: Path) -> None:
    spec, bundle = made(tmp_path, task(actions=[BOOK, LOOK, BOOK]))
    assert [name for name in items(spec) if name.startswith("book")] == ["book_slot"]
    assert reward(bundle, DONE) == 1.0


def test_actions_of_one_tool_are_named_by_what_only_they_have(tmp_path: Path) -> None:
    def split(payer: str) -> object:
        shares = [{"payer": payer, "amount": 3}]
        return action("split_bill", job="J1", shares=shares)

    slots = [action("book_slot", job=job, day="2026-03-02") for job in ("J1", "J2")]
    spec, _ = made(tmp_path, task(actions=[split("Ines"), split("Bo"), *slots]))
    assert list(items(spec))[:4] == [
        "split_bill_ines",
        "split_bill_bo",
        "book_slot_j1",
        "book_slot_j2",
    ]


# --- arguments --------------------------------------------------------------------------------


def test_arguments_are_equal_in_any_order_of_their_keys(tmp_path: Path) -> None:
    shares = [{"payer": "Ines", "amount": 3}, {"payer": "Bo", "amount": 4.5}]
    wanted = action("split_bill", job="J1", shares=shares)
    _, bundle = made(tmp_path, task(actions=[wanted]), diagnostics=True)
    turned = [{"amount": 3.0, "payer": "Ines"}, {"amount": 4.5, "payer": "Bo"}]
    found = holds(bundle, call("split_bill", shares=turned, job="J1"))
    assert found["split_bill"]
    assert found["action_0"]
    assert reward(bundle, call("split_bill", shares=turned[::-1], job="J1")) == 0.0
    assert reward(bundle, call("split_bill", shares=turned[:1], job="J1")) == 0.0
    assert reward(bundle, call("split_bill", shares=[*turned, turned[0]], job="J1")) == 0.0


def test_the_order_of_an_only_list_does_not_count_but_officially_it_does(tmp_path: Path) -> None:
    wanted = action("order_parts", job="J1", parts=["bell", "chain"])
    _, bundle = made(tmp_path, task(actions=[wanted]), diagnostics=True)
    turned = holds(bundle, call("order_parts", job="J1", parts=["chain", "bell"]))
    assert (turned["order_parts"], turned["no_other_writes"], turned["action_0"]) == (1, 1, 0)
    assert reward(bundle, call("order_parts", job="J1", parts=["bell"])) == 0.0
    assert reward(bundle, call("order_parts", job="J1", parts=["bell", "chain", "oil"])) == 0.0


def test_the_order_of_one_list_among_several_counts(tmp_path: Path) -> None:
    both = tool("swap", "write", old={"type": "array"}, new={"type": "array"})
    wanted = task(actions=[action("swap", old=["a", "b"], new=["c", "d"])])
    _, bundle = imported(written(tmp_path, wanted, tools=[*TOOLS, both]))
    assert reward(bundle, call("swap", old=["a", "b"], new=["c", "d"])) == 1.0
    assert reward(bundle, call("swap", old=["b", "a"], new=["d", "c"])) == 0.0


def test_an_argument_that_the_schema_lacks_does_not_count(tmp_path: Path) -> None:
    shares = [{"payer": "Ines", "amount": 3, "colour": "red"}]
    wanted = action("split_bill", job="J1", shares=shares)
    _, bundle = made(tmp_path, task(actions=[wanted]))
    assert reward(bundle, call("split_bill", job="J1", shares=shares)) == 1.0
    plain = [{"payer": "Ines", "amount": 3}]
    assert reward(bundle, call("split_bill", job="J1", shares=plain)) == 1.0


def test_an_optional_argument_that_the_reference_leaves_out_is_left_out(tmp_path: Path) -> None:
    _, bundle = made(tmp_path, task(actions=[BOOK]))
    noted = call("book_slot", job="J1", day="2026-03-02", note="early")
    assert reward(bundle, noted) == 0.0


def test_only_the_compared_arguments_count_where_a_task_names_them(tmp_path: Path) -> None:
    some = action("book_slot", compare=["job"], job="J1", day="2026-03-02")
    none = action("cancel_job", compare=[], job="J9")
    spec, bundle = made(tmp_path, task(actions=[some, none]), diagnostics=True)
    checks = {name: item.check for name, item in items(spec).items()}
    assert checks["book_slot"] == 'succeeded book_slot(job == "J1")'
    assert checks["cancel_job"] == "succeeded cancel_job"
    found = holds(bundle, call("book_slot", job="J1", day="never", note="x"), call("cancel_job"))
    assert all(found.values())


def test_a_value_that_the_schema_forbids_is_allowed_and_reported(tmp_path: Path) -> None:
    spec, bundle = made(tmp_path, task(actions=[action("cancel_job", job=7)]))
    assert reward(bundle, call("cancel_job", job=7)) == 1.0
    assert any("`cancel_job` a `job` that its schema forbids" in line for line in spec.unsaid)


def test_null_true_and_empty_values_are_compared(tmp_path: Path) -> None:
    parts = action("order_parts", job="", parts=[])
    slot = action("book_slot", job="J1", day=None, note=True)
    _, bundle = made(tmp_path, task(actions=[parts, slot]))
    right = call("book_slot", job="J1", day=None, note=True)
    assert reward(bundle, call("order_parts", job="", parts=[]), right) == 1.0
    assert reward(bundle, call("order_parts", job="", parts=["bell"]), right) == 0.0


# --- words ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("It is 1250 in all.", True),
        ("It is $1,250.00.", True),
        ("In all it is\n1250", True),
        ("It is 125 0", False),
        ("It is one thousand", False),
    ],
)
def test_words_are_found_with_commas_left_out(tmp_path: Path, reply: str, said: bool) -> None:
    _, bundle = made(tmp_path, task(communicate_info=["1250"]), diagnostics=True)
    found = holds(bundle, reply=reply)
    assert (found["says_1250"], found["communicate_0"]) == (said, said)


def test_words_are_found_in_any_case_and_in_any_reply(tmp_path: Path) -> None:
    _, bundle = made(tmp_path, task(communicate_info=["Spoke, rim"]))
    said = dialogue(reply="a SPOKE, RIM and tyre")
    assert result(bundle, said).reward == 1.0
    user = dialogue(user="a spoke, rim and tyre", reply="Which?")
    assert result(bundle, user).reward == 0.0


def test_the_same_words_twice_are_one_item_and_blank_ones_none(tmp_path: Path) -> None:
    words = ["12.50", "12.50", "", " ", "12-50", ","]
    spec, bundle = made(tmp_path, task(communicate_info=words), diagnostics=True)
    names = [name for name in items(spec) if name.startswith("says")]
    assert names == ["says_12_50", "says_12_50_2", "says"]
    assert {"communicate_0", "communicate_4"} <= set(items(spec))
    assert bundle.spec.tasks[0].name == "repair"


def test_words_that_anybody_says_are_reported(tmp_path: Path) -> None:
    told = "You want 3 new bells for job J1, at 1,200 each."
    spec, _ = made(tmp_path, task(told=told, communicate_info=["3", "1200", "4711", "1,300"]))
    assert [line for line in spec.unsaid if "must be said" in line] == [
        "`3` must be said, which is so short that it is said by chance: `repair`",
        "`1200` must be said, which the user knows: an agent that repeats it says it: `repair`",
        "`1,300` must be said: the benchmark never finds a text with a comma, and here commas do "
        "not count: `repair`",
    ]


# --- the user's actions -----------------------------------------------------------------------


def test_what_the_user_must_do_is_checked_on_the_users_calls(tmp_path: Path) -> None:
    wanted = [action("turn_pedal", by="user", times=2), BOOK]
    spec, bundle = made(tmp_path, task(actions=wanted), diagnostics=True)
    assert items(spec)["turn_pedal"].check == "user called turn_pedal(times == 2)"
    assert [each["function"]["name"] for each in spec.user_tools] == ["turn_pedal"]
    assert "turn_pedal" not in [each["function"]["name"] for each in spec.tools]
    by_user = holds(bundle, DONE, acts=[call("turn_pedal", times=2)])
    assert by_user["turn_pedal"]
    assert by_user["action_0"]
    assert not holds(bundle, DONE, acts=[call("turn_pedal", times=3)])["turn_pedal"]
    assert reward(bundle, DONE, acts=[call("turn_pedal", times=2)]) == 1.0
    assert any("the user's tools have no schemas" in line for line in spec.unsaid)


def test_a_call_of_the_agent_is_no_action_of_the_user(tmp_path: Path) -> None:
    _, bundle = made(tmp_path, task(actions=[action("cancel_job", by="user", job="J1")]))
    assert reward(bundle, call("cancel_job", job="J1")) == 0.0
    assert reward(bundle, acts=[call("cancel_job", job="J1")]) == 1.0


def test_a_tool_of_the_user_is_not_the_agents_tool_of_that_name(tmp_path: Path) -> None:
    both = [action("book_slot", by="user", hour=3), BOOK]
    spec, bundle = made(tmp_path, task(actions=both))
    assert items(spec)["book_slot_j1"].check.startswith("succeeded book_slot(job")
    assert items(spec)["book_slot"].check == "user called book_slot(hour == 3)"
    assert reward(bundle, DONE, acts=[call("book_slot", hour=3)]) == 1.0


# --- reward bases -----------------------------------------------------------------------------


def test_with_action_in_the_basis_every_reference_action_is_required(tmp_path: Path) -> None:
    wanted = [LOOK, BOOK, action("transfer_to_mechanic", compare=[], summary="bell")]
    spec, bundle = made(tmp_path, task(actions=wanted, reward_basis=["DB", "ACTION"]))
    assert list(items(spec))[:3] == ["get_job", "book_slot", "transfer_to_mechanic"]
    assert reward(bundle, call("get_job", job="J1"), DONE) == pytest.approx(2 / 3)
    handed = call("transfer_to_mechanic", summary="?")
    assert reward(bundle, call("get_job", job="J1"), DONE, handed) == 1.0


@pytest.mark.parametrize(
    "criteria",
    [
        {"actions": [BOOK], "reward_basis": ["ENV_ASSERTION"]},
        {"actions": None, "communicate_info": ["4711"], "reward_basis": ["DB", "COMMUNICATE"]},
    ],
)
def test_where_the_world_is_not_compared_any_other_write_may_happen(
    tmp_path: Path, criteria: dict[str, object]
) -> None:
    _, bundle = made(tmp_path, task(**criteria))
    assert reward(bundle, DONE, call("cancel_job", job="J2"), reply="4711") == 1.0


def test_without_a_basis_a_task_has_the_benchmarks_own(tmp_path: Path) -> None:
    spec, _ = made(tmp_path, task(actions=[LOOK, BOOK], reward_basis=None))
    assert list(items(spec)) == ["book_slot", "no_other_writes", "ends_with_reply"]


def test_a_basis_that_is_not_known_and_one_without_words_are_reported(tmp_path: Path) -> None:
    one = task(actions=[BOOK], communicate_info=["4711"], reward_basis=["DB", "GRACE"])
    spec, _ = made(tmp_path, one)
    assert any("the reward basis `GRACE` is not known" in line for line in spec.unsaid)
    assert any("the official reward leaves out what must be said" in line for line in spec.unsaid)


def test_assertions_on_the_world_are_reported_with_what_stands_for_them(tmp_path: Path) -> None:
    world = [{"env_type": "assistant", "func_name": "assert_bell", "arguments": {}}] * 2
    basis = ["ENV_ASSERTION"]
    tasks = [
        task("one", actions=[BOOK], env_assertions=world, reward_basis=basis),
        task("two", actions=None, env_assertions=world, reward_basis=basis),
    ]
    spec, _ = made(tmp_path, *tasks)
    assert [line for line in spec.unsaid if "assert_bell" in line] == [
        "`assert_bell` asserts the state of the world, which no dialogue shows; it is not "
        "checked, and the required actions are, whatever they bring about: `one`",
        "`assert_bell` asserts the state of the world, which no dialogue shows; nothing stands "
        "for it: `two`",
    ]


def test_an_assertion_on_the_users_world_is_not_said_to_follow_from_the_agents_action(
    tmp_path: Path,
) -> None:
    world = [{"env_type": "user", "func_name": "assert_bell", "arguments": {}}]
    spec, _ = made(tmp_path, task(actions=[BOOK], env_assertions=world))
    assert spec.unsaid == [
        "`assert_bell` asserts the state of the world, which no dialogue shows; it is not "
        "checked, and no action of the user is required: `repair`"
    ]


def test_the_report_says_where_another_write_costs_nothing_and_the_spec_offers_a_veto(
    tmp_path: Path,
) -> None:
    free = task("free", actions=[BOOK], reward_basis=["ENV_ASSERTION"])
    spec, _ = made(tmp_path, free, task("held", actions=[BOOK]))
    (line,) = spec.unsaid
    assert line.startswith("the reward compares no database, so another write")
    assert line.endswith(": `free`")
    text = (tmp_path / "out" / "workshop.cm2").read_text()
    assert text.count("# stricter:") == 1
    asked = text.replace("  # stricter:\n", "").replace("  # ", "  ")
    (tmp_path / "out" / "strict.cm2").write_text(asked)
    bundle = open_spec(tmp_path / "out" / "strict.cm2")
    other = dialogue(DONE, call("cancel_job", job="J2"), task="free")
    assert result(bundle, other).reward == 0.0
    assert result(bundle, dialogue(DONE, task="free")).reward == 1.0


# --- toggles ----------------------------------------------------------------------------------


def test_what_the_user_toggles_twice_is_as_it_was(tmp_path: Path) -> None:
    wanted = action("toggle_lamp", by="user")
    spec, bundle = made(tmp_path, task(actions=[wanted], reward_basis=["ENV_ASSERTION"]))
    assert items(spec)["toggle_lamp"].kind == "at_end"
    paid = [reward(bundle, acts=[call("toggle_lamp")] * times) for times in range(5)]
    assert paid == [0.0, 1.0, 0.0, 1.0, 0.0]


def test_a_toggle_with_arguments_or_twice_in_the_reference_only_has_to_be_called(
    tmp_path: Path,
) -> None:
    lamp, bell = action("toggle_lamp", by="user"), action("toggle_bell", by="user", on=True)
    spec, bundle = made(tmp_path, task(actions=[lamp, bell, lamp]))
    assert {items(spec)[name].kind for name in ("toggle_lamp", "toggle_bell")} == {"item"}
    acts = [call("toggle_lamp"), call("toggle_bell", on=True), call("toggle_lamp")]
    assert reward(bundle, acts=acts) == 1.0


# --- what else a task says --------------------------------------------------------------------


def test_what_a_spec_has_no_place_for_is_in_the_report(tmp_path: Path) -> None:
    one = {**task(actions=[BOOK]), "ticket": "Bell", "issues": [{"id": 3}], "annotations": []}
    one["description"]["relevant_policies"] = "Rule 4"
    one["evaluation_criteria"]["graph"] = {"nodes": 2}
    one["evaluation_criteria"]["actions"] = [{**BOOK, "info": "why"}]
    spec, _ = made(tmp_path, one, task("two", actions=[BOOK]))
    assert [line for line in spec.unsaid if "no place" in line] == [
        "`description.relevant_policies` has no place in a spec: `repair`",
        "`evaluation_criteria.actions.info` has no place in a spec: `repair`",
        "`evaluation_criteria.graph` has no place in a spec: `repair`",
        "`ticket` has no place in a spec: `repair`",
        "`issues` has no place in a spec: `repair`",
    ]
    report = (tmp_path / "out" / "workshop.report.md").read_text()
    assert all(f"- {line}\n" in report for line in spec.unsaid)


def test_a_sentence_about_every_task_says_so(tmp_path: Path) -> None:
    tasks = [{**task(id, actions=[BOOK]), "ticket": "Bell"} for id in ("a", "b")]
    spec, _ = made(tmp_path, *tasks)
    assert spec.unsaid == ["`ticket` has no place in a spec: every task"]


def test_a_state_that_the_world_starts_from_is_reported(tmp_path: Path) -> None:
    begun = [
        {"role": "user", "content": "Order oil"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "1", "name": "order_parts", "arguments": {"job": "J1", "parts": ["oil"]}}
            ],
        },
        {"role": "tool", "id": "1", "content": "ok", "error": False},
    ]
    one = task(actions=[BOOK])
    one["initial_state"] = {"initialization_data": {"jobs": 1}, "message_history": begun}
    spec, bundle = made(tmp_path, one)
    assert any("begins with messages of its own" in line for line in spec.unsaid)
    assert any("a state of its own (`initialization_data`)" in line for line in spec.unsaid)
    # What the given messages did is no other write: a dialogue may hold them.
    assert reward(bundle, call("order_parts", job="J1", parts=["oil"]), DONE) == 1.0


def test_a_purpose_that_is_cut_and_notes_are_in_the_comment(tmp_path: Path) -> None:
    one = task(actions=[BOOK])
    purpose = "Whether the agent books the slot that was asked for, " * 2 + "and no other slot"
    one["description"] = {"purpose": purpose, "notes": "Seen\nin spring."}
    spec, _ = made(tmp_path, one)
    assert len(spec.tasks[0].title) <= 80
    assert spec.tasks[0].title.endswith("…")
    assert spec.tasks[0].note == f"{purpose}\nSeen in spring."


def test_a_task_without_a_purpose_is_titled_by_its_request(tmp_path: Path) -> None:
    one = task(told="Your bell is broken. You want another.", actions=[BOOK])
    del one["description"]
    spec, _ = made(tmp_path, one)
    assert spec.tasks[0].title == "Your bell is broken. You want another."
    assert spec.tasks[0].note == ""


def test_the_user_is_told_all_that_the_benchmark_tells_it(tmp_path: Path) -> None:
    told = {
        "domain": "workshop",
        "reason_for_call": "The bell broke.\n\n\nIt is loud.",
        "known_info": "Job J1.",
        "unknown_info": "The day.",
        "task_instructions": "Be short. " * 20,
    }
    one = task(told=told, actions=[BOOK])
    one["user_scenario"]["persona"] = "You mumble."
    plain = task("plain", actions=[BOOK])
    plain["user_scenario"]["instructions"] = "Just ask."
    spec, bundle = made(tmp_path, one, plain)
    text = spec.tasks[0].simulated
    assert text is not None
    assert bundle.spec.tasks[0].simulated == (text,)
    words = "You mumble. The bell broke. It is loud. Job J1. The day. " + "Be short. " * 20
    assert text.split() == words.split()
    assert "broke.\n\nIt" in text
    assert spec.tasks[1].simulated == "Just ask."


def test_no_word_of_what_the_user_is_told_is_broken(tmp_path: Path) -> None:
    told = "Ask for the hard-to-find part " * 5 + "https://example.org/" + "a" * 90 + "-b"
    spec, _ = made(tmp_path, task(told=told, actions=[BOOK]))
    text = spec.tasks[0].simulated
    assert text is not None
    assert text.split() == [*told.split(), "You", "are", "Ines."]


# --- names ------------------------------------------------------------------------------------


def test_tasks_have_readable_names_of_their_own(tmp_path: Path) -> None:
    ids = [7, "8", "Bell [hard]", "bell_hard", "铃坏了", "?!"]
    spec, _ = made(tmp_path, *(task(id, actions=[BOOK]) for id in ids))
    assert [one.name for one in spec.tasks] == [
        "task_7",
        "task_8",
        "bell_hard",
        "bell_hard_2",
        "铃坏了",
        "task",
    ]


def test_two_tasks_with_one_id_are_a_fault(tmp_path: Path) -> None:
    with pytest.raises(SourceFault, match="two tasks have the id `7`"):
        made(tmp_path, task(7), task("7"))


def test_items_have_names_of_their_own_whatever_the_source_calls_them(tmp_path: Path) -> None:
    tools = [*TOOLS, tool("no_writes", "write", a={}), tool("no_other_writes", "write", a={})]
    wanted = [action("no_writes", a="x"), action("no_other_writes", a="y")]
    said = ["looks up", "no writes"]
    path = written(tmp_path, task(actions=wanted, nl_assertions=said), tools=tools)
    spec, _ = imported(path, diagnostics=True)
    names = list(items(spec))
    assert len(names) == len(set(names)) == len(spec.tasks[0].items)
    assert "no_writes_2" in names


# --- files ------------------------------------------------------------------------------------


def test_tools_and_policy_are_found_beside_the_tasks(tmp_path: Path) -> None:
    spec, _ = made(tmp_path, task(actions=[BOOK]))
    assert (spec.domain, spec.system) == ("workshop", "Be kind.\n")
    assert [one["function"]["name"] for one in spec.tools][:2] == ["find_customer", "get_job"]


def test_any_list_of_tasks_in_the_folder_can_be_named(tmp_path: Path) -> None:
    folder = written(tmp_path, task("one", actions=[BOOK]), name="tasks_hard.json")
    spec, _ = imported(folder / "tasks_hard.json", out="../out")
    assert [one.name for one in spec.tasks] == ["one"]
    assert spec.domain == "workshop"
    assert spec.system == "Be kind.\n"


def test_a_run_brings_its_tasks_and_its_good_dialogues(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "tasks.json").unlink()
    (folder / "runs").mkdir()
    path = folder / "runs" / "first.json.gz"
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    good, bad = simulation("a", *messages), simulation("a", *messages, reward=0.0)
    broken = simulation("gone", *messages)
    run = run_of([task("a", actions=[BOOK]), task("b", actions=[BOOK])], good, bad, broken)
    with gzip.open(path, "wt") as file:
        json.dump(run, file)
    spec, bundle = imported(path)
    assert spec.system == "Be quick."
    assert [len(one.recordings) for one in spec.tasks] == [1, 0]
    assert bundle.spec.tasks[0].name == "a"
    assert any("A dialogue was left out" in line and "`gone`" in line for line in spec.unsaid)


def test_a_dialogue_that_was_judged_by_another_task_is_no_recording(tmp_path: Path) -> None:
    folder = written(tmp_path)
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    other = {"action": action("cancel_job", job="J9"), "action_match": True}
    path = folder / "run.json"
    dialogue = simulation("a", *messages, action_checks=[other])
    path.write_text(json.dumps(run_of([task("a", actions=[BOOK])], dialogue)))
    spec, _ = imported(path)
    assert spec.tasks[0].recordings == ()
    assert any(
        "judged by other reference actions" in line and "`a`" in line for line in spec.unsaid
    )


def test_a_tool_that_is_in_no_tools_file_is_made_from_its_calls(tmp_path: Path) -> None:
    spec, bundle = made(tmp_path, task(actions=[BOOK, action("polish", job="J1", twice=True)]))
    assert "`polish` is in no tools file; its schema is made from its calls" in spec.unsaid
    assert reward(bundle, DONE, call("polish", job="J2")) == 1.0


def test_a_domain_without_tools_or_effects_is_a_fault(tmp_path: Path) -> None:
    folder = written(tmp_path, task())
    (folder / "tools.json").unlink()
    with pytest.raises(SourceFault, match=r"no tools\.json lies beside it"):
        imported(folder)
    plain = [{"name": "book_slot", "parameters": {"type": "object"}}]
    with pytest.raises(SourceFault, match="no tool is marked as one that writes"):
        imported(written(tmp_path, task(), tools=plain))


def test_what_is_no_task_is_told_before_tools_are_missed(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text('[{"id": 1, "name": "a"}]')
    with pytest.raises(SourceFault, match=r"`\[0\]`: this is no task of τ²-bench"):
        imported(path)


def test_a_folder_without_tasks_says_what_one_holds_and_that_a_run_will_do(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "tasks.json").unlink()
    (folder / "runs").mkdir()
    (folder / "runs" / "first.json.gz").touch()
    with pytest.raises(SourceFault, match="no domain folder of τ²-bench") as raised:
        imported(folder)
    assert "holds tasks.json, tools.json and policy.md" in raised.value.help
    assert "first.json.gz" in raised.value.help


def test_titles_that_are_the_same_are_told_apart_by_a_wish_of_their_own(tmp_path: Path) -> None:
    first = "You have a bike that you bought from the shop at the corner of your street in May."
    told = [
        f"{first} You want a bell.",
        f"{first} If asked, it is red. You want a lamp.",
        f"{first} If asked, it is blue.",
    ]
    tasks = [task(str(number), text, actions=[BOOK]) for number, text in enumerate(told)]
    for one in tasks:
        del one["description"]
    spec, _ = made(tmp_path, *tasks)
    titles = [one.title for one in spec.tasks]
    assert titles[:2] == ["You want a bell.", "You want a lamp."]
    assert titles[2].startswith("You have a bike that you bought from the shop at the corner")


# --- diagnostics ------------------------------------------------------------------------------


def test_diagnostics_repeat_the_official_criteria_and_weigh_nothing(tmp_path: Path) -> None:
    one = task(actions=[LOOK, BOOK], communicate_info=["4711"])
    spec, bundle = made(tmp_path, one, diagnostics=True)
    added = {n: i for n, i in items(spec).items() if n.startswith(("action", "communicate"))}
    assert list(added) == ["action_0", "action_1", "communicate_0"]
    assert {item.weight for item in added.values()} == {0}
    found = holds(bundle, DONE, reply="4711")
    assert [found[name] for name in added] == [False, True, True]
    assert reward(bundle, DONE, reply="4711") == 1.0


def test_a_diagnostic_item_wants_the_very_arguments(tmp_path: Path) -> None:
    _, bundle = made(tmp_path, task(actions=[BOOK]), diagnostics=True)
    more = call("book_slot", job="J1", day="2026-03-02", colour="red")
    found = holds(bundle, more)
    assert (found["book_slot"], found["action_0"]) == (True, False)


# --- the example ------------------------------------------------------------------------------


def test_the_example_agrees_with_its_official_rewards(tmp_path: Path) -> None:
    example = Path(__file__).parents[3] / "examples" / "library_desk" / "run.json"
    out = str(tmp_path / "specs")
    done = CliRunner().invoke(main, ["import", "tau2", str(example), "-o", out])
    assert done.exit_code == 0, done.output
    spec = f"{out}/library_desk.cm2"
    scored = CliRunner().invoke(main, ["score", spec, str(example), "--format=tau2", "--json"])
    rows = [json.loads(line) for line in scored.stdout.splitlines() if line.startswith("{")]
    official = [
        one["reward_info"]["reward"] for one in json.loads(example.read_text())["simulations"]
    ]
    assert [row["reward"] == 1 for row in rows] == [one == 1 for one in official]
