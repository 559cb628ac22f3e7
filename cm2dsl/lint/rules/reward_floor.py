from __future__ import annotations

from collections.abc import Iterator, Sequence

from cm2dsl import ir
from cm2dsl.lint.budget import Budget
from cm2dsl.lint.earned import SHOWN, items_text, policies_text, rows_text
from cm2dsl.lint.idle import guard_of
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.scopes import scopes_of
from cm2dsl.lint.subject import Subject


class RewardFloor(Rule):
    """Every task is played by agents that have learnt nothing and do nothing: one is silent, the
    others repeat the user, refuse, apologise or greet. What they earn is the floor of the reward. A
    policy finds it in its first hours, and if it is high, stays there: whoever tries can only lose.
    So it is with tasks in which the agent must *not* cancel, refund or book, and nothing else is
    asked of it. Say what an agent does that gets this right: which record it looks up, what it
    tells the user, where it hands over. What must not happen is a `veto`, without a weight.

    Items that ask a judge are left out, as scoring without a judge leaves them out, or failed. Of a
    task with many rows three are played. The limit is `max-floor` in the table `[tool.cm2.lint]`,
    a number from 0 to 1; a smaller part of the reward is a matter of L409. `cm2c floor` shows
    what each policy earns in every task.
    """

    code = "L408"
    name = "reward-floor"
    family = "reward"
    title = "a task that pays inaction: more than `max-floor`, "
    title += f"{Budget().floor} where nothing else is said"
    severity = "error"
    bad = (
        Bad("never books { check called book }"),
        Bad("""at_end answers { check replied }
never books veto { check called book }"""),
        Bad(
            """
task trip {
  user simulated "You want a refund for your flight, which was on time."
  at_end answers { check replied }
  item explains { ask "Does the agent say why there is no refund?" fail "Says no more than no" }
  never books veto { check called any write }
}
"""
        ),
    )
    good = (
        """item searches { check called search(to == "Rome") }
never books veto { check called book }""",
        """item searches { check called search(to == "Rome") }
at_end declines weight 2 after searches { check reply contains "no flight" }
never books veto { check called book }""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for node, task in subject.compiled_tasks:
            floor = subject.floors[task.name]
            best = floor.inaction
            if best <= subject.budget.floor:
                continue
            alike = [one for one in floor.of(inactive=True) if one.floor == best]
            message = f"`{task.name}` pays {best:.2f} to an agent that {policies_text(alike)}"
            message += f"{rows_text(floor, alike[0])}, for {items_text(alike[0])}"
            help = "give weight to what is to be done, and make what must not happen a `veto`"
            paid = _guards(task, alike[0].items)
            if paid:
                names = ", ".join(f"`{name}`" for name in paid)
                help = f"give weight to what is to be done, and take it from {names}: "
                help += "a `veto` or a `penalty` needs none"
            yield Finding(node.name.span, message, help)


def _guards(task: ir.Task, names: Sequence[str]) -> list[str]:
    """Those of the items, by full name, that take and are paid for all the same."""
    items = {
        f"{scope}.{item.name}": item for scope, items in scopes_of(task).items() for item in items
    }
    return [name for name in names if guard_of(items[name]) is not None][:SHOWN]
