"""What a server sent back, as an answer or as what went wrong."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import msgspec

from cm2.judge.confidence import Token, confidence
from cm2.judge.engine import Answer, Answered, EngineError, Failed, Trouble, Usage

_LONGEST = 300
"""Letters of a server's own message to show: some send pages."""

_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|context_window_exceeded|string_above_max_length"
    r"|(maximum|available|model'?s?) (context|prompt|input) (length|size|window)"
    r"|exceeds? (the )?(model'?s? )?(maximum |allowed |configured )?(context|input|limit of \d)"
    r"|exceed context window|(prompt|input|request)[^.]{0,40} is too (long|large)"
    r"|reduce the length of (the|your) (messages|prompt|input)|maximum allowed input length"
    r"|max_model_len|longest supported",
    re.IGNORECASE,
)
"""How servers say that a prompt does not fit; they share no code for it."""

_NO_MODEL = re.compile(
    r"model_not_found|model [`'\"]?\S+ (does not exist|not found|is not found)"
    r"|(unknown|invalid|no such) model|does not have access to model",
    re.IGNORECASE,
)
_NO_QUOTA = re.compile(r"insufficient_quota|billing|exceeded your current quota", re.IGNORECASE)

_AGAIN = frozenset({408, 409, 425, 429})


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole response to a request. `seconds` is how long it took, `url` the server's base."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


class _Message(msgspec.Struct):
    content: Any = None
    refusal: str | None = None


