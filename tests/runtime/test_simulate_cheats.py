"""Policies that do not do the work earn little in every task of the airline."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from simulated import judgement, open_world, simulator

from cm2.bundle import Bundle, open_spec
from cm2.judge import Judge, Question
from cm2.score import score_all
from cm2.simulate import Simulator, World
from cm2.trajectory import Call, Step, Trajectory, Turn
from cm2dsl import ir
from cm2dsl.reward.instance import Instance, instances
from cm2dsl.reward.verdict import Decision, Verdict

AIRLINE = Path(__file__).parents[2] / "specs" / "airline.cm2"


@pytest.fixture(scope="module")
def airline() -> Bundle:
    return open_spec(AIRLINE)


class Generous(Judge):
    """The judge that a cheat would like: it passes every reply that there is."""

    async def release(self) -> None:
        pass

    async def decide(self, question: Question) -> Decision:
        turns = question.trajectory.turns
        scope = turns if question.turn is None else turns[question.turn : question.turn + 1]
        said = any(step.reply for turn in scope for step in turn.steps)
        return judgement(question, Verdict.PASS if said else Verdict.INSUFFICIENT)


Policy = Callable[[World, str, str], "list[Step]"]
"""(world, the user's words, everything said so far) to the steps of a turn."""

REFUSAL = (
    "Sorry, no flights; sold out; it has the basic fare and cannot be changed or cannot be "
    "cancelled. 抱歉，没有航班，已售罄，是基础票，不能改签，不能取消。"
)
DONE = "Booked. It is moved to the day and is cancelled. 已预订，已改到，已取消。"
CITIES = {
    "Beijing|北京": "BJS",
    "Cairo|开罗": "CAI",
    "Delhi|德里": "DEL",
    "Lima|利马": "LIM",
    "Oslo|奥斯陆": "OSL",
    "Rome|罗马": "ROM",
    "Seoul|首尔": "SEL",
    "Tokyo|东京": "TYO",
}
MONTHS = {"May": 5, "June": 6, "July": 7, "August": 8}


def nothing(world: World, user: str, said: str) -> list[Step]:
    return [Step()]


def echo(world: World, user: str, said: str) -> list[Step]:
    return [Step(reply=user)]


def refuse(world: World, user: str, said: str) -> list[Step]:
    return [Step(reply=f"{said} {REFUSAL}")]


def promise(world: World, user: str, said: str) -> list[Step]:
    return [Step(reply=f"{said} {DONE}")]


def malformed(world: World, user: str, said: str) -> list[Step]:
    steps = call_all(world, user, said, ("search", "lookup"))
    return [*steps, Step(malformed=f"<tool_call>{user} {REFUSAL}")]


def everything(world: World, user: str, said: str) -> list[Step]:
    steps = call_all(world, user, said, ("search", "lookup", "book", "change", "cancel"))
    results = " ".join(call.result or "" for step in steps for call in step.calls)
    return [*steps, Step(reply=f"{said} {results} {DONE} {REFUSAL}")]


def look_and_refuse(world: World, user: str, said: str) -> list[Step]:
    return [*call_all(world, user, said, ("search", "lookup")), Step(reply=f"{said} {REFUSAL}")]


def call_all(world: World, user: str, said: str, tools: Sequence[str]) -> list[Step]:
    """One step for each call that the words give arguments for."""
    found = arguments(said)
    steps = []
    for tool in tools:
        for given in found.get(tool, []):
            answer = asyncio.run(world.call(tool, given))
            call = Call(f"c{len(steps)}", tool, given, "", answer.text)
            steps.append(Step(calls=(call,)))
    return steps


def arguments(said: str) -> dict[str, list[dict[str, str]]]:
    """What a cheat that understands every word could call."""
    cities = sorted(
        (match.start(), code)
        for names, code in CITIES.items()
        for match in re.finditer(names, said)
    )
    days = [f"{MONTHS[m]:02}-{d}" for m, d in re.findall(r"(May|June|July|August) (\d\d)", said)]
    days += [f"{int(m):02}-{d}" for m, d in re.findall(r"(\d)月(\d\d)日", said)]
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    if len(cities) >= 2 and days:
        route = {"origin": cities[0][1], "destination": cities[1][1]}
        found["search"].append({**route, "date": days[0]})
    for code in re.findall(r"(?<![A-Z0-9])[A-Z0-9]{6}(?![A-Z0-9])", said)[:1]:
        found["lookup"].append({"booking": code})
        found["cancel"].append({"booking": code})
        found["change"] += [{"booking": code, "date": day} for day in days]
    for flight in re.findall(r"KF\d{3}", said)[:1]:
        found["book"] += [{"flight": flight, "date": days[0], "fare": f} for f in ("basic", "flex")]
    return found


def play(policy: Policy, instance: Instance, worlds: Simulator) -> Trajectory:
    world = open_world(worlds, instance)
    turns: list[Turn] = []
    said = ""
    for turn in instance.task.turns:
        user = ir.fill(turn.user, instance.row)
        said = f"{said} {user}"
        steps = policy(world, user, said)
        said += " ".join(call.result or "" for step in steps for call in step.calls)
        turns.append(Turn(user, tuple(steps)))
    return Trajectory(policy.__name__, instance.id, tuple(turns))


CHEATS: dict[Policy, float] = {
    nothing: 0.0,
    echo: 0.0,
    refuse: 0.0,
    promise: 0.0,
    malformed: 0.35,
    everything: 0.56,
}
"""The most that each may earn in any one task, with the most generous judge."""


@pytest.mark.parametrize("policy", CHEATS, ids=lambda policy: policy.__name__)
@pytest.mark.parametrize("judged", [False, True], ids=["no judge", "generous judge"])
def test_a_policy_that_does_not_work_earns_little_in_every_airline_task(
    airline: Bundle, policy: Policy, judged: bool
) -> None:
    earned = earns(policy, airline, judged)
    print(policy.__name__, {task: round(reward, 2) for task, reward in earned.items()})
    assert max(earned.values()) <= CHEATS[policy], earned


def test_looking_up_and_always_refusing_is_paid_on_one_side_of_each_rule_only(
    airline: Bundle,
) -> None:
    earned = earns(look_and_refuse, airline, judged=False)
    assert earned["cancel_refused"] == earned["change_refused"] == 1.0
    assert earned["cancel_allowed"] < 0.2
    assert earned["change_allowed"] < 0.2
    assert earned["search_found"] < 0.3


def earns(policy: Policy, bundle: Bundle, judged: bool) -> dict[str, float]:
    """The mean reward by task, over the held-out rows."""
    worlds = simulator(bundle, replay=False)
    chosen = [instance for instance in instances(bundle.spec) if instance.split == "heldout"]
    played = [play(policy, instance, worlds) for instance in chosen]
    earned: dict[str, list[float]] = defaultdict(list)
    for scored in score_all(bundle, played, Generous() if judged else None):
        assert scored.reward is not None
        earned[scored.instance.task.name].append(scored.reward)
    return {task: sum(rewards) / len(rewards) for task, rewards in earned.items()}
