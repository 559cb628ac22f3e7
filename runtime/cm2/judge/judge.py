"""Decides `ask` items: asks the engine, checks every quote, and turns no failure into a verdict."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cm2.judge.engine import Answer, Engine, Failed, Prompt
from cm2.judge.prompt import Templates
from cm2.judge.quote import verified
from cm2.judge.reading import OffSchemaError, read
from cm2.judge.view import Question, View, view
from cm2dsl import ir, prompts
from cm2dsl.reward.verdict import Decision, Verdict

_BY = "judge"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question with what was shown for it, and its prompts: one a vote."""

    item: ir.Item
    view: View
    prompts: tuple[Prompt, ...]


class Judge:
    """An engine, and a bundle's prompts to ask it with."""

    def __init__(self, engine: Engine, files: Mapping[str, str] | None = None) -> None:
        """`files` are the bundle's (name -> text); without it, those of this version."""
        self._engine = engine
        self._templates = Templates(prompts.files() if files is None else files)

    def decide(self, questions: Sequence[Question]) -> list[Decision]:
        """One decision a question, in their order; `by` is `judge`.

        The engine is called once, with every different prompt once: questions that look alike to
        the judge share an answer. Raises ValueError for an item without an `ask`, and for a turn
        that the trajectory does not have.
        """
        asked = [self._prepare(question) for question in questions]
        each = list(dict.fromkeys(prompt for one in asked for prompt in one.prompts))
        answers = dict(zip(each, self._engine.answer(each) if each else [], strict=True))
        return [_decide(one, [answers[prompt] for prompt in one.prompts]) for one in asked]

    def _prepare(self, question: Question) -> _Asked:
        tokens = self._engine.control_tokens
        shown = view(question, tokens)
        prompt = self._templates.render(question, shown, tokens)
        votes = question.spec.judge.votes
        if shown.steps == 0:
            return _Asked(question.item, shown, ())
        if votes == 1:
            return _Asked(question.item, shown, (prompt,))
        seeds = (_seed(prompt, vote) for vote in range(votes))
        return _Asked(question.item, shown, tuple(replace(prompt, seed=s) for s in seeds))


def _seed(prompt: Prompt, vote: int) -> int:
    """A number of 63 bits for this vote on this prompt: the same in every run, on every machine."""
    text = "\0".join((prompt.system, prompt.user, str(vote)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def _decide(asked: _Asked, answers: Sequence[Answer]) -> Decision:
    if not answers:
        return Decision(Verdict.INSUFFICIENT, _BY, reason="the agent did not take a step")
    return _majority([_vote(asked, answer) for answer in answers])


def _vote(asked: _Asked, answer: Answer) -> Decision:
    """One answer as a decision, its evidence reduced to the quotes that are there."""
    if isinstance(answer, Failed):
        return Decision(Verdict.ERROR, _BY, reason=answer.cause)
    try:
        reading = read(answer.text)
    except OffSchemaError as error:
        return Decision(Verdict.ERROR, _BY, reason=str(error))
    pairs = [(piece.segment, piece.quote) for piece in reading.evidence]
    evidence = verified(pairs, asked.view.texts())
    verdict = Verdict(reading.verdict)
    if verdict is not Verdict.PASS:
        return Decision(verdict, _BY, evidence, reason=reading.reason)
    if not evidence:
        reason = f"passed without a quote that is there: {reading.reason}"
        return Decision(Verdict.INSUFFICIENT, _BY, reason=reason)
    last = asked.view.steps - 1
    step = asked.view.step_of([piece.segment for piece in evidence])
    if step is None or asked.item.kind != "item":
        step = last  # nothing dates it, or it is decided when the turn ends
    return Decision(verdict, _BY, evidence, step, reading.reason)


def _majority(votes: Sequence[Decision]) -> Decision:
    """The first vote for the verdict that more than half of all votes are for.

    Without one it is an error where the votes that failed could have made a majority, and
    otherwise insufficient: the judge does not know.
    """
    counts = Counter(vote.verdict for vote in votes)
    failed = counts.pop(Verdict.ERROR, 0)
    most = max(counts.values(), default=0)
    if 2 * most > len(votes):
        verdict = max(counts, key=counts.__getitem__)
        return next(vote for vote in votes if vote.verdict is verdict)
    if 2 * (most + failed) > len(votes):
        return next(vote for vote in votes if vote.verdict is Verdict.ERROR)
    tally = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return Decision(Verdict.INSUFFICIENT, _BY, reason=f"the votes have no majority: {tally}")