class _Part(msgspec.Struct):
    text: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None
    logprobs: Any = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Counts(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    prompt_cache_hit_tokens: int | None = None


class _Timings(msgspec.Struct):
    cache_n: int | None = None


_Said = TypeVar("_Said", _Counts, _Timings)


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    usage: Any = None
    timings: Any = None


class _Alternative(msgspec.Struct):
    token: str
    logprob: float
    octets: list[int] | None = msgspec.field(name="bytes", default=None)

    def text(self) -> bytes:
        return self.token.encode() if self.octets is None else bytes(self.octets)


class _Place(_Alternative):
    top_logprobs: list[_Alternative] | None = None


class _Logprobs(msgspec.Struct):
    content: list[_Place]


def read_reply(reply: Reply) -> Answer:
    """The answer in a response, or why there is none.

    Raises EngineError where the server will answer no request of this kind: the key, the model or
    the URL is wrong.
    """
    if 200 <= reply.status < 300:
        return _completed(reply)
    said = _message(reply)
    cause = f"{reply.url} answered {reply.status}" + (f": {said}" if said else "")
    spent = Usage(seconds=reply.seconds)
    whole = reply.body[:10_000].decode("utf-8", "replace")
    if _TOO_LONG.search(whole) and reply.status != 429:
        return Failed(cause, "too_long", usage=spent)
    _refuse_to_go_on(reply, cause, whole)
    wait = retry_after(reply.headers, time.time())
    if reply.status == 429:
        return Failed(cause, "limited", again=True, wait=wait, usage=spent)
    if reply.status in _AGAIN or reply.status >= 500:
        trouble: Trouble = "timeout" if reply.status in (408, 504) else "outage"
        return Failed(cause, trouble, again=True, wait=wait, usage=spent)
    return Failed(cause, "rejected", usage=spent)


def written(reply: Reply) -> str | None:
    """The text in a response, whole or not; None where there is none."""
    try:
        return _text(_completion(reply.body).choices[0].message.content)
    except (ValueError, RecursionError, IndexError):
        return None


def _refuse_to_go_on(reply: Reply, cause: str, whole: str) -> None:
    status = reply.status
    if status in (401, 403, 407):
        raise EngineError(cause, "see that the variable that `key_env` names holds a valid key")
    if status == 402 or (status == 429 and _NO_QUOTA.search(whole)):
        raise EngineError(cause, "the account has nothing left; see to it and go on")
    if status in (400, 404, 422) and _NO_MODEL.search(whole):
        raise EngineError(cause, "correct `model`: the server's list is at `/models` of its URL")
    if status in (404, 405) or 300 <= status < 400:
        raise EngineError(
            cause, "correct `urls`: a base URL is what stands before `/chat/completions`"
        )


def _completed(reply: Reply) -> Answer:
    try:
        completion = _completion(reply.body)
        text = _text(completion.choices[0].message.content) if completion.choices else None
    except (ValueError, RecursionError) as error:
        said = _error(reply)
        cause = f"{reply.url} answered with what is no chat completion: {_short(str(error))}"
        if said is not None:
            cause = f"{reply.url} answered {reply.status} with an error: {said}"
        return Failed(cause, "outage", again=True, usage=Usage(seconds=reply.seconds))
    usage = _usage(completion, reply.seconds)
    if not completion.choices:
        said = _error(reply)
        cause = f"{reply.url} gave no choice" + ("" if said is None else f": {said}")
        return Failed(cause, "outage", again=True, usage=usage)
    choice = completion.choices[0]
    reason = choice.finish_reason
    if choice.message.refusal:
        said = _short(choice.message.refusal)
        return Failed(f"the model refused to answer: {said}", "rejected", usage=usage)
    if reason == "content_filter":
        return Failed("the server's content filter stopped the answer", "rejected", usage=usage)
    if reason == "length":
        tokens = "its tokens" if usage.output is None else f"{usage.output} tokens"
        return Failed(f"the answer did not end within {tokens}", "truncated", usage=usage)
    if reason in ("abort", "error"):
        return Failed(f"{reply.url} broke the answer off", "outage", again=True, usage=usage)
    # No text, or a tool call in its place, is off the schema as any other text that is.
    return Answered(text or "", usage, _confidence(choice.logprobs))


def _completion(body: bytes) -> _Completion:
    """A response as a completion. Raises ValueError, RecursionError.

    Python's parser takes NaN, which is no JSON: some servers write it as a log-probability.
    """
    try:
        return msgspec.json.decode(body, type=_Completion)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        try:
            said = json.loads(body)
        except ValueError:
            raise error from None
        return msgspec.convert(said, _Completion)


def _text(content: Any) -> str | None:
    """The text of a message: some servers give it in parts. Raises ValueError."""
    if content is None or isinstance(content, str):
        return content
    parts = msgspec.convert(content, list[_Part])
    return "".join(part.text for part in parts if part.text is not None)


def _usage(completion: _Completion, seconds: float) -> Usage:
    counts = _counted(completion.usage, _Counts)
    timings = _counted(completion.timings, _Timings)
    details = counts.prompt_tokens_details or _Details()
    said = (details.cached_tokens, counts.prompt_cache_hit_tokens, timings.cache_n)
    cached = next((number for number in said if number is not None), None)
    return Usage(counts.prompt_tokens, cached, counts.completion_tokens, seconds)


def _counted(said: Any, kind: type[_Said]) -> _Said:
    """What a server counts; what cannot be read is not said, and the answer still stands."""
    try:
        return msgspec.convert(said, kind)
    except msgspec.ValidationError:
        return kind()


def _confidence(said: Any) -> float | None:
    """Out of the log-probabilities; what cannot be read is none, and the answer still stands."""
    try:
        places = msgspec.convert(said, _Logprobs).content
        tokens = [
            Token(
                place.text(),
                place.logprob,
                [(other.text(), other.logprob) for other in place.top_logprobs or ()],
            )
            for place in places
        ]
    except (msgspec.ValidationError, ValueError):
        return None
    numbers = (number for token in tokens for number in (token.logprob, *_likely(token)))
    return None if any(map(math.isnan, numbers)) else confidence(tokens)


def _likely(token: Token) -> Iterator[float]:
    return (number for _, number in token.others)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait, where the server says so: in milliseconds, in seconds or as a date.

    `now` is the Unix time; a date is measured against the server's own clock where it tells it.
    """
    milliseconds, said = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds is not None:
            return max(float(milliseconds) / 1000, 0.0)
        if said is not None and re.fullmatch(r"\s*-?[0-9.]+\s*", said):
            return max(float(said), 0.0)
        if said is not None:
            its_now = headers.get("date")
            since = parsedate_to_datetime(its_now).timestamp() if its_now else now
            return max(parsedate_to_datetime(said).timestamp() - since, 0.0)
    except ValueError:
        return None
    return None


def _message(reply: Reply) -> str:
    """What an error response says, in one line."""
    try:
        said = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _short(re.sub(r"<[^>]*>", " ", reply.body[:10_000].decode("utf-8", "replace")))
    for key in ("error", "message", "detail", "msg"):
        if isinstance(said, dict) and said.get(key):
            said = said[key]
    return _short(said if isinstance(said, str) else msgspec.json.encode(said).decode())


def _error(reply: Reply) -> str | None:
    """The error in a response that is a success by its status; None where there is none."""
    try:
        said = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return _message(reply) if isinstance(said, dict) and said.get("error") else None


def _short(said: str) -> str:
    said = " ".join(said.split())
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
