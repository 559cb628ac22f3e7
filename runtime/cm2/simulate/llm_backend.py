"""The `llm` backend: a model plays the tools that nothing else answers.

It is asked in the state that the rollout's own calls have led to (`llm_state.py`): an equal call in
an equal state is an equal request, with an equal seed, and gets an equal answer, out of the cache
or once for all who ask. A call that was answered since the last write is answered as it was.

What it answers is JSON on the schema of the tool's results. An answer that contradicts what was
shown before (`consistency.py`) is asked for once more, with what is wrong with it. One that still
does, and a model that gives none, is the world's fault: the rollout is masked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cm2.judge.asking import Asker, Told, seed_of
from cm2.judge.engine import Failed
from cm2.judge.hygiene import hygiene_for
from cm2.simulate.backend import Answer, Asked, Requestor, ToolFailure, dump
from cm2.simulate.consistency import contradiction
from cm2.simulate.errors import ErrorShape, error
from cm2.simulate.llm_examples import Examples
from cm2.simulate.llm_prompt import SYSTEM, PromptError, again, user_prompt
from cm2.simulate.llm_state import State
from cm2.simulate.result_form import ResultForm
from cm2.simulate.tools import Tools
from cm2.trajectory import Trajectory
from cm2dsl import ir


class Actor:
    """What all rollouts of a spec share: the model, the tools, and what it is shown as examples.

    `recordings` are those that examples are taken from. Raises SimulationError where no answer can
    be held to the schema of a tool's results.
    """

    def __init__(
        self,
        asker: Asker,
        tools: Sequence[ir.Tool],
        user_tools: Sequence[ir.Tool],
        known: Tools,
        recordings: Iterable[Trajectory],
    ) -> None:
        self.asker = asker
        self.clean = hygiene_for(asker.control_tokens)
        self.examples = Examples(recordings, known)
        self._tools: dict[tuple[Requestor, str], tuple[ir.Tool, ResultForm]] = {}
        of: dict[Requestor, Sequence[ir.Tool]] = {"agent": tools, "user": user_tools}
        for requestor, them in of.items():
            for tool in them:
                results = self.examples.results(requestor, tool.name)
                self._tools[requestor, tool.name] = tool, ResultForm(tool, results)

    def tool(self, asked: Asked) -> tuple[ir.Tool, ResultForm]:
        """The tool that is called, and what it may answer."""
        return self._tools[asked.requestor, asked.tool]


class LLMBackend:
    """One rollout's. It has no state but the history that it is shown."""

    in_order = True

    def __init__(self, actor: Actor, task: str, examples: int, errors: ErrorShape) -> None:
        """`examples` is how many recorded calls are shown; `errors` is the shape of errors."""
        self._actor = actor
        self._task = task
        self._examples = examples
        self._errors = errors

    async def answer(self, asked: Asked) -> Answer:
        state = State.after(asked.history)
        before = state.again(asked)
        if before is not None:
            return Answer(before.answer.text, "llm", "as it was answered", before.answer.failed)
        actor = self._actor
        tool, results = actor.tool(asked)
        examples = actor.examples.nearest(asked, self._examples)
        shown = actor.asker.shown
        try:
            user = user_prompt(tool, results, examples, state, asked, actor.clean, shown)
        except PromptError as unfit:
            raise ToolFailure(f"the llm backend: {unfit}") from unfit
        told = await self._ask(user, asked, results)
        wrong = self._contradiction(asked, told)
        if wrong is None:
            return self._answer(told, f"model {actor.asker.name}")
        told = await self._ask(again(user, wrong, actor.clean), asked, results)
        still = self._contradiction(asked, told)
        if still is not None:
            raise ToolFailure(
                f"the llm backend contradicts itself: {still} (asked again because: {wrong})"
            )
        return self._answer(told, f"model {actor.asker.name}, asked again because: {wrong}")

    async def follow(self, asked: Asked, answer: Answer) -> None:
        return None

    async def close(self) -> None:
        return None

    async def _ask(self, user: str, asked: Asked, results: ResultForm) -> Told:
        """Raises ToolFailure."""
        found = await self._actor.asker.ask(
            SYSTEM,
            user,
            results.form,
            item=asked.tool,
            seed=seed_of(user),
            lane=self._task,
            wrong=results.complaint,
        )
        if isinstance(found, Failed):
            raise ToolFailure(f"the llm backend has no answer to `{asked.tool}`: {found.cause}")
        return found

    def _contradiction(self, asked: Asked, told: Told) -> str | None:
        answer = self._answer(told, "")
        return contradiction(asked.history, asked, answer.text, bool(answer.failed))

    def _answer(self, told: Told, why: str) -> Answer:
        """What the model said, as the tool writes it: text as it is, anything else as JSON."""
        said: dict[str, Any] = told.value["answer"]
        if "error" in said:
            return Answer(error(said["error"], self._errors), "llm", why, True)
        result = said["result"]
        return Answer(result if isinstance(result, str) else dump(result), "llm", why, False)
