"""What a run's judge took and what failed, in words."""

from __future__ import annotations

from collections.abc import Mapping

import click

from cm2.commands.score_rejects import counted
from cm2.judge.ledger import Cost, Ledger
from cm2.table import table

SHOWN = 20
"""Items with failures that are printed; the most troubled first."""


AGAIN = (
    'keep answers, with `cache = "FILE"` in the judge\'s settings: then the same command, given '
    "again, asks only for what failed"
)
"""What to do about verdicts that are errors."""


def judge_text(ledger: Ledger) -> str:
    """Calls, tokens and seconds in all, then what failed, by cause and by item."""
    total = ledger.total
    parts = [cost_text("judge", total)]
    failed = {name: cost for name, cost in ledger.items.items() if cost.troubles}
    if failed:
        parts.append(_failures(total, failed))
    return "\n\n".join(parts)


def cost_text(who: str, cost: Cost) -> str:
    """What somebody's model took: calls, tokens and seconds, on one line."""
    return f"{who}: {_calls(cost)}{_tokens(cost)}"


def say_masked(
    masked: int, whole: int, rewarded: int, who: str = "the judge", again: str = AGAIN
) -> bool:
    """Say how many dialogues have no reward because a judge broke; whether it left none with one.

    `masked` of the `whole` dialogues have none for that reason, `rewarded` have one.
    """
    if not masked:
        return False
    of = f"{masked} of {counted(whole, 'dialogue')}"
    if rewarded:
        click.echo(f"warning: {who} broke on {of}, which are left without a reward", err=True)
    else:
        click.echo(f"error: {who} broke on {of}, and none has a reward", err=True)
    click.echo(f"  = help: {again}", err=True)
    return not rewarded


def _calls(total: Cost) -> str:
    said = counted(total.calls, "call")
    if total.retries:
        said += f", {total.retries} of them again"
    if total.hits:
        rate = total.hits / (total.hits + total.calls - total.retries)
        said += f"; {counted(total.hits, 'answer')} ({rate:.0%}) out of the cache"
    return said


def _tokens(total: Cost) -> str:
    if total.calls == total.uncounted:
        return "; the engine counts no tokens" if total.calls else ""
    share = f" ({total.cached / total.prompt:.0%} cached)" if total.prompt else ""
    seconds = f"{total.seconds / total.calls:.2f} s a call"
    return f"; {total.prompt} prompt tokens{share}, {total.output} output tokens, {seconds}"


def _failures(total: Cost, failed: Mapping[str, Cost]) -> str:
    """Every call that failed, also where the next one did better."""
    causes = [cause for cause, _ in total.troubles.most_common()]
    said = ", ".join(f"{total.troubles[cause]} {cause}" for cause in causes)
    head = f"failed calls of the judge: {said}"
    most = sorted(failed.items(), key=lambda one: (-one[1].troubles.total(), one[0]))
    rows = [
        [name, str(cost.calls), *(str(cost.troubles[cause] or "") for cause in causes)]
        for name, cost in most[:SHOWN]
    ]
    left_out = f"\nand {counted(len(most) - SHOWN, 'item')} more" if len(most) > SHOWN else ""
    listed = table(["item", "calls", *causes], rows, right=range(1, len(causes) + 2))
    return f"{head}\n{listed}{left_out}"
