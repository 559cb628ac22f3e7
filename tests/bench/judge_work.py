"""How much work judging is: the paper's protocol against ours, on the same dialogues and items.

    CM2_DATA=… python tests/bench/judge_work.py

Ours is what is really sent: the dialogues are scored, and an engine notes every prompt. It passes
every item, with a quote that is there: so all is asked that could be. Where an item fails, what
comes after it is not asked, and ours costs less.

The paper's (arXiv 2602.12268) is what its published code does (checklist_interaction.py and
checklist_reward.py of namezhenzhang/CM2-RLCR-Tool-Agent): for every assistant step, every item of
the step's turn is asked about, also those that an earlier step satisfied. A prompt has a beginning
of 263 letters, the item under 150 letters of headings with the snippets that it was written from,
the system message and the dialogue up to the step, and 1,308 letters of instructions behind it; the
answer is four analyses and a boolean, within 6,000 tokens. Filler stands for what is the same in
every prompt, and the labels of messages are shorter than the paper's.

Prompts are cached in an ideal radix cache: every prompt of the whole run that was ever there, to
the letter, costs nothing as far as it is the same, and the paper's requests find it whichever
server they are sent to. Answers are counted twice: as they usually are (ours with a quote of 60
letters and a reason of 100, each of the four analyses as long as our reason), and at the most that
can come (three quotes and every text at its bound; 6,000 tokens of four letters). The total is
letters of prompts that are not shared and letters of usual answers.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from cm2.bundle import Bundle, open_spec
from cm2.chat import from_chat
from cm2.formats.record import Record
from cm2.formats.tau2 import read
from cm2.importers.cm2_json import read as read_annotated
from cm2.importers.options import Options
from cm2.importers.write import write_specs
from cm2.judge import Answer, Answered, Prompt, PromptedJudge
from cm2.score import find_instance, score_all
from cm2.table import table
from cm2.trajectory import Segment, Trajectory, segments
from cm2dsl import ir

DIALOGUES = 20
RUN = "gpt-4o__azure-PR103.json.gz"

QUOTE, REASON = 60, 100
LONGEST_QUOTE, LONGEST_REASON = 100, 128
THEIR_START, THEIR_HEADINGS, THEIR_END = 263, 150, 1_308
THEIR_FIELDS = 165
THEIR_BOUND = 6_000 * 4
SHOWN = re.compile(r"^\[(t[0-9]\S*)\]\n(=+[0-9=]*)\n(.*?)\n\2$", re.MULTILINE | re.DOTALL)

ASKS = [
    ("answers", "Does the reply answer what the user asked?", "Names it", "Passes over it"),
    ("grounded", "Is every fact in the reply found in a tool's result?", "All of them", "Makes up"),
    ("policy", "Does the reply keep to the policy?", "Nothing against it", "Grants an exception"),
    ("confirms", "Does it ask before it changes a booking?", "Asks for a yes", "Just does it"),
    ("polite", "Is the reply polite?", "Friendly or neutral", "Rude, or blames the user"),
    ("brief", "Is the reply no longer than it has to be?", "Says it once", "Repeats itself"),
    ("language", "Is the reply in the user's language?", "The same language", "Another one"),
    ("next", "Does the reply say what happens next?", "Names the next step", "Leaves it open"),
]


@dataclass(frozen=True)
class Work:
    """What a protocol sends and gets, in letters."""

    prompts: Sequence[str]
    usual: int
    most: int

    @property
    def sent(self) -> int:
        return sum(map(len, self.prompts))

    @property
    def new(self) -> int:
        """The letters of the prompts that an ideal radix cache does not have: the tree's size."""
        ordered = sorted(self.prompts)
        return self.sent - sum(alike(*pair) for pair in pairwise(ordered))

    @property
    def total(self) -> int:
        return self.new + len(self.prompts) * self.usual


def alike(one: str, other: str) -> int:
    """How many letters of their beginnings are the same."""
    lengths = range(1, min(len(one), len(other)) + 1)
    return bisect_left(lengths, True, key=lambda length: one[:length] != other[:length])


