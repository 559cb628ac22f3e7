"""`cm2 judge compare`: two judges on the same dialogues."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cm2.bundle import Bundle
from cm2.commands.judge_inputs import dialogue_options, read_or_exit
from cm2.commands.judge_options import judge_settings, opened_judge
from cm2.commands.judge_report import AGAIN, say_masked
from cm2.commands.score_faults import cannot, fail
from cm2.commands.spec import open_or_exit
from cm2.judge.engine import EngineError
from cm2.judge.judge import Judge

BROKE = 1
NEEDED = ("numpy", "scipy")
if TYPE_CHECKING:
    from cm2.calibrate.rows import Rows

JUDGE = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("a", type=JUDGE)
@click.argument("b", type=JUDGE)
@click.argument("spec", type=JUDGE)
@click.argument("dialogues", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@dialogue_options
def command(
    a: Path, b: Path, spec: Path, dialogues: tuple[Path, ...], form: str, task: str
) -> None:
    """Compare the verdicts and rewards of judges A and B on DIALOGUES.

    Each of them is a judge's TOML file, a transformers model directory, or rows that `cm2 score`
    wrote (a .jsonl file), which need no DIALOGUES.

    Exit codes: 0 they were compared; 1 one of them broke, and left no dialogue with a reward; 2
    they could not be compared.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        fail(f"comparing needs {', '.join(missing)}", "pip install 'cm2dsl[agree]'")
    from cm2.calibrate.rows import RowError, read_rows, score_rows
    from cm2.calibrate.versus import versus
    from cm2.calibrate.versus_text import versus_text
    from cm2.judge.ledger import Cost

    bundle = open_or_exit(spec)
    sides: list[Rows] = []
    costs: list[Cost | None] = []
    try:
        asking = [side for side in (a, b) if not _is_rows(side)]
        if asking and not dialogues:
            fail(f"`{asking[0]}` is a judge, and there are no dialogues to judge", "name DIALOGUES")
        found = read_or_exit(bundle, dialogues, form, task) if asking else []
        for side in (a, b):
            if _is_rows(side):
                sides.append(read_rows(bundle, side))
                costs.append(None)
                continue
            with _opened(side, bundle) as judge:
                sides.append(judge.run(score_rows(bundle, found, judge)))
                costs.append(judge.ledger.total)
    except RowError as error:
        fail(f"{error.place}: {error.message}", error.help)
    except EngineError as error:
        fail(error.message, error.help)
    except OSError as error:
        cannot(error)
    shown = versus(*sides)
    if not shown.both + shown.unrewarded:
        fail("no dialogue is in both", "give rows of the same dialogues, with the same ids")
    click.echo(versus_text(shown, (str(a), str(b)), costs))
    broke = [_broke(rows, side) for rows, side in zip(sides, (a, b), strict=True)]
    if any(broke):
        raise SystemExit(BROKE)


def _broke(rows: Rows, side: Path) -> bool:
    """Whether a judge left no dialogue with a reward, because it broke; said if it broke at all."""
    without = [row for row in rows.values() if row.reward is None]
    masked = sum("error" in row.verdicts.values() for row in without)
    again = "score the dialogues again" if _is_rows(side) else AGAIN
    return say_masked(masked, len(rows), len(rows) - len(without), f"`{side}`", again)


def _is_rows(side: Path) -> bool:
    return side.is_file() and side.suffix != ".toml"


def _opened(side: Path, bundle: Bundle) -> Judge:
    judge = opened_judge(judge_settings(side, ()), side, bundle)
    assert judge is not None  # a side is named, so there are settings
    return judge
