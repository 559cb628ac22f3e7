"""Random tasks and groups of verdicts, for `cm2dsl.reward.credit` and for the oracle."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from credit_oracle import Oracle, OracleItem, OracleRollout, Pair
from hypothesis import strategies as st

from cm2dsl.reward.credit import CreditItem, CreditTask, CreditTurn, Verdicts

SIXTEENTHS = st.integers(0, 16).map(lambda n: Fraction(n, 16))


@dataclass(frozen=True)
class Group:
    oracle: Oracle
    task: CreditTask
    rollouts: list[Verdicts]


@st.composite
def groups(draw: st.DrawFn, *, penalties: bool = True, errors: bool = True) -> Group:
    """A task of one to three turns, perhaps with a task scope, and one to four rollouts."""
    turns = draw(st.integers(1, 3))
    scopes: list[list[OracleItem]] = []
    for t in range(turns + draw(st.integers(0, 1))):
        scopes.append(draw(_scope(scopes, t, penalties, needed=t == turns)))
    rollouts = draw(st.lists(_rollouts(scopes, turns, errors), min_size=1, max_size=4))
    return Group(
        Oracle(turns, scopes, rollouts),
        _task(scopes, turns),
        [Verdicts(rollout.turns, rollout.dialogue) for rollout in rollouts],
    )


@st.composite
def _scope(
    draw: st.DrawFn, earlier: list[list[OracleItem]], t: int, penalties: bool, needed: bool
) -> list[OracleItem]:
    """Items that wait for items drawn before them, then put in any order: no cycles."""
    ids = draw(st.lists(st.sampled_from("abc"), unique=True, min_size=needed, max_size=3))
    visible: list[Pair] = [(u, item.id) for u, items in enumerate(earlier) for item in items]
    items: list[OracleItem] = []
    for number, name in enumerate(ids):
        after = draw(st.lists(st.sampled_from(visible), max_size=2)) if visible else []
        items.append(
            OracleItem(
                id=name,
                weight=draw(st.integers(1 if number == 0 else 0, 4)),
                after=tuple(after),
                veto=draw(st.booleans()) and draw(st.booleans()) if penalties else False,
                penalty=draw(SIXTEENTHS) if penalties and draw(st.booleans()) else Fraction(0),
            )
        )
        visible.append((t, name))
    return draw(st.permutations(items))


@st.composite
def _rollouts(
    draw: st.DrawFn, scopes: list[list[OracleItem]], turns: int, errors: bool
) -> OracleRollout:
    verdict: st.SearchStrategy[bool | None] = st.booleans()
    if errors and draw(st.integers(0, 3)) == 0:
        verdict = st.sampled_from([False, True, None])

    def step(scope: int) -> dict[str, bool | None]:
        return {item.id: draw(verdict) for item in scopes[scope]}

    lengths = draw(st.lists(st.integers(0, 3), max_size=turns))
    reached = [[step(t) for _ in range(length)] for t, length in enumerate(lengths)]
    dialogue = [step(turns) for _ in range(sum(lengths))] if len(scopes) > turns else []
    return OracleRollout(reached, dialogue)


def _task(scopes: list[list[OracleItem]], turns: int) -> CreditTask:
    def name(t: int, pair: Pair) -> str:
        """The bare id where it is enough, else the full name."""
        scope, item = pair
        own = any(other.id == item for other in scopes[t])
        same = [u for u in range(t) if any(other.id == item for other in scopes[u])]
        if (scope == t) if own else (len(same) == 1):
            return item
        return f"{'dialogue' if scope == turns else f't{scope}'}.{item}"

    def items(t: int) -> tuple[CreditItem, ...]:
        return tuple(
            CreditItem(
                item.id,
                item.weight,
                tuple(name(t, pair) for pair in item.after),
                veto=item.veto,
                penalty=float(item.penalty),
            )
            for item in scopes[t]
        )

    return CreditTask(
        tuple(CreditTurn(f"t{t}", items(t)) for t in range(turns)),
        items(turns) if len(scopes) > turns else (),
    )
