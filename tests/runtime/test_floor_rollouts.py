"""No policy that learnt nothing earns more in the runtime than lint said it would.

The policies are played anew here, as rollouts: through the policy's tokens, the gates and the
simulated tools. What lint plays is another thing (cm2dsl/floor), which sees no runtime.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rollout_doubles import Script, tiny_tokenizer
from simulated import judgement, open_world, recorded, simulator

from cm2.bundle import Bundle, compile_bundle, open_spec
from cm2.judge.judge import Judge
from cm2.judge.view import Question
from cm2.rollout.codec import Codec, write
from cm2.rollout.dialogue import Limits
from cm2.rollout.stage import Stage
from cm2.score import score
from cm2.simulate import Simulator
from cm2.trajectory import Call, Step, Trajectory, Turn
from cm2dsl import ir
from cm2dsl.diagnostic import CompileError
from cm2dsl.floor.arguments import arguments_for
from cm2dsl.floor.earn import Earned, floors
from cm2dsl.floor.policies import REPEATED
from cm2dsl.floor.scenes import spread
from cm2dsl.floor.sight import Sight
from cm2dsl.floor.words import recited
from cm2dsl.reward.instance import Instance, instances
from cm2dsl.reward.verdict import Decision, Verdict

SPECS = Path(__file__).parents[2] / "specs"
SHIPPED = ("airline", "tutor", "挂号")
ENOUGH = 1e-9


class Always(Judge):
    """A judge of one word."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__()
        self.verdict = verdict

    async def decide(self, question: Question) -> Decision:
        return judgement(question, self.verdict)

    async def release(self) -> None:
        pass


FAILS, PASSES = Always(Verdict.FAIL), Always(Verdict.PASS)


# --- the policies, as agents ------------------------------------------------------------------

Agent = Callable[[ir.Spec, Instance, str], "list[list[Step]]"]
"""What the agent may do in a turn of these words: one list of steps for each of its ways."""


def has_chinese(user: str) -> bool:
    return any("\u4e00" <= char <= "\u9fff" for char in user)


def nothing(spec: ir.Spec, instance: Instance, user: str) -> list[list[Step]]:
    return [[Step()]]


def echo(spec: ir.Spec, instance: Instance, user: str) -> list[list[Step]]:
    return [[Step(reply=user)]]


def refuse(spec: ir.Spec, instance: Instance, user: str) -> list[list[Step]]:
    sorry = "抱歉，这个我帮不了您。" if has_chinese(user) else "I'm sorry, I cannot help with that."
    return [[Step(reply=sorry)]]


def apologise(spec: ir.Spec, instance: Instance, user: str) -> list[list[Step]]:
    english, chinese = "I apologise for the inconvenience.", "非常抱歉，给您带来不便。"
    return [[Step(reply=chinese if has_chinese(user) else english)]]


def greet(spec: ir.Spec, instance: Instance, user: str) -> list[list[Step]]:
    english, chinese = "Hello! How can I help you today?", "您好！请问有什么可以帮您？"
    return [[Step(reply=chinese if has_chinese(user) else english)]]


def calling(tools: Sequence[ir.Tool], every: bool, user: str) -> list[Step]:
    steps = []
    for number, tool in enumerate(tools):
        given = arguments_for(tool, every)
        steps.append(Step(calls=(Call(f"c{number}", tool.name, given, json.dumps(given)),)))
    return [*steps, Step(reply="好的。" if has_chinese(user) else "OK.")]


def look(spec: ir.Spec, instance: Instance, user: str) -> list[list[Step]]:
    reads = [tool for tool in spec.tools if tool.effect != "write"]
    return [calling(reads, every, user) for every in (False, True)]


def call(spec: ir.Spec, instance: Instance, user: str) -> list[list[Step]]:
    return [calling(spec.tools, every, user) for every in (False, True)]


def repeat(spec: ir.Spec, instance: Instance, user: str) -> list[list[Step]]:
    wanted = Sight.of(instance.task).named(spec.tools) or [tool.name for tool in spec.tools[:1]]
    tools = [tool for tool in spec.tools if tool.name in wanted]
    return [calling([tool] * 7, False, user) for tool in tools[:REPEATED]] or [
        calling([], False, user)
    ]


def recite(spec: ir.Spec, instance: Instance, user: str) -> list[list[Step]]:
    task, row = instance.task, instance.row
    own = [turn.items for turn in task.turns if ir.fill(turn.user, row) == user]
    items = [item for group in own for item in group]
    return [[Step(reply=recited([*items, *task.items], task.rows, user))]]


INACTIVE: tuple[Agent, ...] = (nothing, echo, refuse, apologise, greet)
BLIND: tuple[Agent, ...] = (look, call, repeat, recite)


def said(bundle: Bundle) -> dict[tuple[str, str], Earned]:
    """What the floor says of every task and policy, over every row."""
    recordings = {
        task.reference: recorded(bundle, task)
        for task in bundle.spec.tasks
        if task.reference is not None
    }
    made = floors(bundle.spec, recordings, rows=None, passing=True)
    return {(one.task.name, each.policy.name): each for one in made for each in one.earned}


