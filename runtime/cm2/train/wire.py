"""A rollout on its way to another process: without the plan it was scored by, which all have.

A plan holds the functions that check, which cannot be sent, and the task, which need not be: what
travels is the dialogue with its tokens, and what was decided about it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cm2.rollout.dialogue import Rollout
from cm2.rollout.stage import Played
from cm2.train.ranks import Ranks
from cm2dsl.reward.card import Outcome, Scored
from cm2dsl.reward.plan import Plan


@dataclass(frozen=True, slots=True)
class Sent:
    """What another process needs to have the rollout as it was played here."""

    rollout: Rollout
    outcomes: Mapping[str, Outcome]
    lengths: list[int]
    reward: float | None
    turn_rewards: list[float | None]

    def received(self, plan: Plan) -> Played:
        """The rollout with its score, by the plan of its row."""
        scored = Scored(plan, self.outcomes, self.lengths, self.reward, self.turn_rewards)
        return Played(self.rollout, scored)


def sent(played: Played) -> Sent:
    """The rollout as it travels."""
    scored = played.scored
    return Sent(played.rollout, scored.outcomes, scored.lengths, scored.reward, scored.turn_rewards)


def shared(
    play: Callable[[slice], list[Played]], plans: Sequence[Plan], ranks: Ranks
) -> list[Played]:
    """The rollouts of all processes in their order, each of which plays its part with `play`.
    `plans` has the plan of each rollout."""
    mine = ranks.share(len(plans))
    if ranks.count == 1:
        return play(mine)
    own: list[Played] = []

    def part() -> list[Sent]:
        own.extend(play(mine))
        return [sent(one) for one in own]

    everyone = ranks.gathered(part)
    played = [one.received(plan) for one, plan in zip(everyone, plans, strict=True)]
    played[mine] = own
    return played
