"""Faults of a judge's server mask and change nothing else: a real one, half its calls broken."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from judge_server import Request, Response, Server, completion, refusing_port, saying
from judged import verdict

from cm2.bundle import Bundle, open_spec
from cm2.judge import Context, Judge, open_judge
from cm2.judge.ledger import Ledger
from cm2.score import score_judged
from cm2.trajectory import Step, Trajectory, Turn
from cm2dsl import prompts
from cm2dsl.reward.card import Scored
from cm2dsl.reward.credit import Level, assign
from cm2dsl.reward.verdict import Verdict

SPEC = """cm2 1 domain d tools "tools.json"
judge {{ votes {votes} }}
assign {{ level step }}
task t {{
  turn first {{ user "go"
    item a weight 2 {{ ask "Is it a?" }}
    item b after a {{ ask "Is it b?" }}
    item long {{ check reply contains "7" }}
    at_end c penalty 0.5 {{ ask "Is it c?" }}
  }}
  turn second {{ user "on"
    item d {{ ask "Is it d?" }}
    item e strict {{ ask "Is it e?" }}
  }}
  turn third {{ user "and" item f {{ ask "Is it f?" }} }}
  item whole {{ ask "Is it whole?" }}
}}"""
ROLLOUTS = 10
BOUND = 60.0
"""Seconds that no run takes, whatever its server does."""

FAULTS = {
    "drop": Response(0),
    "limited": Response(429, {"error": {"message": "slow down"}}, {"retry-after": "0"}),
    "broken": Response(500, {"error": {"message": "out of luck"}}),
    "hang": Response(body=completion("late"), delay=30.0),
    "cut": Response(body=completion(verdict("pass")), cut=60),
    "off": saying('{"verdict": "pass", "reason": "off", "evidence": "none"}'),
}
TROUBLES = {
    "drop": "outage",
    "limited": "limited",
    "broken": "outage",
    "hang": "timeout",
    "cut": "outage",
    "off": "off_schema",
}


def draw(*said: object) -> float:
    """A number of [0, 1) that follows from what is said."""
    digest = hashlib.sha256(json.dumps(said).encode()).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48)


def honest(request: Request) -> Response:
    """What the model says: a verdict with a quote that is there, by the request alone."""
    told = (request.user, request.body["seed"])
    there = re.findall(r"(t\d+\.s\d+\.reply) says (\d+)", request.user)
    name, number = there[int(draw(*told, "place") * len(there))]
    odds = draw(*told)
    kind = "pass" if odds < 0.7 else "fail" if odds < 0.9 else "insufficient"
    said = json.loads(verdict(kind, (name, f"{name} says {number}"), reason=f"{odds}"))
    if "step" in request.body["response_format"]["json_schema"]["schema"]["properties"]:
        said["step"] = name.removesuffix(".reply") if kind == "pass" else "none"
    return saying(json.dumps(said))


class Faulty:
    """A server's replies of which half are faults, and which."""

    def __init__(self, seed: int, share: float = 0.5, kinds: Sequence[str] = (*FAULTS,)) -> None:
        self._seed, self._share, self._kinds = seed, share, kinds
        self.made: Counter[str] = Counter()

    def __call__(self, request: Request) -> Response:
        told = [self._seed, request.user, request.body["seed"], request.number]
        if draw(*told, "fault") >= self._share:
            return honest(request)
        kind = self._kinds[int(draw(*told, "kind") * len(self._kinds))]
        self.made[kind] += 1
        return FAULTS[kind]


def bundle_of(folder: Path, votes: int) -> Bundle:
    (folder / "tools.json").write_text(json.dumps([{"name": "search", "parameters": {}}]))
    (folder / "spec.cm2").write_text(SPEC.format(votes=votes))
    return open_spec(folder / "spec.cm2")


def rollouts(seed: int) -> list[Trajectory]:
    def step(rollout: int, turn: int, number: int) -> Step:
        said = int(draw(seed, rollout, turn, number) * 100_000)
        return Step(reply=f"t{turn}.s{number}.reply says {said}")

    return [
        Trajectory(
            f"r{n}",
            "t",
            tuple(
                Turn(user, tuple(step(n, t, s) for s in range(3)))
                for t, user in enumerate(("go", "on", "and"))
            ),
        )
        for n in range(ROLLOUTS)
    ]


