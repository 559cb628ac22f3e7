"""Several samples of one judge, and the verdict that most of them are for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from cm2.judge.judge import BY
from cm2dsl import ir
from cm2dsl.reward.verdict import Decision, Verdict

Vote = Callable[[int | None], Awaitable[Decision]]
"""The decision of sample number n, from 0; of None, decoded greedily."""


async def decided(vote: Vote, protocol: ir.JudgeProtocol) -> Decision:
    """The verdict by as many votes as a spec says; of the first ones, where it is sure enough then.

    What comes first counts among all the votes. One vote alone is decoded greedily, also where more
    may follow.
    """
    few, until = protocol.first, protocol.until
    if few is None or until is None:
        return await vote(None) if protocol.votes == 1 else await poll(vote, protocol.votes)
    numbers = range(few) if few > 1 else (None,)
    first = await asyncio.gather(*(vote(number) for number in numbers))
    if sureness(first) >= until:
        return first[0] if few == 1 else majority(first, few)
    return await poll(vote, protocol.votes, first)


def sureness(votes: Sequence[Decision]) -> float:
    """How sure votes are of the verdict that most of them are for, from 0 to 1.

    The mean of the confidence that each has in this verdict, which is 0 where it is for another or
    failed. Where the engine gives no confidence, several votes are as sure as they agree; one that
    stands alone shows nothing, so it is not sure at all. Nor are votes without a majority.
    """
    verdict = _winner(votes, len(votes))
    if verdict is None:
        return 0.0
    unsaid = 1.0 if len(votes) > 1 else 0.0
    for_it = [vote for vote in votes if vote.verdict is verdict]
    said = [unsaid if vote.confidence is None else vote.confidence for vote in for_it]
    return sum(said) / len(votes)


async def poll(vote: Vote, count: int, given: Sequence[Decision] = ()) -> Decision:
    """The verdict of `count` votes, none of them asked for that could not change it.

    `given` are the first of them. Then come the fewest that could decide, all at once, until the
    outcome is certain. The verdict, its evidence and its step are those that all the votes would
    have given. `agreement` is the share of the answered votes that are for the verdict.
    """
    votes = list(given)
    while lacking := _lacking(votes, count):
        numbers = range(len(votes), len(votes) + lacking)
        votes += await asyncio.gather(*(vote(number) for number in numbers))
    return majority(votes, count)


def _lacking(votes: Sequence[Decision], count: int) -> int:
    """How many votes are to be asked next: the fewest that could make the outcome certain.

    0 where it is: a verdict has its majority, or none can reach it, and whether failures are why is
    known too.
    """
    counts = Counter(one.verdict for one in votes)
    failed = counts.pop(Verdict.ERROR, 0)
    left = count - len(votes)
    lacking = count // 2 + 1 - max(counts.values(), default=0)
    if 0 < lacking <= left:
        return lacking
    if failed < lacking <= failed + left:
        return lacking - failed
    return 0


def majority(votes: Sequence[Decision], count: int) -> Decision:
    """The first vote for the verdict that more than half of `count` votes are for.

    Without one it is an error where the votes that failed could have made a majority, and
    otherwise insufficient: the judge does not know. `votes` may lack those that cannot change this.
    """
    counts = Counter(vote.verdict for vote in votes)
    failed = counts.pop(Verdict.ERROR, 0)
    most = max(counts.values(), default=0)
    answered = len(votes) - failed
    verdict = _winner(votes, count)
    if verdict is not None:
        first = next(vote for vote in votes if vote.verdict is verdict)
        return replace(first, agreement=most / answered)
    if 2 * (most + failed) > count:
        return next(vote for vote in votes if vote.verdict is Verdict.ERROR)
    tally = ", ".join(f"{number} {verdict}" for verdict, number in sorted(counts.items()))
    reason = f"the votes have no majority: {tally}"
    return Decision(Verdict.INSUFFICIENT, BY, reason=reason, agreement=most / answered)


def _winner(votes: Sequence[Decision], count: int) -> Verdict | None:
    """The verdict that more than half of `count` votes are for; a failure is none."""
    counts = Counter(vote.verdict for vote in votes if vote.verdict is not Verdict.ERROR)
    return next((verdict for verdict, number in counts.items() if 2 * number > count), None)
