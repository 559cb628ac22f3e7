"""BFCL's multi-turn tasks as specs: what is demanded, what is reported, and what is refused."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cm2 import Trajectory, open_spec, score_all
from cm2.formats.bfcl_calls import CallError, parse_call
from cm2.formats.source import SourceFault
from cm2.importers.bfcl import read
from cm2.importers.bfcl_effects import BACKENDS, PHRASES, VERBS, third_person
from cm2.importers.bfcl_entries import MORE_FUNCTIONS
from cm2.importers.bfcl_functions import read_functions
from cm2.importers.options import Options
from cm2.importers.write import write_specs
from cm2.trajectory import Call, Step
from cm2dsl.chat import read as read_chat
from cm2dsl.draft.spec import Item, Spec, Turn, Use

DATA = os.environ.get("CM2_DATA")


def document(name: str, required: list[str], **properties: dict[str, Any]) -> dict[str, Any]:
    parameters = {"type": "dict", "properties": properties, "required": required}
    return {"name": name, "description": f"What {name} does.", "parameters": parameters}


TEXT = {"type": "string"}
TICKETS = [
    document("get_ticket", ["ticket_id"], ticket_id={"type": "integer"}),
    document(
        "create_ticket",
        ["title"],
        title=TEXT,
        priority={"type": "integer", "default": 1},
        note={"type": "string", "default": "None"},
    ),
    document("close_ticket", ["ticket_id"], ticket_id={"type": "integer"}),
    document(
        "edit_ticket",
        ["ticket_id", "updates"],
        ticket_id={"type": "integer"},
        updates={"type": "dict", "properties": {"status": TEXT, "priority": {"type": "integer"}}},
    ),
]
GARDEN = [
    document("water", ["bed"], bed=TEXT, liters={"type": "float", "default": 2.0}),
    document("plan", ["beds"], beds={"type": "tuple", "items": TEXT}, extra={"type": "any"}),
]


def entry(id: str, turns: list[str], classes: list[str], **more: Any) -> dict[str, Any]:
    question = [[{"role": "user", "content": text}] if text else [] for text in turns]
    return {"id": id, "question": question, "involved_classes": classes, **more}


BASE = "BFCL_v4_multi_turn_base.json"
MISS_FUNC = "BFCL_v4_multi_turn_miss_func.json"
MISS_PARAM = "BFCL_v4_multi_turn_miss_param.json"

QUESTIONS = {
    BASE: [
        entry(
            "multi_turn_base_1",
            ["The heating is cold. Two tickets, please", "And read ticket 7"],
            ["TicketAPI"],
            initial_config={"TicketAPI": {}},
        ),
        entry("multi_turn_base_2", ["Water the roses"], ["GardenBot", "TicketAPI"]),
        entry(
            "multi_turn_base_3",
            ["Close 4, and edit 5"],
            ["TicketAPI"],
            excluded_function=["create_ticket", "unheard_of"],
        ),
    ],
    MISS_FUNC: [
        entry(
            "multi_turn_miss_func_1",
            ["Read ticket 7", ""],
            ["TicketAPI"],
            missed_function={"1": ["get_ticket"]},
        )
    ],
    MISS_PARAM: [entry("multi_turn_miss_param_1", ["Close a ticket", "Number 9"], ["TicketAPI"])],
}
ANSWERS = {
    BASE: {
        "multi_turn_base_1": [
            ["create_ticket('Cold')", "create_ticket(title='Cold', priority=1)"],
            ["get_ticket(ticket_id=7)"],
        ],
        "multi_turn_base_2": [["water('roses', liters=3)", "plan(beds=('roses', 'peas'))"]],
        "multi_turn_base_3": [
            ["close_ticket(4)", "edit_ticket(ticket_id=5, updates={'status': 'new'})"]
        ],
    },
    MISS_FUNC: {"multi_turn_miss_func_1": [[], ["get_ticket(7)"]]},
    MISS_PARAM: {"multi_turn_miss_param_1": [[], ["close_ticket(9)"]]},
}


def save(path: Path, values: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "bfcl"
    for name, questions in QUESTIONS.items():
        save(folder / name, questions)
        answers = [{"id": id, "ground_truth": truth} for id, truth in ANSWERS[name].items()]
        save(folder / "possible_answer" / name, answers)
    save(folder / "multi_turn_func_doc" / "ticket_api.json", TICKETS)
    save(folder / "multi_turn_func_doc" / "garden_bot.json", GARDEN)
    return folder


def specs_of(source: Path) -> dict[str, Spec]:
    return {spec.domain: spec for spec in read(source, Options())}


def turn_of(specs: dict[str, Spec], task: str, number: int) -> Turn:
    tasks = {each.name: each for spec in specs.values() for each in spec.tasks}
    return tasks[task].turns[number]


def checks(turn: Turn) -> dict[str, str]:
    return {item.name: item.check for item in turn.items if isinstance(item, Item)}


def uses(turn: Turn) -> list[str]:
    return [item.template for item in turn.items if isinstance(item, Use)]


# --- what becomes of an entry -----------------------------------------------------------------


def test_entries_with_the_same_tools_make_one_spec_from_whichever_file(source: Path) -> None:
    specs = specs_of(source)
    assert {name: [task.name for task in spec.tasks] for name, spec in specs.items()} == {
        "bfcl_tickets": [
            "multi_turn_base_1",
            "multi_turn_miss_func_1",
            "multi_turn_miss_param_1",
        ],
        "bfcl_tickets_garden_bot": ["multi_turn_base_2"],
        "bfcl_tickets_without_create_ticket": ["multi_turn_base_3"],
    }


def test_excluded_functions_are_no_tools_of_the_spec(source: Path) -> None:
    tools = specs_of(source)["bfcl_tickets_without_create_ticket"].tools
    names = [tool["function"]["name"] for tool in tools]
    assert names == ["get_ticket", "close_ticket", "edit_ticket"]


def test_a_single_question_file_is_read_with_what_stands_beside_it(source: Path) -> None:
    specs = read(source / MISS_PARAM, Options())
    assert [spec.domain for spec in specs] == ["bfcl_miss_param_tickets"]
    specs = read(source / MISS_PARAM, Options(name="closing"))
    assert [spec.domain for spec in specs] == ["closing"]


def test_documents_become_json_schema_with_effects(source: Path) -> None:
    tools = specs_of(source)["bfcl_tickets_garden_bot"].tools
    functions = {tool["function"]["name"]: tool["function"] for tool in tools}
    assert functions["plan"]["parameters"]["properties"] == {
        "beds": {"type": "array", "items": {"type": "string"}},
        "extra": {},
    }
    assert functions["water"]["parameters"]["properties"]["liters"]["type"] == "number"
    assert functions["create_ticket"]["parameters"]["properties"]["note"] == {"type": "string"}
    effects = {name: function["x-effect"] for name, function in functions.items()}
    assert effects["get_ticket"] == "read"
    assert effects["close_ticket"] == effects["water"] == "write"


def test_equal_calls_are_counted_and_defaults_may_be_written_or_left_out(source: Path) -> None:
    first = turn_of(specs_of(source), "multi_turn_base_1", 0)
    assert checks(first) == {
        "creates_ticket": 'called create_ticket(title == "Cold", not priority != 1, nothing else)'
        " at_least 2 times",
        "no_other_writes": "called any write "
        'except create_ticket(title == "Cold", not priority != 1, nothing else)',
        "no_write_again": 'called create_ticket(title == "Cold", not priority != 1, nothing else)'
        " at_least 3 times",
    }


def test_positional_arguments_are_named_and_nested_ones_compared_part_by_part(source: Path) -> None:
    turn = turn_of(specs_of(source), "multi_turn_base_3", 0)
    assert turn.name == "edit_ticket"
    assert checks(turn) == {
        "closes_ticket": "called close_ticket(ticket_id == 4, nothing else)",
        "edits_ticket": 'called edit_ticket(ticket_id == 5, updates.status == "new", nothing else)',
        "no_other_writes": "called any write except close_ticket(ticket_id == 4, nothing else), "
        'edit_ticket(ticket_id == 5, updates.status == "new", nothing else)',
        "no_write_again": "called close_ticket(ticket_id == 4, nothing else) at_least 2 times or "
        'called edit_ticket(ticket_id == 5, updates.status == "new", nothing else)'
        " at_least 2 times",
    }


def test_a_write_in_place_of_another_is_worth_nothing_and_so_is_one_once_more(
    source: Path, tmp_path: Path
) -> None:
    write_specs(read(source, Options()), tmp_path)
    spec = "bfcl_tickets_without_create_ticket"
    bundle = open_spec(tmp_path / f"{spec}.cm2")
    (good,) = read_chat(tmp_path / f"{spec}.recordings.jsonl")
    first, second, reply = good.turns[0].steps
    wrong = Step(calls=(Call("x", "close_ticket", {"ticket_id": 6}, "{}"),))
    read_only = Step(calls=(Call("x", "get_ticket", {"ticket_id": 6}, "{}"),))
    changed = [(first, reply), (first, wrong, reply), (first, first, reply)]
    kept = [(second, first, reply), (first, read_only, second, reply)]
    scored = score_all(bundle, [with_steps(good, 0, steps) for steps in (*changed, *kept)])
    assert [each.reward for each in scored] == [0.5, 0.0, 0.0, 1.0, 1.0]


def test_a_list_of_choices_has_no_order_and_any_other_list_has_one(
    source: Path, tmp_path: Path
) -> None:
    choices = {"type": "array", "items": TEXT, "description": 'Which. [Enum]: ["north", "south"]'}
    gates = document("open_gates", ["gates"], gates=choices)
    save(source / "multi_turn_func_doc" / "garden_bot.json", [*GARDEN, gates])
    truth = [["open_gates(gates=['north', 'south'])", "plan(beds=['roses', 'peas'])"]]
    rewrite(source, BASE, "multi_turn_base_2", truth)
    write_specs(read(source, Options()), tmp_path)
    bundle = open_spec(tmp_path / "bfcl_tickets_garden_bot.cm2")
    (good,) = read_chat(tmp_path / "bfcl_tickets_garden_bot.recordings.jsonl")
    opens, plans, reply = good.turns[0].steps

    def turned(step: Step) -> Step:
        (call,) = step.calls
        arguments = {key: value[::-1] for key, value in (call.arguments or {}).items()}
        return replace(step, calls=(replace(call, arguments=arguments),))

    steps = [(turned(opens), plans, reply), (opens, turned(plans), reply)]
    scored = score_all(bundle, [with_steps(good, 0, each) for each in steps])
    assert [each.reward for each in scored] == [1.0, 0.0]


def test_a_turn_that_only_reads_forbids_every_write(source: Path) -> None:
    turn = turn_of(specs_of(source), "multi_turn_base_1", 1)
    assert checks(turn) == {"gets_ticket": "called get_ticket(ticket_id == 7, nothing else)"}
    assert uses(turn) == ["changes_nothing"]


def test_items_of_one_tool_are_told_apart_by_an_argument(source: Path) -> None:
    answers = [["get_ticket(1)", "get_ticket(2)"], ["get_ticket(7)"]]
    rewrite(source, BASE, "multi_turn_base_1", answers)
    turn = turn_of(specs_of(source), "multi_turn_base_1", 0)
    assert list(checks(turn)) == ["gets_ticket_1", "gets_ticket_2"]


def test_a_turn_before_a_tool_is_there_wants_a_reply_and_no_call(source: Path) -> None:
    specs = specs_of(source)
    before = turn_of(specs, "multi_turn_miss_func_1", 0)
    after = turn_of(specs, "multi_turn_miss_func_1", 1)
    assert before.name == "missing_tool"
    assert uses(before) == ["replies", "says_no_tool", "changes_nothing"]
    assert checks(before) == {"uses_missing_tool": "called get_ticket"}
    assert after.user == MORE_FUNCTIONS
    assert "get_ticket" in after.note


def test_a_turn_that_lacks_a_detail_asks_whether_the_reply_asks_for_it(source: Path) -> None:
    turn = turn_of(specs_of(source), "multi_turn_miss_param_1", 0)
    assert uses(turn) == ["replies", "asks_for_details", "changes_nothing"]


def test_the_report_says_what_the_spec_does_not(source: Path) -> None:
    specs = specs_of(source)
    tickets = "\n".join(specs["bfcl_tickets"].unsaid)
    assert "`initial_config`" in tickets
    assert "`multi_turn_miss_func_1`: the agent gets `get_ticket` at turn 1" in tickets
    assert "Whether `water` of GardenBot changes anything is not known" in "\n".join(
        specs["bfcl_tickets_garden_bot"].unsaid
    )


def test_ground_truth_that_its_document_forbids_opens_the_tool_and_is_reported(
    source: Path, tmp_path: Path
) -> None:
    truth = [["get_ticket(ticket_id='seven', loud=True)"], []]
    rewrite(source, BASE, "multi_turn_base_1", truth)
    spec = specs_of(source)["bfcl_tickets"]
    assert any('gives `get_ticket` "seven" as `ticket_id`' in line for line in spec.unsaid)
    assert any("the argument `loud`, which its document lacks" in line for line in spec.unsaid)
    assert any("does not say why turn 1 calls nothing" in line for line in spec.unsaid)
    assert all(reward == 1.0 for reward in truth_rewards(source, tmp_path / "out"))


def test_every_written_spec_compiles_and_pays_its_own_ground_truth_in_full(
    source: Path, tmp_path: Path
) -> None:
    rewards = truth_rewards(source, tmp_path / "out")
    assert rewards == [1.0] * 5


def test_any_text_and_any_json_value_survives_into_a_spec_that_compiles(
    source: Path, tmp_path: Path
) -> None:
    odd = 'a"b\\c{row.x}{}\n\t\r\x00\u200b ﬁ 𝕏 \ud7ff """ # /'
    values = [odd, "", "..", "None", "1", True, None, 10**22, -0.5, 1e22, [[], [{"a": [1]}]], {}]
    truth = [[f"plan(beds={[odd]!r}, extra={value!r})" for value in values]]
    rewrite(source, BASE, "multi_turn_base_2", truth)
    question = entry("multi_turn_base_2", [odd], ["GardenBot", "TicketAPI"])
    save(source / BASE, [question])
    specs = read(source / BASE, Options())
    assert [item.name for item in specs[0].tasks[0].turns[0].items][:2] == [
        "calls_plan",
        "calls_plan_2",
    ]
    assert truth_rewards(source / BASE, tmp_path / "out") == [1.0]