def judge_at(*urls: str, **settings: Any) -> Judge:
    said = {"engine": "openai", "model": "m", "urls": [*urls], "backoff": 0.001, "concurrency": 16}
    return open_judge(said | settings, Context(prompts.files()))


def scored(bundle: Bundle, judge: Judge, seed: int) -> list[Scored]:
    async def bounded() -> list[Scored]:
        async with asyncio.timeout(BOUND):
            return await score_judged(bundle, rollouts(seed), judge)

    return judge.run(bounded())


def numbers(group: list[Scored], level: Level, scale: str) -> list[Any]:
    """Rewards and advantages of a group, exactly."""
    credits = assign(group[0].task, [one.verdicts for one in group], level=level, scale=scale)  # type: ignore[arg-type]
    return [
        (one.reward, one.turn_rewards, credit.reward, credit.turn_rewards, credit.advantages)
        for one, credit in zip(group, credits, strict=True)
    ]


def essence(one: Scored) -> dict[str, Any]:
    """What credit is made of: the verdict, and since when it holds."""
    return {name: (decision.verdict, decision.step) for name, decision in one.decisions.items()}


def broke(one: Scored) -> bool:
    return any(decision.verdict is Verdict.ERROR for decision in one.decisions.values())


@pytest.mark.slow
@pytest.mark.parametrize("votes", [1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_what_faults_did_not_touch_is_what_it_would_have_been_without_them(
    tmp_path: Path, seed: int, votes: int
) -> None:
    bundle = bundle_of(tmp_path, votes)
    with Server(honest) as server, judge_at(server.url, deadline=30.0) as judge:
        clean = scored(bundle, judge, seed)
        assert not judge.ledger.total.troubles
    assert not any(map(broke, clean))
    faulty = Faulty(seed)
    dead = f"http://127.0.0.1:{refusing_port()}/v1"
    start = monotonic()
    with Server(faulty) as server, judge_at(server.url, dead, deadline=0.8, tries=5) as judge:
        shaken = scored(bundle, judge, seed)
        ledger = judge.ledger
    assert monotonic() - start < BOUND
    assert len(faulty.made) == len(FAULTS)

    untouched = [n for n, one in enumerate(shaken) if not broke(one)]
    assert 0 < len(untouched) < ROLLOUTS, "a seed at which nothing can be seen"
    for n, one in enumerate(shaken):
        if broke(one):
            assert one.reward is None
        else:
            assert essence(one) == essence(clean[n])
    for level in ("trajectory", "turn", "step"):
        for scale in ("none", "std"):
            with_faults = numbers(shaken, level, scale)
            without = numbers([clean[n] for n in untouched], level, scale)
            assert [with_faults[n] for n in untouched] == without
            for n in {*range(ROLLOUTS)} - {*untouched}:
                advantages = with_faults[n][-1]
                assert all(number == 0.0 for turn in advantages for number in turn)
    check_ledger(ledger, faulty, shaken)


def check_ledger(ledger: Ledger, faulty: Faulty, shaken: list[Scored]) -> None:
    """The summary says what failed, by cause, and for which items."""
    made: Counter[str] = Counter()
    for kind, count in faulty.made.items():
        made[TROUBLES[kind]] += count
    troubles = Counter(ledger.total.troubles)
    assert troubles.pop("refused", 0) > 0  # of the server that is not there
    late = troubles.pop("timeout") - made.pop("timeout")
    assert troubles <= made
    assert late >= (made - troubles).total()  # a machine that is slow itself made them late
    for one in shaken:
        for name, decision in one.decisions.items():
            if decision.verdict is Verdict.ERROR and decision.by == "judge":
                assert ledger.items[f"t.{name}"].troubles
                assert decision.reason


def test_a_server_of_which_every_call_is_broken_masks_all_and_ends(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, 1)
    start = monotonic()
    faulty = Faulty(0, 1.0, [kind for kind in FAULTS if kind != "off"])
    with Server(faulty) as server, judge_at(server.url, deadline=0.2, tries=2) as judge:
        found = scored(bundle, judge, 0)
        total = judge.ledger.total
    assert monotonic() - start < BOUND
    assert [one.reward for one in found] == [None] * ROLLOUTS
    assert sum(total.troubles.values()) == total.calls
    for *_, advantages in numbers(found, "step", "none"):
        assert {number for turn in advantages for number in turn} <= {0.0}
