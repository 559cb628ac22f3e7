"""A judge's answer, read: the verdict schema, checked once more after decoding."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cm2 import jsonl
from cm2.judge.engine import Shape

# The patterns of cm2dsl/prompts/verdict*.schema.json; a test holds them together.
_Segment = Annotated[
    str,
    Field(
        pattern=r"^t[0-9]{1,3}[.](user((_call|_result)([.][0-9]{1,2})?)?|s[0-9]{1,3}[.](reasoning|reply|tool_call|tool_result)([.][0-9]{1,2})?)$"
    ),
]
_Quote = Annotated[str, Field(pattern=r'^[^"\\\x00-\x1f]{1,100}$')]
_Step = Annotated[str, Field(pattern=r"^(t[0-9]{1,3}[.]s[0-9]{1,3}|none)$")]
_Reason = Annotated[str, Field(pattern=r'^[^"\\\x00-\x1f]{1,128}$')]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Quoted(_Closed):
    """A piece of evidence as the judge gave it; nothing says yet that it is there."""

    segment: _Segment
    quote: _Quote


class Reading(_Closed):
    """What the judge says of one item."""

    evidence: Annotated[list[Quoted], Field(max_length=3)]
    reason: _Reason
    verdict: Literal["pass", "fail", "insufficient"]


class DatedReading(Reading):
    """The same with the step after which the item holds, by name; `none` where it does not."""

    step: _Step


READINGS: Mapping[Shape, type[Reading]] = {"verdict": Reading, "dated": DatedReading}


class OffSchemaError(ValueError):
    """An answer that is not what was asked for."""


def read(text: str, shape: Shape = "verdict") -> Reading:
    """The answer in `text`. Raises OffSchemaError, whose message says what is wrong with it."""
    if not text.strip():
        raise OffSchemaError("the answer is empty")
    try:
        return READINGS[shape].model_validate(jsonl.parse(text))
    except jsonl.JsonError as error:
        raise OffSchemaError(_no_answer(error)) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the answer"
        what = first["msg"][:1].lower() + first["msg"][1:]
        raise OffSchemaError(f"the answer is off the schema at `{place}`: {what}") from None


def _no_answer(error: jsonl.JsonError) -> str:
    twice = re.fullmatch(r"(the key `.*`) occurs twice in one object", error.message, re.DOTALL)
    return f"the answer gives {twice[1]} twice" if twice else f"the answer is {error.message}"