def test_silence_and_acting_earn_nothing_where_the_agent_should_only_reply(
    source: Path, tmp_path: Path
) -> None:
    write_specs(read(source, Options()), tmp_path)
    bundle = open_spec(tmp_path / "bfcl_tickets.cm2")
    truth = {each.task: each for each in read_chat(tmp_path / "bfcl_tickets.recordings.jsonl")}
    for task, tool in (("multi_turn_miss_func_1", "get_ticket"), ("multi_turn_miss_param_1", "")):
        good = truth[task]
        act = Step(calls=(Call("x", tool or "close_ticket", {"ticket_id": 7}, "{}"),))
        silent = with_steps(good, 0, (Step(),))
        acting = with_steps(good, 0, (act, *good.turns[0].steps))
        scored = score_all(bundle, [good, silent, acting])
        assert [each.turn_rewards[0] for each in scored] == [1.0, 0.0, 0.0]


def truth_rewards(source: Path, out: Path) -> list[float | None]:
    return [
        scored.reward
        for spec in write_specs(read(source, Options()), out)
        for scored in score_all(
            open_spec(spec), list(read_chat(spec.with_suffix(".recordings.jsonl")))
        )
    ]


def rewrite(source: Path, file: str, id: str, truth: Any) -> None:
    answers = ANSWERS[file] | {id: truth}
    values = [{"id": each, "ground_truth": answers[each]} for each in answers]
    save(source / "possible_answer" / file, values)


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("get_ticket(", "`get_ticket(` cannot be read as a call"),
        ("get_ticket", "`get_ticket` is no call"),
        ("get_ticket(int('7'))", "the argument `int('7')` is no JSON value"),
        ("get_ticket({1, 2})", "the argument `{1, 2}` is no JSON value"),
        (r"get_ticket('\ud800')", r"the argument `'\ud800'` is no JSON value"),
        ("get_ticket(1e999)", "the argument `1e309` is no JSON value"),
        ("get_ticket(*[7])", "an argument is unpacked with `*`"),
        ("get_ticket(**{})", "arguments are unpacked with `**`"),
        ("get_ticket(7, 8)", "`get_ticket` is called with 2 arguments"),
        ("get_ticket(7, ticket_id=7)", "`get_ticket` is given `ticket_id` twice"),
        ("drop_tables()", "the agent has no function `drop_tables`"),
    ],
)
def test_a_call_that_cannot_be_used_is_named_with_its_line_and_place(
    source: Path, call: str, message: str
) -> None:
    rewrite(source, BASE, "multi_turn_base_1", [["get_ticket(1)", call], []])
    with pytest.raises(SourceFault) as caught:
        read(source, Options())
    assert caught.value.message == message
    assert caught.value.path == "ground_truth[0][1]"
    assert caught.value.line == 1
    assert str(source / "possible_answer" / BASE) == caught.value.file
    assert caught.value.help