def assert_no_more(bundle: Bundle, played: Trajectory, earned: Earned) -> None:
    """The rewards of a dialogue are not above those that were said: with and without a judge."""
    rewards = [
        (score(bundle, played).reward, earned.unjudged),
        (score(bundle, played, FAILS).reward, earned.failed),
        (score(bundle, played, PASSES).reward, earned.passed),
    ]
    for reward, most in rewards:
        assert (reward or 0.0) <= (most or 0.0) + ENOUGH, (played, rewards)


# --- rollouts of shipped specs ----------------------------------------------------------------


@dataclass(frozen=True)
class Shipped:
    """A shipped spec, what its floor says, and where its rollouts are played."""

    bundle: Bundle
    earned: dict[tuple[str, str], Earned]
    codec: Codec
    stage: Stage


@pytest.fixture(scope="module", params=SHIPPED)
def shipped(request: pytest.FixtureRequest) -> Shipped:
    bundle = open_spec(SPECS / f"{request.param}.cm2", allow_python=True)
    codec = Codec(tiny_tokenizer(), system=bundle.spec.system)
    dialogues = [one for task in bundle.spec.tasks for one in recorded(bundle, task)]
    limits = Limits(steps=20, step_tokens=8_000, tokens=400_000)
    return Shipped(bundle, said(bundle), codec, Stage(bundle, codec, limits, dialogues))


def rolled_out(shipped: Shipped, instance: Instance, ways: Sequence[Sequence[Step]]) -> Trajectory:
    """The dialogue of an agent that takes these steps, turn by turn, as training plays it."""
    messages = [write(step) for steps in ways for step in steps]
    (played,) = shipped.stage.play([instance], Script(shipped.codec, [messages]), [[0]])
    assert played.rollout.stop != "max_step_tokens"
    assert played.rollout.fault is None
    return played.rollout.trajectory


@pytest.mark.parametrize("agent", [*INACTIVE, *BLIND], ids=lambda agent: agent.__name__)
def test_no_rollout_of_a_shipped_spec_earns_more_than_was_said(
    shipped: Shipped, agent: Agent
) -> None:
    bundle, earned = shipped.bundle, shipped.earned
    for task in bundle.spec.tasks:
        for row in spread(task.rows or (), 2):
            instance = Instance(f"{task.name}/{row.key}", task, row)
            users = [ir.fill(turn.user, row) for turn in task.turns]
            for ways in zip(*(agent(bundle.spec, instance, user) for user in users), strict=True):
                played = rolled_out(shipped, instance, ways)
                assert_no_more(bundle, played, earned[task.name, agent.__name__])


@pytest.mark.parametrize("agent", INACTIVE, ids=lambda agent: agent.__name__)
def test_no_row_of_a_shipped_spec_pays_inaction_more_than_was_said(
    shipped: Shipped, agent: Agent
) -> None:
    bundle, earned = shipped.bundle, shipped.earned
    for instance in instances(bundle.spec):
        users = [ir.fill(turn.user, instance.row) for turn in instance.task.turns]
        turns = tuple(Turn(user, tuple(agent(bundle.spec, instance, user)[0])) for user in users)
        played = Trajectory(agent.__name__, instance.id, turns)
        assert_no_more(bundle, played, earned[instance.task.name, agent.__name__])


# --- random specs -----------------------------------------------------------------------------

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "x-effect": effect,
            "parameters": {
                "type": "object",
                "properties": {"to": {"type": "string", "enum": ["Rome", "Oslo"]}, "n": number},
                "required": ["to"],
                "additionalProperties": False,
            },
        },
    }
    for name, effect in (("search", "read"), ("book", "write"), ("notes", "generic"))
    for number in [{"type": "integer"}]
]
ROWS = "id,to,word\nr1,Rome,sorry\nr2,Oslo,你好\nr3,Rome,help\n"
USERS = ["Book Rome, sorry", "{row.to} please", "取消去罗马的票", "No help? OK."]
ATOMS = [
    "called search",
    "called search(to == row.to)",
    "called book(n == 1, nothing else)",
    "called any write",
    "called * at_least 3 times",
    "called search at_most 1 time",
    "called notes exactly 0 times",
    "succeeded search",
    "failed book",
    "result search has error",
    "result search has n == 1",
    "called search before book",
    "replied",
    "reply contains row.to",
    'reply contains "{row.word}"',
    'reply contains "sorry"',
    "reply matches /(help|抱歉)/",
    "reply matches /^(Hello|您好)/",
    "reply mentions error of search",
    "user called *",
]


def random_check(rng: random.Random) -> str:
    parts = []
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        atom = rng.choice(ATOMS)
        parts.append(f"not {atom}" if rng.random() < 0.3 else atom)
    return rng.choice([" and ", " or "]).join(parts)


