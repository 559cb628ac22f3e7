"""What the compiler writes into a bundle for the judge: prompt templates, schemas of verdicts."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

Language = Literal["en", "zh"]
Part = Literal["system", "user", "again"]

LANGUAGES: tuple[Language, ...] = ("en", "zh")
PARTS: tuple[Part, ...] = ("system", "user", "again")
SCHEMA = "prompts/verdict.schema.json"
DATED_SCHEMA = "prompts/verdict.dated.schema.json"


def template(part: Part, language: Language) -> str:
    """The name, in a bundle, of a template."""
    return f"prompts/judge.{part}.{language}.jinja"


@cache
def files() -> dict[str, str]:
    """Name in the bundle -> text of the templates and the schemas of what a judge answers.

    In each language there are three. `system` gets `dated`: whether the answer names a step too.
    `user` gets `system` (what the agent was told), `tools` (one line each), `segments` (`name`,
    `head`, and where the middle is not shown `left_out`, in letters, and `tail`; in the order of
    the dialogue), `whole` (`name`, `text` of what the item looks at and is not whole there),
    `fence` (which none of these texts contains) and `item` (`ask`, `passes`, `fails`, `kind`,
    `focus`, `turn`, which is None for task scope, and `names`, the segments in focus). `again` has
    no variables: it stands behind a prompt that is asked anew.
    """
    package = Path(__file__).parents[1]  # importlib.resources loads a dozen modules to say so
    names = [template(part, language) for language in LANGUAGES for part in PARTS]
    return {name: (package / name).read_text("utf-8") for name in [*names, SCHEMA, DATED_SCHEMA]}