@pytest.mark.parametrize("text", ["(" * 500, "f(" + "-" * 5000 + "1)", "f('\0')", "f(x=)", "", " "])
def test_no_call_string_makes_the_parser_fall_over(text: str) -> None:
    with pytest.raises(CallError):
        parse_call(text)


def test_a_folder_without_questions_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(SourceFault, match="no multi-turn question file in here"):
        read(tmp_path, Options())


def test_the_answers_are_no_questions(source: Path) -> None:
    for path, named in (("", source), (BASE, source / BASE)):
        with pytest.raises(SourceFault, match="these are answers, and no questions") as raised:
            read(source / "possible_answer" / path, Options())
        assert f"`{named}`" in raised.value.help


def test_the_words_of_a_user_have_no_space_around_them(source: Path) -> None:
    save(source / BASE, [entry("multi_turn_base_2", [" Water the roses\n"], ["GardenBot"])])
    rewrite(source, BASE, "multi_turn_base_2", [["water('roses')"]])
    (spec,) = read(source / BASE, Options())
    assert spec.tasks[0].turns[0].user == "Water the roses"


def test_missing_answers_documents_and_entries_are_told_apart(source: Path) -> None:
    answers = source / "possible_answer" / MISS_PARAM
    (source / "multi_turn_func_doc" / "ticket_api.json").unlink()
    with pytest.raises(SourceFault, match=r"no `ticket_api.json` for the class `TicketAPI`"):
        read(source / MISS_PARAM, Options())
    save(answers, [])
    with pytest.raises(SourceFault, match="no ground truth for `multi_turn_miss_param_1`"):
        read(source / MISS_PARAM, Options())
    answers.unlink()
    with pytest.raises(SourceFault, match="the ground truth is missing"):
        read(source / MISS_PARAM, Options())


