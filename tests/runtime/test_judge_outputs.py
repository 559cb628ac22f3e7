"""What commands with a judge may not write over, refuse, and say where the judge breaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from calibrated import ITEMS, lines, replaying, says, write
from calibrated import cm2 as judge_command
from click.testing import CliRunner, Result
from judge_server import Response, Server, refusing_port

from cm2.cli import main
from cm2.judge import Context, JudgeLoadError, open_judge
from cm2.judge.config import files_of
from cm2dsl import prompts

OPENAI: dict[str, Any] = {"engine": "openai", "model": "m", "urls": ["http://localhost:1/v1"]}


def cm2(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


def names(settings: dict[str, Any]) -> set[str]:
    return {str(path) for path in files_of(settings, Context(prompts.files()))}


def test_a_judge_names_what_it_reads_and_keeps_also_that_of_judges_inside() -> None:
    inner = OPENAI | {"tokenizer": "tok", "cache": "c"}
    cache = {"c", "c-wal", "c-shm", "c-journal", "c.lock"}
    assert names(inner) == {"tok", *cache}
    replay = {"engine": "replay", "verdicts": ["a", "b"], "else": inner}
    assert names({"engine": "noisy", "of": replay}) == {"a", "b", "tok", *cache}
    assert names({"engine": "transformers", "model": "folder"}) == {"folder"}


@pytest.mark.parametrize("option", ["-o", "--disagreements"])
@pytest.mark.parametrize(
    "name", ["judge.toml", "judge.verdicts.jsonl", "link.toml", "c.db", "c.db-wal"]
)
def test_a_file_of_the_judge_is_not_written_over(tmp_path: Path, option: str, name: str) -> None:
    spec = write(tmp_path)
    judge = replaying(tmp_path, [says("d0", "find.kind", "pass")])
    with judge.open("a", encoding="utf-8") as file:
        file.write("\n[else]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in OPENAI.items()))
        file.write('\ncache = "c.db"\n')
    (tmp_path / "link.toml").symlink_to(judge)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    more = ["--agree"] if option != "-o" else []
    done = cm2(
        "score",
        spec,
        tmp_path / "dialogues.jsonl",
        "--judge",
        judge,
        option,
        tmp_path / name,
        *more,
    )
    assert done.exit_code == 2
    assert done.output.startswith(f"error: `{tmp_path / name}` is a file of the judge\n")
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert after == before


def test_nothing_is_written_into_the_folder_of_a_judges_model(tmp_path: Path) -> None:
    spec = write(tmp_path)
    model = tmp_path / "model"
    model.mkdir()
    done = cm2(
        "score", spec, tmp_path / "dialogues.jsonl", "--judge", model, "-o", model / "config.json"
    )
    assert done.exit_code == 2
    assert "would be written into the judge's folder" in done.output
    assert not list(model.iterdir())


def test_a_page_is_not_written_over_the_judge(tmp_path: Path) -> None:
    spec = write(tmp_path)
    judge = replaying(tmp_path, [says("d0", "find.kind", "pass")])
    labels = lines(tmp_path / "labels.jsonl", [says("d0", "find.kind", "pass")])
    before = judge.read_bytes()
    done = judge_command(
        "agree", spec, labels, tmp_path / "dialogues.jsonl", "--judge", judge, "--html", judge
    )
    assert done.exit_code == 2
    assert "is a file of the judge" in done.output
    assert judge.read_bytes() == before


def test_a_file_without_settings_is_a_judge_that_names_no_engine(tmp_path: Path) -> None:
    spec = write(tmp_path)
    empty = tmp_path / "empty.toml"
    empty.touch()
    said = tmp_path / "dialogues.jsonl"
    labels = lines(tmp_path / "labels.jsonl", [says("d0", "find.kind", "pass")])
    for arguments in (
        ("score", spec, said, "--judge", empty),
        ("judge", "agree", spec, labels, said, "--judge", empty),
        ("judge", "compare", empty, empty, spec, said),
        ("judge", "attack", "--judge", empty),
    ):
        done = cm2(*arguments)
        assert done.exit_code == 2, arguments
        assert f"error: {empty}: names no `engine`" in done.output


def test_a_judge_that_decides_nothing_ends_with_one_and_says_so(tmp_path: Path) -> None:
    spec = write(tmp_path)
    said, none = tmp_path / "dialogues.jsonl", replaying(tmp_path, [says("other", "a.b", "pass")])
    labels = lines(tmp_path / "labels.jsonl", [says("d0", "find.kind", "pass")])
    out = tmp_path / "rows.jsonl"
    done = cm2("score", spec, said, "--judge", none, "-o", out)
    assert done.exit_code == 1
    assert "error: the judge broke on 12 of 12 dialogues, and none has a reward\n" in done.stderr
    assert len(out.read_text(encoding="utf-8").splitlines()) == 12
    done = cm2("judge", "agree", spec, labels, said, "--judge", none)
    assert done.exit_code == 1
    assert "error: the judge broke on 1 of 1 verdict" in done.stderr
    done = cm2("judge", "compare", none, none, spec, said)
    assert done.exit_code == 1
    assert f"error: `{none}` broke on 12 of 12 dialogues" in done.stderr


def test_dialogues_that_a_judge_masks_are_counted_in_a_warning(tmp_path: Path) -> None:
    spec = write(tmp_path)
    every = [says("d0", item, "pass") for item in [*ITEMS, "find.looks"]]
    judge = replaying(tmp_path, every)
    done = cm2("score", spec, tmp_path / "dialogues.jsonl", "--judge", judge)
    assert done.exit_code == 0
    message = "warning: the judge broke on 11 of 12 dialogues, which are left without a reward\n"
    assert message in done.stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"language": "fr"}, "`language`: expected one of `auto`, `en`, `zh`"),
        ({"structured": "xml"}, "`structured`: expected one of `json_object`, `json_schema`"),
        ({"deadline": 0}, "`deadline`: expected"),
        ({"model": ""}, "`model`: expected"),
        ({"tries": 0}, "`tries`: expected"),
        ({"tries": 1000}, "`tries`: expected"),
        ({"letters": 1}, "`letters`: expected"),
        ({"engine": "replay", "verdicts": "v", "otherwise": {}}, "there is `else`"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    said = settings if "verdicts" in settings else OPENAI | settings
    with pytest.raises(JudgeLoadError) as fault:
        open_judge(said, Context(prompts.files()))
    assert message in str(fault.value)


def test_training_with_a_server_that_is_not_there_ends_before_anything_is_trained(
    tmp_path: Path,
) -> None:
    pytest.importorskip("trl")
    spec = write(tmp_path)
    judge = tmp_path / "judge.toml"
    url = f"http://127.0.0.1:{refusing_port()}/v1"
    judge.write_text(f'engine = "openai"\nmodel = "m"\nbackoff = 0.0\nurls = ["{url}"]\n', "utf-8")
    out = tmp_path / "run"
    done = cm2("train", spec, "--judge", judge, "--out", out)
    assert done.exit_code == 2
    assert "error: no server answers a request: " in done.output
    assert not out.exists()


def test_a_judge_inside_others_is_seen_to_as_well() -> None:
    from cm2.judge.engine import EngineError

    with Server(lambda _: Response(401), lambda _: Response(401)) as server:
        inner = OPENAI | {"urls": [server.url], "tries": 1}
        for settings in (
            inner,
            {"engine": "noisy", "of": inner},
            {"engine": "holistic", "of": inner},
        ):
            with (
                open_judge(settings, Context(prompts.files())) as judge,
                pytest.raises(EngineError),
            ):
                judge.run(judge.ready())
