"""Several samples of one judge, and the verdict that most of them are for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from cm2.judge.judge import BY
from cm2dsl.reward.verdict import Decision, Verdict

Vote = Callable[[int], Awaitable[Decision]]
"""The decision of sample number n, from 0."""


async def poll(vote: Vote, count: int) -> Decision:
    """The verdict of `count` votes, none of them asked for that could not change it.

    The first votes are the fewest that could decide, all at once; then as many as the leading
    verdict lacks, until it has its majority or none can be reached. The verdict, its evidence and
    its step are those that all the votes would have given. `agreement` is the share of the
    answered votes that are for the verdict.
    """
    votes: list[Decision] = []
    while len(votes) < count and (lacking := _lacking(votes, count)):
        numbers = range(len(votes), len(votes) + lacking)
        votes += await asyncio.gather(*(vote(number) for number in numbers))
    return majority(votes, count)


def _lacking(votes: Sequence[Decision], count: int) -> int:
    """How many votes are to be asked next: what the leading verdict lacks; 0 where that is none.

    Also 0 where no verdict can have a majority any more, and failures cannot be why.
    """
    counts = Counter(one.verdict for one in votes)
    failed = counts.pop(Verdict.ERROR, 0)
    most = max(counts.values(), default=0)
    lacking = count // 2 + 1 - most
    left = count - len(votes)
    if lacking <= left:
        return max(lacking, 0)
    return left if failed and lacking <= left + failed else 0


def majority(votes: Sequence[Decision], count: int) -> Decision:
    """The first vote for the verdict that more than half of `count` votes are for.

    Without one it is an error where the votes that failed could have made a majority, and
    otherwise insufficient: the judge does not know. `votes` may lack those that cannot change this.
    """
    counts = Counter(vote.verdict for vote in votes)
    failed = counts.pop(Verdict.ERROR, 0)
    most = max(counts.values(), default=0)
    answered = len(votes) - failed
    if 2 * most > count:
        verdict = max(counts, key=counts.__getitem__)
        first = next(vote for vote in votes if vote.verdict is verdict)
        return replace(first, agreement=most / max(answered, 1))
    if 2 * (most + failed) > count:
        return next(vote for vote in votes if vote.verdict is Verdict.ERROR)
    tally = ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
    reason = f"the votes have no majority: {tally}"
    return Decision(Verdict.INSUFFICIENT, BY, reason=reason, agreement=most / max(answered, 1))