def test_turns_of_question_and_ground_truth_must_be_as_many(source: Path) -> None:
    rewrite(source, BASE, "multi_turn_base_2", [[], []])
    with pytest.raises(SourceFault, match="2 turns, and the question has 1"):
        read(source, Options())


def test_a_turn_without_words_is_only_allowed_where_functions_are_added(source: Path) -> None:
    save(source / BASE, [entry("multi_turn_base_2", [""], ["TicketAPI", "GardenBot"])])
    with pytest.raises(SourceFault, match="the turn has no message"):
        read(source / BASE, Options())


def test_an_entry_that_stands_in_two_files_is_refused(source: Path) -> None:
    save(source / MISS_FUNC, QUESTIONS[BASE][:1])
    save(
        source / "possible_answer" / MISS_FUNC,
        [{"id": "multi_turn_base_1", "ground_truth": [[], []]}],
    )
    with pytest.raises(SourceFault, match="`multi_turn_base_1` stands twice"):
        read(source, Options())


def test_a_type_that_no_document_uses_is_refused(source: Path) -> None:
    odd = document("get_ticket", [], ticket_id={"type": "number or so"})
    save(source / "multi_turn_func_doc" / "ticket_api.json", [odd])
    with pytest.raises(SourceFault) as caught:
        read(source, Options())
    assert caught.value.path == "parameters.properties.ticket_id.type"


