"""Facts about runs whose rollouts come from a server: a real one on loopback, with a real model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from judge_server import refusing_port
from moved_weights import TOKENS, gaps, short_run
from rollout_doubles import desk, tiny_tokenizer
from training_server import HttpSyncer, TrainingServer

from cm2.commands.train import command
from cm2.judge.engine import EngineError
from cm2.train.config import Config, Generation, Lora, Tiny, Validation
from cm2.train.folder import RunError
from cm2.train.generation import TrlSyncer
from cm2.train.run import train
from cm2.train.tiny import build_model
from cm2.train.vllm import see_server, see_weights_taken


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Any:
    rows = ("AB12", "CD34", "EF56", "GH78")
    return desk(tmp_path_factory.mktemp("desk"), rows, heldout=2)


@pytest.fixture(scope="module")
def model() -> Any:
    torch.set_num_threads(1)
    tiny = Tiny(hidden=16, spread=0.2)
    return build_model(tiny_tokenizer(), tiny, positions=TOKENS, seed=1).eval()


@pytest.fixture(scope="module")
def folder(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model as the run finds it, where the server has it in memory."""
    path = tmp_path_factory.mktemp("models") / "tiny"
    model.save_pretrained(path)
    tiny_tokenizer().save_pretrained(path)
    return path


@pytest.fixture
def server(model: Any, folder: Path) -> Any:
    """It starts with other weights than the run's, which it must be given before anything."""
    other = deepcopy(model)
    with torch.no_grad():
        for weight in other.parameters():
            weight.mul_(0.5)
    with TrainingServer(other, {"id": str(folder), "max_model_len": TOKENS}) as one:
        yield one


def config(server: TrainingServer | None, folder: Path, **changes: Any) -> Config:
    url = "http://127.0.0.1:9" if server is None else server.root
    return short_run(folder, Generation(backend="server", url=url), **changes)


