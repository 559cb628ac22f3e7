"""Training with a judge: what it is asked while rollouts go on, and what its failures leave out."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from judge_models import byte_level, save
from judge_server import ON_SCHEMA, Response, Server
from judged import judge_of, verdict
from rollout_doubles import BACKEND, TOOLS, Script, tiny_tokenizer, tool_call

from cm2.bundle import Bundle, compile_bundle
from cm2.judge import Answer, Answered, EngineError, Failed, Prompt, load_judge
from cm2.rollout.codec import Codec
from cm2.rollout.dialogue import Limits
from cm2.rollout.report import record, summarise
from cm2.rollout.stage import Played, Stage
from cm2.train.config import Config, Credit, Tiny
from cm2.train.credit import assigned, group_credit
from cm2.train.run import train
from cm2.train.split import split
from cm2.train.tiny import build_model
from cm2dsl.reward.instance import instances
from cm2dsl.reward.verdict import Verdict

WAIT = 20.0
"""Seconds after which what should have happened meanwhile has not."""

SPEC = """\
cm2 1

domain desk "A service desk"
tools "desk.tools.json"
system "desk.system.md"
simulate { python "desk_backend.py" }

task serve "Look up, then cancel" each row in "rows.csv" split by split {
  turn find {
    user "Look up {row.booking}."
    item looks_up { check called lookup(booking == row.booking) }
    item kind { ask "Is the first reply kind?" }
    item greets strict { ask "Does the first reply greet?" }
  }
  turn act {
    user "Cancel it."
    item cancels { check called cancel(booking == row.booking) }
    item sorry { ask "Is the second reply sorry?" }
  }
}
"""
LOOK_UP = tool_call("lookup", booking="AB12")
CANCEL = tool_call("cancel", booking="AB12")


def desk(folder: Path, spec: str = SPEC) -> Bundle:
    files = {
        "desk.cm2": spec,
        "desk.tools.json": TOOLS,
        "desk.system.md": "Be brief.\n",
        "desk_backend.py": BACKEND,
        "rows.csv": "id,booking,split\nr0,AB12,train\nr1,CD34,heldout\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    bundle = compile_bundle(folder / "desk.cm2", folder / "bundle")
    return replace(bundle, allow_python=True)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def loose(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same without a gate."""
    return desk(tmp_path_factory.mktemp("loose"), SPEC.replace("greets strict", "greets"))


def asked(prompt: Prompt) -> str:
    """The item that a prompt is about."""
    questions = {"kind?": "kind", "greet?": "greets", "sorry?": "sorry"}
    return next(name for end, name in questions.items() if end in prompt.user)


class Engine:
    """Answers with what `reply` returns, which may wait; counts what was asked and withdrawn."""

    identity = "engine"
    control_tokens = ()

    def __init__(self, reply: Callable[[str, Prompt], Any]) -> None:
        self._reply = reply
        self.asked: list[str] = []
        self.withdrawn: list[str] = []

    async def answer(self, prompt: Prompt) -> Answer:
        item = asked(prompt)
        self.asked.append(item)
        try:
            found = await self._reply(item, prompt)
        except asyncio.CancelledError:
            self.withdrawn.append(item)
            raise
        return Answered(found) if isinstance(found, str) else found

    async def close(self) -> None:
        pass


def says(kind: str, item: str) -> str:
    return verdict(kind, ("t1.user" if item == "sorry" else "t0.user", "it"))


async def passes(item: str, prompt: Prompt) -> str:
    return verdict("pass", ("t0.user", "Look up AB12."))


def play(
    bundle: Bundle, scripts: Sequence[Sequence[str]], engine: Any, before: Any = lambda number: None
) -> tuple[list[Played], Script]:
    codec = Codec(tiny_tokenizer(), system=bundle.spec.system)
    script = Script(codec, scripts, before)
    with judge_of(engine, bundle.prompts) as judge:
        limits = Limits(steps=4, step_tokens=64, tokens=1024)
        stage = Stage(bundle, codec, limits, [], judge)
        row = instances(bundle.spec)[0]
        keys = [(0, i) for i in range(len(scripts))]
        return stage.play([row] * len(scripts), script, keys), script


def meanwhile(event: threading.Event) -> Any:
    """Waits, in a thread, for what should happen while it does."""
    return asyncio.to_thread(event.wait, WAIT)


def test_a_turn_is_judged_while_the_next_is_played(loose: Bundle) -> None:
    second_turn = threading.Event()

    async def reply(item: str, prompt: Prompt) -> str:
        assert item == "sorry" or await meanwhile(second_turn)
        return await passes(item, prompt)

    def before(number: int) -> None:
        if number == 1:
            second_turn.set()

    engine = Engine(reply)
    (one,), _ = play(loose, [["hello", "done"]], engine, before)
    assert engine.asked == ["kind", "greets", "sorry"]
    assert one.scored.decisions["find.kind"].verdict is Verdict.PASS
    assert one.scored.reward == pytest.approx(0.5 * (2 / 3) + 0.5 * 0.5)