def test_a_function_that_is_held_back_must_be_there(source: Path) -> None:
    odd = entry("multi_turn_base_2", ["a"], ["TicketAPI"], missed_function={"0": ["fly"]})
    save(source / BASE, [odd])
    with pytest.raises(SourceFault, match="there is no function `fly`"):
        read(source / BASE, Options())


# --- the tables -------------------------------------------------------------------------------


def test_no_function_both_reads_and_writes() -> None:
    assert [name for name, each in BACKENDS.items() if each.reads & each.writes] == []


def test_phrases_begin_with_a_verb_and_are_put_into_the_third_person() -> None:
    assert [phrase for phrase in PHRASES.values() if phrase.partition("_")[0] not in VERBS] == []
    assert third_person("book_flight") == "books_flight"
    assert third_person("press_pedal") == "presses_pedal"
    assert third_person("notify_user") == "notifies_user"
    assert third_person("quux_all") == "calls_quux_all"


# --- the whole benchmark ----------------------------------------------------------------------

needs_data = pytest.mark.skipif(DATA is None, reason="CM2_DATA names no folder of BFCL")


@needs_data
def test_the_effect_of_every_documented_function_is_known() -> None:
    folder = Path(DATA or "") / "bfcl" / "multi_turn_func_doc"
    functions = [
        function
        for owner, backend in BACKENDS.items()
        for function in read_functions(folder / backend.documents, owner)
    ]
    assert len(functions) > 100
    assert [each.name for each in functions if each.effect is None] == []