class Noting:
    """An engine that passes everything, and notes what it was asked."""

    identity = "noting"
    control_tokens = ("<|im_start|>", "<|im_end|>")

    def __init__(self) -> None:
        self.asked: list[Prompt] = []

    async def answer(self, prompt: Prompt) -> Answer:
        self.asked.append(prompt)
        shown = SHOWN.findall(prompt.user)
        begun = f"{shown[-1][0].split('.')[0]}.s0."
        # Out of the turn's first step: what comes after the item can be satisfied from there on.
        for name, _, text in sorted(shown, key=lambda one: not one[0].startswith(begun)):
            quote = re.sub(r'["\\\s]+', " ", text).strip()[:LONGEST_QUOTE]
            if sum(map(str.isalnum, quote)) > 3:
                return Answered(answered(name, [quote], "So it is."))
        return Answered(answered("t0.user", [], "Nothing is there."))

    async def close(self) -> None:
        pass


def answered(name: str, quotes: Sequence[str], reason: str) -> str:
    evidence = [{"segment": name, "quote": quote} for quote in quotes]
    return json.dumps(
        {"evidence": evidence, "reason": reason, "verdict": "pass"}, ensure_ascii=False
    )


def ours(pairs: Sequence[tuple[Bundle, Trajectory]]) -> Work:
    """The prompts that scoring sends."""
    prompts: list[str] = []
    for bundle, trajectory in pairs:
        engine = Noting()
        with PromptedJudge(engine, bundle.prompts) as judge:
            (scored,) = score_all(bundle, [trajectory], judge)
        asked = sum(decision.by == "judge" for decision in scored.decisions.values())
        assert asked == len(engine.asked) == sum(1 for _ in items(bundle, trajectory))
        prompts += [f"{one.system}\n\n{one.user}" for one in engine.asked]
    name = "t10.s10.tool_result.10"
    return Work(
        prompts,
        len(answered("t0.s0.reply", ["x" * QUOTE], "x" * REASON)),
        len(answered(name, ["x" * LONGEST_QUOTE] * 3, "x" * LONGEST_REASON)),
    )


def papers(pairs: Sequence[tuple[Bundle, Trajectory]]) -> Work:
    """One prompt for each assistant step and item of its turn."""
    prompts: list[str] = []
    for bundle, trajectory in pairs:
        every = segments(trajectory)
        system = trajectory.system or bundle.spec.system
        for turn, item in items(bundle, trajectory):
            asked = "\n".join(
                ir.fill(text, None)
                for text in (
                    item.ask or (),
                    *item.passes,
                    *item.fails,
                    *(anchor.text for anchor in item.anchors),
                )
            )
            for step in range(len(trajectory.turns[turn].steps)):
                shown = (one for one in every if before(one, turn, step))
                said = "\n".join(f"{one.channel}: {one.text}" for one in shown)
                headings = "-" * THEIR_HEADINGS
                parts = ["<" * THEIR_START, asked, headings, system, said, ">" * THEIR_END]
                prompts.append("\n".join(parts))
    return Work(prompts, THEIR_FIELDS + 4 * REASON, THEIR_BOUND)


def before(one: Segment, turn: int, step: int) -> bool:
    """Whether a segment is there after this step."""
    if one.turn != turn:
        return one.turn < turn
    return one.step is None or one.step <= step


def items(bundle: Bundle, trajectory: Trajectory) -> Iterator[tuple[int, ir.Item]]:
    """The items that a judge decides, with the number of their turn."""
    task = find_instance(bundle, trajectory.task).task
    return (
        (number, item)
        for number, turn in enumerate(task.turns)
        for item in turn.items
        if item.ask is not None
    )


# --- dialogues and checklists -----------------------------------------------------------------


