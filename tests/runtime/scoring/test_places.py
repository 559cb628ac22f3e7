"""What a run must not write over: its dialogues, its spec, and what the spec reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from score_runs import names, score_here, write_dialogues, write_spec

from cm2.bundle import compile_bundle

SPEC = """cm2 1
import "shared.cm2"
domain d
tools "tools.json"
system "system.md"
task t {
  reference "recorded.jsonl"
  turn u { user "go" use searches }
}"""
READ = ["spec.cm2", "shared.cm2", "tools.json", "system.md", "recorded.jsonl"]


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    (tmp_path / "system.md").write_text("be kind")
    (tmp_path / "shared.cm2").write_text("cm2 1\ntemplate searches() { check called search }")
    write_dialogues(tmp_path / "recorded.jsonl", 1)
    return write_spec(tmp_path, SPEC)


@pytest.fixture
def chat(tmp_path: Path) -> Path:
    return write_dialogues(tmp_path / "chat.jsonl", 3)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("option", [["-o"], ["--agree", "--disagreements"]])
def test_no_file_that_the_spec_reads_is_written_over(
    name: str, option: list[str], spec: Path, chat: Path, tmp_path: Path
) -> None:
    before = contents(tmp_path)
    run = score_here(spec, chat, *option, tmp_path / name)
    assert run.exit_code == 2
    assert run.stderr.splitlines() == [
        f"error: `{tmp_path / name}` is a file of the spec",
        "  = help: name another file to write",
    ]
    assert contents(tmp_path) == before


def test_a_link_to_the_spec_is_the_spec(spec: Path, chat: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").symlink_to(spec)
    assert score_here(spec, chat, "-o", tmp_path / "rows.jsonl").exit_code == 2


def test_what_only_the_run_writes_is_not_what_it_reads(
    spec: Path, chat: Path, tmp_path: Path
) -> None:
    for name in ("rows.rejects.jsonl", "rows.jsonl.partial", "rows.jsonl.partial.json"):
        read = chat.rename(tmp_path / name)
        run = score_here(spec, read, "-o", tmp_path / "rows.jsonl")
        assert run.stderr.startswith(f"error: `{read}` is a file of dialogues\n")
        chat = read.rename(tmp_path / "chat.jsonl")


@pytest.mark.parametrize("name", ["ir.json", "files/recorded.jsonl", "files/new.jsonl"])
def test_nothing_is_written_into_a_bundle(
    name: str, spec: Path, chat: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "bundle"
    compile_bundle(spec, folder)
    run = score_here(folder, chat, "-o", folder / name)
    assert run.exit_code == 2
    assert run.stderr.splitlines() == [
        f"error: `{folder / name}` would be written into the bundle `{folder}`",
        "  = help: name a file outside of it",
    ]
    assert score_here(folder, chat, "-o", tmp_path / "rows.jsonl").exit_code == 0


def test_a_folder_of_specs_or_bundles_says_what_to_give(
    spec: Path, chat: Path, tmp_path: Path
) -> None:
    for inside in ("bundles/d", "empty"):
        (tmp_path / inside).mkdir(parents=True)
    compile_bundle(spec, tmp_path / "bundles" / "d")
    helps = [
        (tmp_path, f"give a spec; there is `{tmp_path / 'shared.cm2'}`, `{spec}`"),
        (tmp_path / "bundles", f"give a bundle; there is `{tmp_path / 'bundles' / 'd'}`"),
        (
            tmp_path / "empty",
            "give a .cm2 file, or the folder of a bundle that `cm2c compile` wrote",
        ),
    ]
    for folder, help in helps:
        run = score_here(folder, chat)
        assert run.exit_code == 2
        message = f"error: `{folder}` is not a bundle: it has no manifest.json"
        assert run.stderr.splitlines() == [message, f"  = help: {help}"]


def test_a_folder_that_may_not_be_written_is_said_of_the_file_that_was_named(
    spec: Path, chat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", f"{path}.partial")

    monkeypatch.setattr("cm2.scoring.output.Partial", refused)
    monkeypatch.setattr("cm2.commands.score.Partial", refused)
    for option in (["-o"], ["--agree", "--disagreements"]):
        run = score_here(spec, chat, *option, tmp_path / "rows.jsonl")
        assert run.exit_code == 2
        assert run.stderr.splitlines() == [
            f"error: cannot read or write `{tmp_path / 'rows.jsonl'}`: permission denied",
            "  = help: see that it can be, or name another file",
        ]


@pytest.mark.parametrize("option", ["--evidence", "--restart"])
def test_an_option_that_would_do_nothing_is_refused(
    option: str, spec: Path, chat: Path, tmp_path: Path
) -> None:
    before = names(tmp_path)
    run = score_here(spec, chat, option)
    assert run.exit_code == 2
    assert run.stderr.startswith(f"error: {option} ")
    assert "help: add -" in run.stderr
    assert names(tmp_path) == before
    assert score_here(spec, chat, option, "-o", tmp_path / "rows.jsonl").exit_code == 0


def test_the_help_lists_every_exit_code() -> None:
    from cm2.cli import main

    said = " ".join(CliRunner().invoke(main, ["score", "-h"]).output.split())
    codes = (
        "0 all dialogues were scored; 1 some were rejected, or the judge broke and left none with"
    )
    assert codes in said
    assert "2 nothing was scored; 130 interrupted" in said
