from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import ir
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject
from cm2dsl.trajectory import Trajectory


class AnchorOfTheUser(Rule):
    """An anchor in the reply that a message of the user before it holds too proves nothing: a
    policy that repeats the user has it. Quote what only the agent can say.
    """

    code = "L303"
    name = "anchor-of-the-user"
    family = "evidence"
    title = "an anchor that also occurs in the user's message"
    bad = (
        Bad(
            """user "Is KF12 late?"
item names {
  ask    "Does the reply name the flight?"
  fail   "Names none"
  anchor reply "KF12"
}"""
        ),
        Bad(
            """
task trip each row in "rows.csv" {
  reference "rows.jsonl"
  turn ask {
    user "To {row.to}, please"
    item names { ask "Does the reply name the city?" fail "Names none" anchor reply "Oslo" }
  }
}
"""
        ),
    )
    good = (
        """user "Is it late?"
item names {
  ask    "Does the reply name the flight?"
  fail   "Names none"
  anchor reply "KF12"
}""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        rows: dict[str, dict[str, ir.Row]] = {}
        for placed in subject.placed():
            anchors = [one for one in placed.item.anchors if one.channel == "reply"]
            if not anchors or placed.task.reference is None:
                continue
            task = placed.task
            by_key = rows.setdefault(task.name, {row.key: row for row in task.rows or ()})
            for anchor in anchors:
                dialogue = _recorded(anchor, task, subject)
                if dialogue is None:
                    continue
                row = by_key.get(dialogue.task.partition("/")[2])
                text = ir.fill(anchor.text, row)
                before = int(anchor.segment[1:].partition(".")[0]) + 1
                said = [turn.user for turn in dialogue.turns[:before]]
                said += [ir.fill(turn.user, row) for turn in task.turns[:before]]
                if any(text in one for one in said):
                    message = f"the anchor `{text}` stands in the user's message too"
                    help = "quote a piece that only the agent can have said"
                    yield Finding(placed.node.span, message, help)


def _recorded(anchor: ir.Anchor, task: ir.Task, subject: Subject) -> Trajectory | None:
    """The recording that an anchor was found in."""
    found = subject.recordings.get(task.reference or "")
    if found is None:
        return None
    dialogues = (found.dialogues[place] for place in found.of_task(task.name))
    return next((one for one in dialogues if one.id == anchor.recording), None)
