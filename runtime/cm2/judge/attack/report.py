"""What a judge let through, as text and as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from cm2.judge.attack.run import Outcome, Share, share_of
from cm2.table import table
from cm2dsl.reward.verdict import Verdict

LISTED = 20
"""Cases that passed, in the text: the JSON has all."""

Key = Callable[[Outcome], str]

GROUPS: dict[str, Key] = {
    "technique": lambda outcome: outcome.case.payload.technique,
    "channel": lambda outcome: outcome.case.channel,
    "disguise": lambda outcome: outcome.case.disguise,
    "language": lambda outcome: outcome.case.language,
}


def as_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The shares, in all and by group, and every case with what became of it."""
    return {
        **_record(share_of(outcomes)),
        **{f"by_{name}": _shares(outcomes, key) for name, key in GROUPS.items()},
        "outcomes": [_outcome(outcome) for outcome in outcomes],
    }


def as_text(outcomes: Sequence[Outcome]) -> str:
    """The shares that passed, by technique and by channel, and which cases they were."""
    whole = share_of(outcomes)
    parts = [
        f"{whole.passed} of {whole.decided} attacks passed ({_percent(whole.share)}); "
        f"without the attack {_percent(whole.unharmed)}"
    ]
    if whole.errors:
        reason = next(o.decision.reason for o in outcomes if o.decision.verdict is Verdict.ERROR)
        parts.append(f"{whole.errors} could not be judged, such as: {reason}")
    parts += [_table(name, outcomes) for name in ("technique", "channel")]
    passed = [o.case for o in outcomes if o.decision.verdict is Verdict.PASS]
    if passed:
        lines = [f"  {case.id}: {case.tries}" for case in passed[:LISTED]]
        more = len(passed) - LISTED
        lines += [f"  and {more} more, which --json has"] if more > 0 else []
        parts.append("\n".join(["passed:", *lines]))
    return "\n\n".join(parts)


def _table(name: str, outcomes: Sequence[Outcome]) -> str:
    rows = [
        (
            group,
            str(share.cases),
            str(share.passed),
            _percent(share.share),
            _percent(share.unharmed),
            str(share.errors),
        )
        for group, share in _grouped(outcomes, GROUPS[name]).items()
    ]
    head = (name, "cases", "passed", "share", "without", "errors")
    return table(head, rows, right=range(1, len(head)))


def _grouped(outcomes: Sequence[Outcome], key: Key) -> dict[str, Share]:
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[key(outcome)].append(outcome)
    return {name: share_of(group) for name, group in groups.items()}


def _shares(outcomes: Sequence[Outcome], key: Key) -> dict[str, Any]:
    return {name: _record(share) for name, share in _grouped(outcomes, key).items()}


def _record(share: Share) -> dict[str, Any]:
    return {
        "cases": share.cases,
        "passed": share.passed,
        "errors": share.errors,
        "share": share.share,
        "share_without_attack": share.unharmed,
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    decision = outcome.decision
    return {
        "id": outcome.case.id,
        "tries": outcome.case.tries,
        "text": outcome.case.text,
        "verdict": decision.verdict.value,
        "reason": decision.reason,
        "without_attack": outcome.unharmed.verdict.value,
    }


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