def random_items(rng: random.Random, known: list[str], scope: str) -> Iterator[str]:
    own: list[str] = []
    for number in range(rng.randint(1, 4)):
        kind = rng.choice(["item", "item", "always", "never", "at_end"])
        role = rng.choice(["", "", "", " veto", f" penalty {rng.choice([0.2, 0.5, 1])}"])
        weight = (
            f" weight {rng.choice([0.5, 1, 2, 3])}" if number == 0 or rng.random() < 0.5 else ""
        )
        choices = [*known, *own]
        after = f" after {rng.choice(choices)}" if choices and rng.random() < 0.3 else ""
        strict = " strict" if scope and rng.random() < 0.2 else ""
        checked = rng.random() < 0.85 or kind == "never"
        body = f"check {random_check(rng)}\n" if checked else ""
        body += 'ask "Is it so?"\n' if not checked or rng.random() < 0.2 else ""
        name = f"{scope}i{number}"
        yield f"{kind} {name}{weight}{after}{strict}{role} {{\n{body}}}"
        own.append(name)
        if kind == "item":
            known.append(f"{scope}.{name}" if scope else name)


def random_spec(rng: random.Random) -> str:
    parts = ["cm2 1", "domain d", 'tools "tools.json"', "simulate { replay }"]
    known: list[str] = []
    body = [f"assign {{ unreached {rng.choice(['zero', 'mask'])} }}"]
    if rng.random() < 0.2:
        body.append(f'user simulated "{rng.choice(USERS)}"')
        body += random_items(rng, known, "")
    else:
        for number in range(rng.randint(1, 3)):
            items = "\n".join(random_items(rng, known, f"t{number}"))
            body.append(f'turn t{number} {{\nuser "{rng.choice(USERS)}"\n{items}\n}}')
        if rng.random() < 0.3:
            body += random_items(rng, known, "")
    inner = "\n".join(body)
    return "\n".join([*parts, f'task t each row in "rows.csv" {{\n{inner}\n}}\n'])


def dialogue(
    bundle: Bundle, instance: Instance, ways: Sequence[Sequence[Step]], worlds: Simulator
) -> Trajectory:
    """The dialogue of an agent that takes these steps, with the world's answers."""
    world = open_world(worlds, instance)
    turns = []
    for user, steps in zip(users_of(instance, len(ways)), ways, strict=True):
        answered = []
        for step in steps:
            calls = tuple(
                Call(one.id, one.tool, one.arguments, one.raw, text)
                for one in step.calls
                for text in [asyncio.run(world.call(one.tool, one.arguments)).text]
            )
            answered.append(Step(reply=step.reply, calls=calls))
        turns.append(Turn(user, tuple(answered)))
    return Trajectory("d", instance.id, tuple(turns))


def users_of(instance: Instance, turns: int) -> list[str]:
    task = instance.task
    if task.simulated is not None:
        return [ir.fill(task.simulated, instance.row)] * turns
    return [ir.fill(turn.user, instance.row) for turn in task.turns]


def spec_of(seed: int, folder: Path) -> Bundle | None:
    """A random spec with three rows, compiled; None where it has a fault."""
    (folder / "tools.json").write_text(json.dumps(TOOLS), "utf-8")
    (folder / "rows.csv").write_text(ROWS, "utf-8")
    (folder / "spec.cm2").write_text(random_spec(random.Random(seed)), "utf-8")
    try:
        return compile_bundle(folder / "spec.cm2", folder / f"bundle{seed}")
    except CompileError:
        return None


def test_random_specs_compile_mostly_and_pay_mostly(tmp_path: Path) -> None:
    bundles = [spec_of(seed, tmp_path) for seed in range(60)]
    made = [said(bundle) for bundle in bundles if bundle is not None]
    assert len(made) > 40
    for names in ({"nothing"}, {"echo", "refuse"}, {"look", "call"}, {"recite"}):
        paid = [
            any(one.floor > 0 for (_, name), one in each.items() if name in names) for each in made
        ]
        assert 0.2 < sum(paid) / len(paid) < 1.0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**40), st.integers(1, 5))
def test_no_dialogue_of_a_random_spec_earns_more_than_was_said(
    tmp_path_factory: pytest.TempPathFactory, seed: int, turns: int
) -> None:
    bundle = spec_of(seed, tmp_path_factory.mktemp("random"))
    if bundle is None:
        return
    earned = said(bundle)
    worlds = simulator(bundle, replay=True)
    for instance in instances(bundle.spec):
        users = users_of(instance, turns)
        for agent in (*INACTIVE, *BLIND):
            most = earned["t", agent.__name__]
            acts = [agent(bundle.spec, instance, user) for user in users]
            for ways in zip(*acts, strict=True):
                assert_no_more(bundle, dialogue(bundle, instance, ways, worlds), most)
        # No message at all, in some turns or in every one: nothing holds there. Where turns that a
        # gate keeps away are left out of the mean, to miss a gate may pay: then in every one.
        most = earned["t", "nothing"].floor
        for some in (2, 1) if instance.task.assign.unreached == "zero" else (1,):
            ways = [[Step()] if number % some else [] for number in range(len(users))]
            played = dialogue(bundle, instance, ways, worlds)
            for judge in (None, FAILS):
                assert (score(bundle, played, judge).reward or 0.0) <= most + ENOUGH