SHORT_AND_LONG = [["hello", CANCEL, "done"], [LOOK_UP, LOOK_UP, "hello AB12", "done"]]


@pytest.mark.parametrize("slow", ["greets", ""])
def test_a_gate_holds_its_own_dialogue_up_and_no_other(bundle: Bundle, slow: str) -> None:
    long_one_ends = threading.Event()

    async def reply(item: str, prompt: Prompt) -> str:
        # Only the short dialogue's reply is `hello` alone; its gate opens late.
        if item == slow and "hello AB12" not in prompt.user:
            assert await meanwhile(long_one_ends)
        return await passes(item, prompt)

    def before(number: int) -> None:
        if number == 4:
            long_one_ends.set()

    played, script = play(bundle, SHORT_AND_LONG, Engine(reply), before)
    assert not slow or script.said == [0, 1, 1, 1, 1, 0, 0]
    assert [one.rollout.stop for one in played] == ["done", "done"]


def test_a_run_at_step_level_asks_for_the_step_though_the_spec_does_not(loose: Bundle) -> None:
    shapes: list[object] = []

    async def reply(item: str, prompt: Prompt) -> Answer:
        shapes.append(prompt.shape)
        return Failed("timeout", "enough is known")

    play(loose, [["hello", "done"]], Engine(reply))
    play(assigned(loose, Credit(level="step")), [["hello", "done"]], Engine(reply))
    assert set(shapes[: len(shapes) // 2]) == {"verdict"}
    assert set(shapes[len(shapes) // 2 :]) == {"dated"}


def test_the_last_turn_is_judged_while_other_rollouts_go_on(loose: Bundle) -> None:
    last = threading.Event()

    async def reply(item: str, prompt: Prompt) -> str:
        if item == "sorry" and "hello AB12" not in prompt.user:
            assert await meanwhile(last)
        return await passes(item, prompt)

    def before(number: int) -> None:
        if number == 4:
            last.set()

    played, _ = play(loose, [["hello", "done"], SHORT_AND_LONG[1]], Engine(reply), before)
    assert all(one.scored.reward is not None for one in played)


def test_a_gate_that_the_judge_closes_ends_the_dialogue(bundle: Bundle) -> None:
    async def reply(item: str, prompt: Prompt) -> str:
        return verdict("fail") if item == "greets" else await passes(item, prompt)

    (one,), script = play(bundle, [["no", "done"]], Engine(reply))
    assert (one.rollout.stop, one.rollout.fault) == ("strict", None)
    assert script.said == [0]
    assert one.scored.turn_rewards == [pytest.approx(1 / 3), 0.0]


def broken(*items: str, word: str) -> Callable[[str, Prompt], Any]:
    """Fails on these items where a dialogue holds a word, and passes the rest."""

    async def reply(item: str, prompt: Prompt) -> Any:
        if word in prompt.user and item in items:
            return Failed("no connection", "refused")
        return await passes(item, prompt)

    return reply


GROUP = [["hello", CANCEL, "done"], ["hallo", "done"], [LOOK_UP, "hello AB12", "done"]]


@pytest.mark.parametrize("level", ["trajectory", "turn", "step"])
def test_a_judge_that_fails_masks_its_rollout_and_leaves_the_others_as_if_it_were_not_there(
    loose: Bundle, level: Any
) -> None:
    played, _ = play(loose, GROUP, Engine(broken("kind", word="hallo")))
    assert [one.masked for one in played] == [False, True, False]
    credits = group_credit(played, Credit(level=level))
    without, _ = play(loose, [GROUP[0], GROUP[2]], Engine(passes))
    kept = group_credit(without, Credit(level=level))
    assert [credits[0].advantages, credits[2].advantages] == [one.advantages for one in kept]
    assert any(any(turn) for turn in credits[0].advantages)
    assert (credits[1].reward, credits[1].advantages) == (None, [[0.0], [0.0]])


def test_what_else_is_asked_of_a_masked_rollout_is_withdrawn(loose: Bundle) -> None:
    async def reply(item: str, prompt: Prompt) -> Any:
        if item == "kind":
            await asyncio.sleep(0)
            return Failed("no connection", "refused")
        return await asyncio.sleep(WAIT)

    engine = Engine(reply)
    (one,), _ = play(loose, [["hello", CANCEL, "done"]], engine)
    assert engine.withdrawn == ["greets"]
    assert "sorry" not in engine.asked
    assert one.masked
    assert one.scored.turn_rewards == [None, None]
    assert {name: decision.by for name, decision in one.scored.decisions.items()} == {
        "find.looks_up": "check",
        "find.kind": "judge",
        "find.greets": "masked",
        "act.cancels": "check",
        "act.sorry": "masked",
    }


def test_an_error_on_a_gate_ends_the_dialogue_and_says_why(bundle: Bundle) -> None:
    played, script = play(bundle, GROUP, Engine(broken("greets", word="hallo")))
    one = played[1]
    assert (one.rollout.stop, one.rollout.fault) == ("judge_failure", "no connection")
    assert len(one.rollout.trajectory.turns) == 1
    assert script.said.count(1) == 1
    assert [each.masked for each in played] == [False, True, False]
    assert record(one, "train", 1)["fault"] == "no connection"


def test_a_tool_that_breaks_withdraws_what_the_judge_is_asked(loose: Bundle) -> None:
    async def reply(item: str, prompt: Prompt) -> Any:
        return await asyncio.sleep(WAIT)

    engine = Engine(reply)
    down = tool_call("lookup", booking="BROKEN")
    (one,), _ = play(loose, [["hello", down]], engine)
    assert one.rollout.stop == "tool_failure"
    assert sorted(engine.withdrawn) == ["greets", "kind"]
    assert one.masked


def test_an_engine_that_can_decide_nothing_ends_the_run(loose: Bundle) -> None:
    async def reply(item: str, prompt: Prompt) -> Any:
        if item == "kind":
            raise EngineError("the key is wrong", "set KEY")
        return await asyncio.sleep(WAIT)

    with pytest.raises(EngineError, match="the key is wrong; set KEY"):
        play(loose, [["hello", "done"]] * 2, Engine(reply))


def test_a_summary_counts_verdicts_and_says_who_masked(loose: Bundle) -> None:
    async def reply(item: str, prompt: Prompt) -> Any:
        if item == "sorry":
            return verdict("insufficient")
        return await broken("kind", word="hallo")(item, prompt)

    down = tool_call("lookup", booking="BROKEN")
    played, _ = play(loose, [*GROUP, [down]], Engine(reply))
    shown = summarise(played)
    assert shown["masked"] == 2
    assert shown["masked_by"] == {"tool": 1, "policy": 0, "user": 0, "judge": 1}
    given = [
        decision.verdict
        for one in played
        for decision in one.scored.decisions.values()
        if decision.by == "judge"
    ]
    assert shown["verdicts"] == {
        "judged": len(given),
        "insufficient": round(given.count(Verdict.INSUFFICIENT) / len(given), 4),
        "errors": round(1 / len(given), 4),
    }
    assert given.count(Verdict.INSUFFICIENT) == 2


def test_with_a_judge_a_task_of_asks_alone_is_trained_on(tmp_path: Path) -> None:
    asks = SPEC.replace("check called lookup(booking == row.booking)", 'ask "?"')
    asks = asks.replace("check called cancel(booking == row.booking)", 'ask "?"')
    training, heldout = split(desk(tmp_path, asks), judged=True)
    assert [one.id for one in training] == ["serve/r0"]
    assert [one.id for one in heldout] == ["serve/r1"]


# --- whole runs -----------------------------------------------------------------------------------

SHORT = Config(
    steps=3,
    group=4,
    groups=1,
    micro_batch=4,
    samples=3,
    limits=Limits(steps=2, step_tokens=24, tokens=512),
    checkpoint_every=2,
)


def lines(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy of random weights, in a transformers directory."""
    folder, tokenizer = tmp_path_factory.mktemp("policy"), tiny_tokenizer()
    build_model(tokenizer, Tiny(hidden=16), positions=512, seed=0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("judge"), byte_level(), context=32_768)


@pytest.fixture(scope="module")
def config(policy: Path, model: Path) -> Config:
    settings = {"engine": "transformers", "model": str(model)}
    return replace(SHORT, model=str(policy), judge=settings)


@pytest.fixture(scope="module")
def run(
    loose: Bundle, model: Path, config: Config, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    with load_judge(model, files=loose.prompts) as judge:
        train(loose, config, out, judge)
    return out


@pytest.mark.slow
def test_a_run_with_a_judge_says_what_it_decided_and_what_that_took(run: Path, model: Path) -> None:
    said = json.loads((run / "config.json").read_text("utf-8"))
    assert said["judge"] == {"engine": "transformers", "model": str(model)}
    metrics = lines(run / "metrics.jsonl")
    assert [line["step"] for line in metrics] == [1, 2, 3]
    for line in metrics:
        assert {"calls", "prompt", "output", "seconds", "troubles"} <= line["judge"].keys()
        assert sum(line["masked_by"].values()) == line["masked"]
    before, after, summary = (
        json.loads((run / f"{name}.json").read_text("utf-8"))
        for name in ("before", "after", "summary")
    )
    for name in ("calls", "output"):
        parts = [each["judge"][name] for each in (before, *metrics, after)]
        assert summary["judge"][name] == sum(parts) > 0
    assert before["judge"]["calls"] > 0
    assert before["verdicts"]["judged"] > 0
    judged = [
        item
        for line in lines(run / "rollouts.jsonl")
        for item in line["items"].values()
        if item["by"] == "judge"
    ]
    assert judged
    assert all(item["verdict"] in ("pass", "fail", "insufficient", "error") for item in judged)


@pytest.mark.slow
def test_an_engine_that_breaks_in_a_run_leaves_a_checkpoint_from_which_it_goes_on(
    loose: Bundle,
    model: Path,
    config: Config,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "run"
    played = Stage.play

    def breaks(self: Stage, rows: Any, generator: Any, keys: Any) -> Any:
        if keys[0][1] == 3:
            raise EngineError("the server is gone", "start it")
        return played(self, rows, generator, keys)

    with monkeypatch.context() as patch, load_judge(model, files=loose.prompts) as judge:
        patch.setattr(Stage, "play", breaks)
        with pytest.raises(EngineError):
            train(loose, config, out, judge)
    assert [path.name for path in out.glob("checkpoints/checkpoint-*")] == ["checkpoint-2"]
    with load_judge(model, files=loose.prompts) as judge:
        train(loose, config, out, judge)

    def shown(folder: Path) -> list[tuple[Any, ...]]:
        return [
            (line["step"], line["reward"], line["tokens"], line.get("verdicts"))
            for line in lines(folder / "metrics.jsonl")
        ]

    assert shown(out) == shown(run)


@pytest.mark.slow
def test_the_command_names_an_engine_that_cannot_judge_and_how_to_go_on(
    policy: Path, tmp_path: Path
) -> None:
    desk(tmp_path)
    with Server(lambda _: Response(401, {"error": {"message": "no such key"}})) as server:
        settings = tmp_path / "judge.toml"
        settings.write_text(f'engine = "openai"\nmodel = "m"\nurls = ["{server.url}"]\n', "utf-8")
        out = tmp_path / "run"
        options = [
            "--model",
            policy,
            "--judge",
            settings,
            "--steps",
            1,
            "--group",
            2,
            "--groups",
            1,
        ]
        options += ["--out", out]
        command = [tmp_path / "desk.cm2", "--allow-python", *options]
        done = subprocess.run(
            [sys.executable, "-c", "from cm2.cli import main; main()", "train", *map(str, command)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "error: " in done.stderr
    assert f"give the same command with --out {out} to go on" in done.stderr
    config = json.loads((out / "config.json").read_text("utf-8"))
    assert config["judge"]["urls"] == [server.url]


@pytest.mark.slow
def test_a_server_that_is_gone_stops_a_run_that_goes_on_when_it_is_back(
    policy: Path, tmp_path: Path
) -> None:
    desk(tmp_path)
    out, back = tmp_path / "run", False

    def reply(_: Any) -> Response:
        log = out / "metrics.jsonl"
        gone = not back and log.exists() and log.read_bytes().count(b"\n") > 1
        return Response(500) if gone else ON_SCHEMA

    with Server(reply) as server:
        settings = f'engine = "openai"\nmodel = "m"\nurls = ["{server.url}"]\ntries = 1\n'
        (tmp_path / "judge.toml").write_text(settings, "utf-8")
        command = [
            *(sys.executable, "-m", "cm2", "train", str(tmp_path / "desk.cm2"), "--allow-python"),
            *("--model", str(policy), "--judge", str(tmp_path / "judge.toml"), "--out", str(out)),
            *("--steps", "8", "--group", "2", "--groups", "1"),
            *("--set", "limits.steps=2", "--set", "limits.step_tokens=24"),
        ]

        def run() -> subprocess.CompletedProcess[str]:
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            return subprocess.run(
                command, capture_output=True, text=True, timeout=300, env=environment
            )

        first = run()
        assert first.returncode == 1, first.stderr
        assert "error: 3 steps in a row had no rollout that counts: the judge broke on 2 (" in (
            first.stderr
        )
        assert f"give the same command with --out {out} to go on" in first.stderr
        assert "reward=–" in first.stderr
        assert [line["masked"] for line in lines(out / "metrics.jsonl")] == [0, 0, 2, 2]
        back = True
        second = run()
    assert second.returncode == 0, second.stderr
    assert [line["masked"] for line in lines(out / "metrics.jsonl")] == [0] * 8
