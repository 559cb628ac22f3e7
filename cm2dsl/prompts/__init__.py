"""What the compiler writes into a bundle for the judge: prompt templates and the verdict schema."""

from __future__ import annotations

from functools import cache
from pathlib import Path

SYSTEM = "prompts/judge.system.jinja"
USER = "prompts/judge.user.jinja"
SCHEMA = "prompts/verdict.schema.json"


@cache
def files() -> dict[str, str]:
    """Name in the bundle -> text of the two templates and the schema of what a judge answers.

    The system template has no variables. The user template gets `system` (what the agent was
    told), `tools` (one line each), `segments` (`name`, `text`, in the order of the dialogue),
    `fence` (which none of these texts contains) and `item` (`ask`, `passes`, `fails`, `kind`,
    `focus`, `turn`, which is None for task scope, and `names`, the segments in focus).
    """
    package = Path(__file__).parents[1]  # importlib.resources loads a dozen modules to say so
    return {name: (package / name).read_text("utf-8") for name in (SYSTEM, USER, SCHEMA)}
