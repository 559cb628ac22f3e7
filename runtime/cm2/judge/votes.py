"""Several samples of one judge, and the verdict that most of them are for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from msgspec.structs import replace

from cm2.judge.judge import BY
from cm2dsl import ir
from cm2dsl.reward.verdict import Decision, Verdict

ANSWERS = (Verdict.PASS, Verdict.FAIL, Verdict.INSUFFICIENT)

Vote = Callable[[int | None], Awaitable[Decision]]
"""The decision of sample number n, from 0; of None, decoded greedily."""


async def decided(vote: Vote, protocol: ir.JudgeProtocol) -> Decision:
    """The verdict by as many votes as a spec says; of the first ones, where it is sure enough then.

    What comes first counts among all the votes. One vote alone is decoded greedily, also where more
    may follow. Where one of the first failed it is an error: nobody knows whether it would have
    been sure, and a fault must not choose by how many votes an item is decided.
    """
    few, until = protocol.first, protocol.until
    if few is None or until is None:
        return await vote(None) if protocol.votes == 1 else await poll(vote, protocol.votes)
    numbers = range(few) if few > 1 else (None,)
    first = await asyncio.gather(*(vote(number) for number in numbers))
    failed = next((one for one in first if one.verdict is Verdict.ERROR), None)
    if failed is not None:
        return failed
    if sureness(first) >= until:
        return first[0] if few == 1 else majority(first, few)
    return await poll(vote, protocol.votes, first)


def sureness(votes: Sequence[Decision]) -> float:
    """How sure votes are of the verdict that most of them are for, from 0 to 1.

    The mean of the confidence that each has in this verdict, 0 where it is for another. Where the
    engine gives no confidence, several votes are as sure as they agree; one that stands alone shows
    nothing, so it is not sure at all. Nor are votes without a majority.
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
    left, needed = count - len(votes), count // 2 + 1
    most = max(counts.values(), default=0)
    if most >= needed:
        return 0
    spoilt = {Verdict.PASS} if _is_spoilt(votes) else set()
    within = [counts[one] for one in {*ANSWERS} - spoilt if counts[one] + left >= needed]
    if within:
        return needed - max(within)
    if most + failed < needed <= most + failed + left:
        return needed - most - failed
    return 0


def _is_spoilt(votes: Sequence[Decision]) -> bool:
    """Whether a vote failed that may have been the first pass, which says since when it holds."""
    names = [one.verdict for one in votes if one.verdict in (Verdict.PASS, Verdict.ERROR)]
    return names[:1] == [Verdict.ERROR]


def majority(votes: Sequence[Decision], count: int) -> Decision:
    """The first vote for the verdict that more than half of `count` votes are for.

    Without one it is an error where the votes that failed could have made a majority, and
    otherwise insufficient: the judge does not know. A pass is an error, too, where a vote failed
    that may have been the first for it. `votes` may lack those that cannot change this.
    """
    counts = Counter(vote.verdict for vote in votes)
    failed = counts.pop(Verdict.ERROR, 0)
    most = max(counts.values(), default=0)
    answered = len(votes) - failed
    verdict = _winner(votes, count)
    if verdict is not None and not (verdict is Verdict.PASS and _is_spoilt(votes)):
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