def annotated(folder: Path) -> list[tuple[Bundle, Trajectory]]:
    """The one published dialogue with its checklist, as `cm2 import` reads them."""
    path = Path(os.environ["CM2_DATA"]) / "cm2" / "checklist_annotated.json"
    (spec,) = write_specs(read_annotated(path, Options()), folder)
    bundle = open_spec(spec)
    (task,) = bundle.by_id
    (entry,) = json.loads(path.read_text("utf-8"))
    dialogue = from_chat({"id": "0", "messages": entry["messages"]}, file=path.name, line=1)
    return [(bundle, replace(dialogue, task=task))]


def made_up(folder: Path, each_turn: bool) -> list[tuple[Bundle, Trajectory]]:
    """τ²-bench airline dialogues, each with a spec of its own.

    It has 8 items in each turn, or 8 in all, spread over the turns. What they ask is about the
    turn that they are in, as the paper's items are.
    """
    airline = Path(os.environ["CM2_DATA"]) / "tau2" / "airline"
    found: list[tuple[Bundle, Trajectory]] = []
    for record in read(airline / "runs" / RUN):
        if not isinstance(record, Record):
            continue
        # The user's last word, which ends the dialogue, has no answer.
        turns = tuple(turn for turn in record.trajectory.turns if turn.steps)
        dialogue = replace(record.trajectory, turns=turns, task="serve")
        own = folder / f"{'turn' if each_turn else 'dialogue'}{len(found)}"
        own.mkdir()
        shutil.copyfile(airline / "tools.json", own / "tools.json")
        shutil.copyfile(airline / "policy.md", own / "system.md")
        (own / "airline.cm2").write_text(spec_text(dialogue, each_turn), "utf-8")
        found.append((open_spec(own / "airline.cm2"), dialogue))
        if len(found) == DIALOGUES:
            break
    return found


def spec_text(dialogue: Trajectory, each_turn: bool) -> str:
    lines = ["cm2 1", 'domain airline "Airline"', 'tools "tools.json"', 'system "system.md"']
    lines.append('task serve "Serve" {')
    for number, turn in enumerate(dialogue.turns):
        said = " ".join(re.findall(r"\w+", turn.user)[:8])
        lines.append(f'turn t{number} {{ user "{said}"')
        for index, (name, ask, passes, fails) in enumerate(ASKS):
            if each_turn or index % len(dialogue.turns) == number:
                about = f"Where the user says: {said}. {ask}"
                texts = f'ask "{about}"  pass "{passes}"  fail "{fails}"'
                lines.append(f"item {name} {{ focus reply  {texts} }}")
        lines.append("}")
    return "\n".join([*lines, "}\n"])


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, pairs in (
            ("the annotated dialogue", annotated(folder)),
            (f"{DIALOGUES} τ² dialogues, 8 items a turn", made_up(folder, each_turn=True)),
            (f"{DIALOGUES} τ² dialogues, 8 items each", made_up(folder, each_turn=False)),
        ):
            report(title, pairs)


def report(title: str, pairs: Sequence[tuple[Bundle, Trajectory]]) -> None:
    steps = [len(turn.steps) for _, trajectory in pairs for turn in trajectory.turns]
    print(f"\n{title}: {len(steps)} turns, {sum(steps)} steps")
    theirs, own = papers(pairs), ours(pairs)
    rows = [
        ("calls", len(theirs.prompts), len(own.prompts)),
        ("letters of prompts", theirs.sent, own.sent),
        ("  not in a shared prefix", theirs.new, own.new),
        ("letters of answers, usually", *(len(one.prompts) * one.usual for one in (theirs, own))),
        ("letters of answers, at most", *(len(one.prompts) * one.most for one in (theirs, own))),
        ("total", theirs.total, own.total),
    ]
    lines = [[what, f"{a:,}", f"{b:,}", f"{a / b:.1f}"] for what, a, b in rows]
    shares = [f"{1 - one.new / one.sent:.1%}" for one in (theirs, own)]
    print(table(["", "paper", "ours", "ratio"], [*lines, ["prefix share", *shares, ""]]))


if __name__ == "__main__":
    main()