@pytest.mark.parametrize("lora", [None, Lora(rank=4, alpha=16.0)], ids=["weights", "adapter"])
def test_rollouts_come_from_the_server_with_the_weights_of_the_step(
    bundle: Any,
    server: TrainingServer,
    folder: Path,
    lora: Lora | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = gaps(monkeypatch)
    told = config(server, folder, lora=lora, steps=3)
    summary = train(bundle, told, tmp_path / "run", syncer=HttpSyncer(server))
    assert len(seen) == 3
    assert all(gap < 1e-4 and tokens >= 4 for gap, tokens in seen), seen
    asked = [word for word in server.log if not word.startswith("/")]
    # Before, three steps, after: each time the weights, then oblivion, then rollouts.
    rounds = " ".join(asked).split("weights")[1:]
    assert len(rounds) == 5
    assert all(one.split()[:2] == ["forget", "sample"] for one in rounds)
    assert asked[0] == "weights"
    assert summary["before"]["masked"] == summary["after"]["masked"] == 0
    first, *later = server.sums  # those of the evaluation are the first step's
    assert later[0] == first
    assert len({*later}) == 4


def test_without_the_weights_of_the_step_the_log_probabilities_would_tell(
    bundle: Any,
    server: TrainingServer,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = gaps(monkeypatch)
    lossy = HttpSyncer(server)
    lossy.lost = True
    train(bundle, config(server, folder, steps=1), tmp_path / "run", syncer=lossy)
    assert seen[0][0] > 1e-2


def test_validation_and_the_best_policy_are_played_with_their_own_weights(
    bundle: Any, server: TrainingServer, folder: Path, tmp_path: Path
) -> None:
    told = config(server, folder, validation=Validation(every=1, samples=1))
    train(bundle, told, tmp_path / "run", syncer=HttpSyncer(server))
    rounds = " ".join(word for word in server.log if not word.startswith("/")).split("weights")
    assert len(rounds) - 1 == 1 + 2 + 2 + 1
    from transformers import AutoModelForCausalLM

    kept = AutoModelForCausalLM.from_pretrained(tmp_path / "run" / "model").state_dict()
    now = server.model.state_dict()
    assert all(torch.equal(kept[name], now[name]) for name in kept)


def test_a_run_goes_on_where_its_server_went_away(
    bundle: Any, server: TrainingServer, folder: Path, tmp_path: Path
) -> None:
    class Broken(HttpSyncer):
        left = 2

        def sync(self, trainer: Any) -> None:
            self.left -= 1
            if self.left < 0:
                raise ConnectionError("connection refused")
            super().sync(trainer)

    told = config(server, folder, checkpoint_every=1)
    with pytest.raises(EngineError, match="the server did not take the weights: ConnectionError"):
        train(bundle, told, tmp_path / "run", syncer=Broken(server))
    train(bundle, told, tmp_path / "run", syncer=HttpSyncer(server))
    lines = (tmp_path / "run" / "metrics.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]
    assert "weights" in json.loads(lines[0])["phases"]


@pytest.mark.long
def test_two_processes_sample_from_one_server_when_the_first_has_given_it_the_weights(
    server: TrainingServer, folder: Path, tmp_path: Path
) -> None:
    rows = ("AB12", "CD34", "EF56", "GH78")
    bundle = desk(tmp_path, rows, heldout=2)
    script = Path(__file__).with_name("served_rank.py")
    launcher = ["torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [sys.executable, "-m", *launcher, script, server.root, bundle.path, folder, tmp_path / "r"],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for rank in range(2):
        seen = json.loads((tmp_path / f"r.{rank}").read_text("utf-8"))
        assert [gap < 1e-4 and tokens > 1 for gap, tokens in seen] == [True, True], seen
    rounds = " ".join(word for word in server.log if not word.startswith("/")).split("weights")[1:]
    assert [one.split()[0] for one in rounds] == ["forget"] * 4


def test_a_server_that_keeps_old_prefixes_ends_the_run(
    bundle: Any, server: TrainingServer, folder: Path, tmp_path: Path
) -> None:
    server.forgets = False
    with pytest.raises(EngineError, match="did not forget what it computed with older weights"):
        train(bundle, config(server, folder), tmp_path / "run", syncer=HttpSyncer(server))


# --- before the run -------------------------------------------------------------------------------


def refused(bundle: Any, told: Config, path: Path, syncer: Any = None) -> str:
    with pytest.raises(RunError) as raised:
        train(bundle, told, path / "run", syncer=syncer)
    assert not (path / "run").exists()
    return str(raised.value)


def test_a_server_that_does_not_answer_is_an_error_before_the_run(
    bundle: Any, folder: Path, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{refusing_port()}"
    told = config(None, folder, generation=Generation(backend="server", url=url))
    said = refused(bundle, told, tmp_path)
    assert f"does not answer at {url}" in said
    assert "--set generation.backend=local" in said


def test_a_server_of_another_model_is_an_error_before_the_run(
    bundle: Any, server: TrainingServer, folder: Path, tmp_path: Path
) -> None:
    server.card = {"id": "other", "root": "/models/other"}
    said = refused(bundle, config(server, folder), tmp_path)
    assert f"serves `other`, and `{folder}` is trained" in said
    assert "--set generation.served_as=NAME" in said
    told = config(server, folder)
    named = replace(told, generation=replace(told.generation, served_as="other"))
    assert see_server(named) == "other"
    wrong = replace(told, generation=replace(told.generation, served_as="mine"))
    assert "serves `other`, and not `mine`" in refused(bundle, wrong, tmp_path)


def test_a_server_is_known_by_the_directory_that_it_serves(
    server: TrainingServer, folder: Path
) -> None:
    server.card = {"id": "policy", "root": str(folder)}
    assert see_server(config(server, folder)) == "policy"


def test_a_server_that_knows_shorter_dialogues_is_an_error_before_the_run(
    bundle: Any, server: TrainingServer, folder: Path, tmp_path: Path
) -> None:
    server.card = {"id": str(folder), "max_model_len": TOKENS - 1}
    said = refused(bundle, config(server, folder), tmp_path)
    assert f"knows dialogues of {TOKENS - 1} tokens, and `limits.tokens` is {TOKENS}" in said


def test_a_server_that_takes_no_weights_is_told_how_to_be_started(
    server: TrainingServer, folder: Path
) -> None:
    told = config(server, folder)
    see_weights_taken(told)
    server.info = {"weight_transfer_config": None}
    with pytest.raises(RunError, match="no weight-transfer engine; start it as: VLLM_SERVER_DEV"):
        see_weights_taken(told)
    server.info = None
    with pytest.raises(RunError, match="not run in its development mode; start it as: VLLM_SERV"):
        see_weights_taken(told)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (None, "no `generation.url` says where it is"),
        ("localhost:8000", "`generation.url` is no address: `localhost:8000`"),
        ("http://:0", "`generation.url` is no address"),
    ],
)
def test_an_address_that_is_none_is_an_error_before_the_run(
    bundle: Any, folder: Path, tmp_path: Path, url: str | None, says: str
) -> None:
    told = config(None, folder, generation=Generation(backend="server", url=url))
    assert says in refused(bundle, told, tmp_path)


def test_without_a_gpu_or_vllm_the_error_names_the_setting_that_needs_neither(
    bundle: Any, folder: Path, tmp_path: Path
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    told = config(None, folder, generation=Generation(backend="colocate"))
    said = refused(bundle, told, tmp_path, TrlSyncer())
    assert said.startswith("`generation.backend` is `colocate`, and ")
    assert "vLLM is not installed" in said or "there is no GPU" in said
    assert said.endswith("or sample in this process: --set generation.backend=local")


def test_a_preset_for_a_gpu_says_on_a_cpu_what_to_set(folder: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    spec = str(Path(__file__).parents[2] / "specs" / "airline.cm2")
    told = ["--preset", "1gpu", "--model", str(folder), "--allow-python"]
    done = CliRunner().invoke(command, [spec, *told, "--out", str(tmp_path / "run")])
    assert done.exit_code == 2
    assert "error: `generation.backend` is `colocate`, and " in done.output
    assert "--set generation.backend=local" in done.output
    assert not (tmp_path / "run").exists()
