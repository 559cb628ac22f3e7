"""Whether a server holds its answers to a schema: found out before anything it says is believed.

Some answer 200 and ignore the field that asks for it. Their answers may be on the schema all the
same, now and then or mostly, as the model likes: no number of good answers shows that the next one
will be. So the first request to every server asks for one word that is off the schema. A server
that holds to the schema cannot write it.
"""

from __future__ import annotations

import re

from cm2.judge.engine import Answer, Answered, EngineError, Failed, Prompt
from cm2.judge.reading import OffSchemaError, read

PROBE = Prompt(
    "You are a test of this server. Answer with one word.",
    "Write the word hello, and nothing else: no braces, no quotes.",
    lane="probe",
)
_BEGUN = re.compile(r'\s*\{\s*"evidence"')


def held(url: str, answer: Answer, text: str | None) -> Failed | None:
    """None where the answer to PROBE shows that the schema is enforced; else why it is not known.

    `text` is what was written of an answer that did not end. Raises EngineError where the server
    ignores the schema, or takes no request of this kind.
    """
    if isinstance(answer, Answered):
        try:
            read(answer.text)
        except OffSchemaError as error:
            shown = f"{error}: {_short(answer.text)}" if answer.text.strip() else str(error)
            raise _ignores(url, shown) from None
        return None
    if answer.trouble == "truncated":
        if text is None or not _BEGUN.match(text):
            raise _ignores(url, f"an answer begins {_short(text or '')}")
        return None
    if answer.again:
        return answer
    raise EngineError(
        f"the server refuses the judge's requests: {answer.cause}",
        "see `structured`, `system_role`, `leave_out` and `max_tokens` in docs/judge.md",
    )


def _ignores(url: str, shown: str) -> EngineError:
    return EngineError(
        f"`{url}` does not hold its answers to the schema ({shown})",
        "see which `structured` it takes, or use a server that enforces JSON schemas: vLLM, "
        "SGLang, llama.cpp",
    )


def _short(text: str) -> str:
    text = " ".join(text.split())
    return f"`{text[:60]}…`" if len(text) > 60 else f"`{text}`"