@needs_data
def test_ground_truth_earns_everything_and_every_change_to_it_costs(tmp_path: Path) -> None:
    total: dict[str, int] = {}
    costly: dict[str, int] = {}
    for path in write_specs(read(Path(DATA or "") / "bfcl", Options()), tmp_path):
        tools = [
            tool["function"]
            for tool in json.loads(path.with_suffix(".tools.json").read_text("utf-8"))
        ]
        dialogues = [
            (kind, changed)
            for truth in read_chat(path.with_suffix(".recordings.jsonl"))
            for kind, changed in mutations(truth, tools, random.Random(truth.task))
        ]
        scored = score_all(open_spec(path), [dialogue for _, dialogue in dialogues])
        for (kind, _), result in zip(dialogues, scored, strict=True):
            assert result.reward is not None
            total[kind] = total.get(kind, 0) + 1
            costly[kind] = costly.get(kind, 0) + (result.reward < 1 - 1e-9)
    assert total.pop("nothing changed") >= 400
    assert costly.pop("nothing changed") == 0
    assert set(total) == {"call removed", "argument changed", "write repeated", "other write"}
    assert min(costly[kind] / total[kind] for kind in total) >= 0.99


def mutations(
    truth: Trajectory, tools: list[dict[str, Any]], chance: random.Random
) -> Iterator[tuple[str, Trajectory]]:
    """The ground truth, and what differs from it in one place."""
    yield "nothing changed", truth
    writes = [tool for tool in tools if tool["x-effect"] == "write"]
    names = {tool["name"] for tool in writes}
    for number, turn in enumerate(truth.turns):
        for at, step in enumerate(turn.steps):
            before, after = turn.steps[:at], turn.steps[at + 1 :]
            for call in step.calls:
                arguments = call.arguments or {}
                yield "call removed", with_steps(truth, number, (*before, *after))
                if call.tool in names:
                    yield "write repeated", with_steps(truth, number, (*before, step, step, *after))
                for key, value in arguments.items():
                    other = replace(call, arguments={**arguments, key: another(value)})
                    steps = (*before, replace(step, calls=(other,)), *after)
                    yield "argument changed", with_steps(truth, number, steps)
    if writes:
        number = chance.randrange(len(truth.turns))
        extra = Step(calls=(made_up(chance.choice(writes)),))
        yield "other write", with_steps(truth, number, (extra, *truth.turns[number].steps))


def with_steps(dialogue: Trajectory, number: int, steps: tuple[Step, ...]) -> Trajectory:
    turns = list(dialogue.turns)
    turns[number] = replace(turns[number], steps=steps)
    return replace(dialogue, turns=tuple(turns))


def another(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    return value[:-1] if isinstance(value, list) and value else {"other": True}


def made_up(tool: dict[str, Any]) -> Call:
    samples = {"string": "x", "integer": 77, "number": 77.5, "boolean": True, "array": []}
    parameters = tool["parameters"]
    arguments = {
        key: samples.get(parameters["properties"][key].get("type"), {})
        for key in parameters["required"]
    }
    return Call("extra", tool["name"], arguments, json.dumps(arguments))
