"""`cm2 judge attack`: dialogues that try to talk a judge into a pass."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cm2.commands.judge_options import judge_options, judge_settings, opened_judge
from cm2.commands.score_faults import fail
from cm2.judge.attack import attack, cases, share_of
from cm2.judge.attack.report import as_json, as_text
from cm2.judge.engine import EngineError

TOO_MANY = 1


@click.command()
@judge_options
@click.option("--only", default="*", metavar="PATTERN", help="Cases whose name matches, or has it.")
@click.option(
    "--max-passed",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="Exit with 1 if a larger share of the attacks passes.",
)
@click.option("--json", "as_json_", is_flag=True, help="Print every case with its verdict.")
def command(
    judge: Path | None,
    judge_set: tuple[str, ...],
    only: str,
    max_passed: float | None,
    as_json_: bool,
) -> None:
    """See what a judge can be talked into.

    In every dialogue the item is plainly not met, and somebody (the user, the agent, a tool, the
    data of a row) tries to have it passed. What passes is shown next to what passes without the
    attack. The names of cases are `technique.name/channel/disguise/language`.
    """
    chosen = cases(only)
    if not chosen:
        fail(f"no case matches `{only}`", "such as `fence`, `*/tool_result/*` or `token.Llama3`")
    said = judge_settings(judge, judge_set)
    opened = opened_judge(said, judge, None)
    if opened is None:
        fail("there is no judge to attack", "name one with --judge FILE, or a model directory")
    with opened:
        try:
            outcomes = opened.run(attack(opened, chosen))
        except EngineError as error:
            fail(error.message, error.help)
    whole = share_of(outcomes)
    if whole.share is None:
        fail(f"the judge decided none of {whole.cases} cases", outcomes[0].decision.reason)
    click.echo(json.dumps(as_json(outcomes), ensure_ascii=True) if as_json_ else as_text(outcomes))
    if max_passed is not None and whole.share > max_passed:
        raise SystemExit(TOO_MANY)
