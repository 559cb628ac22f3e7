"""`--watch`: what is looked at, and the real process that runs again when it changes."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from cases import SHARED
from click.testing import CliRunner

from cm2dsl.cm2c import main
from cm2dsl.compiler import compile_file
from cm2dsl.process import INTERRUPTED
from cm2dsl.standing import Looker, named_in
from cm2dsl.watch import Watchable, watch

SPECS = Path(__file__).parents[2] / "specs"
PATIENCE = 20.0
"""Seconds to wait for what must come: many times what it takes on a machine with nothing to do."""
STILL = 0.8
"""Seconds in which nothing may come: several looks."""

GOOD = """cm2 1
domain air
tools "tools.json"
task fly { turn find { user "A flight" item searches { check called flight_search } } }
"""
FAULTY = GOOD.replace("called flight_search", "called flight_serch")


class Process:
    """A command of cm2c with `--watch` in a folder, and what it says, line by line."""

    def __init__(self, folder: Path, *arguments: str, name: str = "compile") -> None:
        self.folder = folder
        start = "from cm2dsl.cm2c import main; main()"
        command = [sys.executable, "-c", start, name, *arguments, "--watch"]
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def until(self, wanted: str) -> list[str]:
        """What is said up to a line that has the words in it."""
        end = time.monotonic() + PATIENCE
        said: list[str] = []
        while True:
            try:
                said.append(self.lines.get(timeout=max(end - time.monotonic(), 0.01)))
            except queue.Empty:
                pytest.fail(f"no `{wanted}` in {said}")
            if wanted in said[-1]:
                return said

    def round(self) -> str:
        """What one run says."""
        return "\n".join(self.until("ctrl-C ends it"))

    def says_nothing(self) -> bool:
        time.sleep(STILL)
        return self.lines.empty()

    def write(self, name: str, text: str) -> None:
        """As editors do: beside, and renamed."""
        beside = self.folder / f"{name}~"
        beside.write_text(text, encoding="utf-8")
        beside.replace(self.folder / name)

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=PATIENCE)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    shutil.copytree(SHARED, tmp_path, dirs_exist_ok=True)
    (tmp_path / "spec.cm2").write_text(GOOD, encoding="utf-8")
    started: list[Process] = []

    def begin(*arguments: str, name: str = "compile") -> Process:
        started.append(Process(tmp_path, *arguments, name=name))
        return started[-1]

    yield begin
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait(timeout=PATIENCE)


def test_a_spec_is_compiled_again_when_it_changes(start: Callable[..., Process]) -> None:
    process = start("spec.cm2")
    assert "spec.cm2 -> build/spec" in process.round()
    process.write("spec.cm2", FAULTY)
    said = process.round()
    assert "changed: spec.cm2" in said
    assert "tool `flight_serch` is not defined" in said
    assert "did you mean `flight_search`?" in said
    process.write("spec.cm2", GOOD.replace("domain air", "domain sea"))
    assert "spec.cm2 -> build/spec" in process.round()
    assert process.end() == INTERRUPTED


def test_a_spec_is_linted_again_when_it_changes(start: Callable[..., Process]) -> None:
    process = start("spec.cm2", "--select", "L109", name="lint")
    assert "nothing found" in process.round()
    process.write("spec.cm2", GOOD.replace("item searches {", "item searches strict {"))
    assert "L109" in process.round()
    process.write("spec.cm2", FAULTY)
    assert "tool `flight_serch` is not defined" in process.round()
    process.write("spec.cm2", GOOD)
    assert "nothing found" in process.round()
    assert process.end() == INTERRUPTED


def test_what_a_spec_names_is_looked_at_and_what_it_does_not_name_is_not(
    start: Callable[..., Process],
) -> None:
    process = start("spec.cm2")
    process.round()
    (process.folder / "other.json").write_text("[]", encoding="utf-8")
    assert process.says_nothing()
    process.write("tools.json", "[")
    said = process.round()
    assert "changed: tools.json" in said
    assert "tools.json:1:1: error[E404]" in said
    assert process.end() == INTERRUPTED


def test_a_file_that_is_missing_is_waited_for(start: Callable[..., Process]) -> None:
    process = start("spec.cm2")
    process.round()
    process.write("spec.cm2", GOOD.replace("domain air", 'domain air\nimport "lib/common.cm2"'))
    assert "there is no file `lib/common.cm2`" in process.round()
    (process.folder / "lib").mkdir()
    (process.folder / "lib/common.cm2").write_text("cm2 1\n", encoding="utf-8")
    assert "spec.cm2 -> build/spec" in process.round()
    (process.folder / "lib/common.cm2").write_text('cm2 1\nimport "deeper.cm2"\n', "utf-8")
    assert "there is no file `deeper.cm2`" in process.round()
    (process.folder / "deeper.cm2").write_text("cm2 1\n", encoding="utf-8")
    assert "spec.cm2 -> build/spec" in process.round()
    assert process.end() == INTERRUPTED


def test_a_spec_that_comes_into_a_folder_is_compiled_and_one_that_goes_is_missed(
    start: Callable[..., Process],
) -> None:
    process = start(".")
    process.round()
    process.write("more.cm2", GOOD.replace("domain air", "domain more"))
    assert "more.cm2 -> build/more" in process.round()
    (process.folder / "more.cm2").unlink()
    (process.folder / "spec.cm2").unlink()
    assert "no spec here" in process.round()
    process.write("spec.cm2", GOOD)
    process.round()
    assert process.end() == INTERRUPTED


def test_a_burst_of_changes_is_one_run(start: Callable[..., Process]) -> None:
    process = start("spec.cm2")
    process.round()
    for number in range(10):
        process.write("spec.cm2", GOOD.replace("domain air", f"domain air{number}"))
        time.sleep(0.02)
    process.round()
    assert process.says_nothing()
    assert '"domain":"air9"' in (process.folder / "build/spec/ir.json").read_text().replace(" ", "")
    assert process.end() == INTERRUPTED


def test_waiting_takes_next_to_no_time_of_the_processor(start: Callable[..., Process]) -> None:
    process = start("spec.cm2")
    process.round()
    stat = Path(f"/proc/{process.process.pid}/stat")
    if not stat.exists():
        pytest.skip("times of processes are read in /proc")

    def used() -> float:
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = used()
    time.sleep(2)
    assert used() - before < 0.2


def test_a_command_line_that_cannot_be_done_ends_at_once(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["compile", str(tmp_path / "none.cm2"), "--watch"])
    assert result.exit_code == 2


# --- what is looked at -------------------------------------------------------------------------


@pytest.mark.parametrize("spec", sorted(SPECS.glob("*.cm2")), ids=lambda path: path.stem)
def test_a_look_is_at_every_file_that_the_compiler_reads(spec: Path) -> None:
    compiled = compile_file(spec)
    read = {spec.parent / name for name in compiled.read} if compiled is not None else {spec}
    seen = {path for path in Looker([spec]).look() if path.name != "pyproject.toml"}
    assert seen == read


def test_a_spec_with_faults_names_its_files_too(tmp_path: Path) -> None:
    spec = tmp_path / "spec.cm2"
    spec.write_text('cm2 1\ntools "a.json"\ntask t { turn x { item } \nimport "b.cm2"\n', "utf-8")
    assert set(named_in(spec).others) == {"a.json"}
    assert set(named_in(spec).imports) == {"b.cm2"}


@pytest.mark.parametrize("name", ["", " ", "..", "../x.json", "/etc/hosts", "a\\u0000b", "."])
def test_names_that_lead_nowhere_are_no_files(tmp_path: Path, name: str) -> None:
    spec = tmp_path / "spec.cm2"
    spec.write_text(f'cm2 1\ntools "{name}"\n', encoding="utf-8")
    seen = [path for path in Looker([spec]).look() if path.name != "pyproject.toml"]
    assert seen == [spec]


def test_imports_in_a_circle_are_looked_at_once(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.cm2").write_text(f'cm2 1\nimport "{other}.cm2"\n', encoding="utf-8")
    seen = [path.name for path in Looker([tmp_path / "a.cm2"]).look()]
    assert seen.count("a.cm2") == seen.count("b.cm2") == 1


def test_a_file_that_is_replaced_by_one_of_the_same_size_and_time_has_changed(
    tmp_path: Path,
) -> None:
    spec, other = tmp_path / "spec.cm2", tmp_path / "other"
    spec.write_text("cm2 1\n", encoding="utf-8")
    other.write_text("cm2 2\n", encoding="utf-8")
    looker = Looker([spec])
    before = looker.look()
    os.utime(other, ns=(spec.stat().st_atime_ns, spec.stat().st_mtime_ns))
    other.replace(spec)
    assert looker.look() != before


# --- the seam ----------------------------------------------------------------------------------


def test_what_changes_during_a_run_starts_the_next(tmp_path: Path) -> None:
    spec = tmp_path / "spec.cm2"
    spec.write_text("cm2 1\n", encoding="utf-8")
    runs: list[str] = []

    def run() -> None:
        runs.append(spec.read_text())
        if len(runs) == 1:
            spec.write_text("cm2 1 # changed while it ran\n", encoding="utf-8")
        else:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch(run, Looker([spec]).look)
    assert runs == ["cm2 1\n", "cm2 1 # changed while it ran\n"]


@pytest.mark.parametrize(
    "end",
    [SystemExit(3), click.ClickException("no"), click.UsageError("so"), click.exceptions.Exit(1)],
)
def test_however_a_run_ends_the_next_change_starts_another(
    tmp_path: Path, end: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "spec.cm2"
    runs: list[int] = []

    def run() -> None:
        runs.append(1)
        if len(runs) == 2:
            raise KeyboardInterrupt
        spec.write_text("cm2 1\n", encoding="utf-8")
        raise end

    with pytest.raises(KeyboardInterrupt):
        watch(run, Looker([spec]).look)
    assert len(runs) == 2


def test_every_run_reads_its_command_line_anew(tmp_path: Path) -> None:
    spec = tmp_path / "spec.cm2"
    spec.write_text("cm2 1\n", encoding="utf-8")
    made: list[object] = []
    seen: list[tuple[object, str]] = []

    def fresh(context: click.Context, parameter: click.Parameter, value: bool) -> object:
        made.append(object())
        return made[-1]

    @click.command("try", cls=Watchable)
    @click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
    @click.option("--keep", is_flag=True, callback=fresh)
    @click.option("--word")
    def command(paths: tuple[Path, ...], keep: object, word: str) -> None:
        seen.append((keep, word))
        if len(seen) == 3:
            raise KeyboardInterrupt
        spec.write_text("cm2 1\n" * (len(seen) + 1), encoding="utf-8")

    result = CliRunner().invoke(command, [str(spec), "--watch", "--word", "--watch"])
    assert result.exit_code == INTERRUPTED
    assert [word for _, word in seen] == ["--watch"] * 3
    assert len({id(keep) for keep, _ in seen}) == 3


def test_standard_input_cannot_be_watched() -> None:
    @click.command("try", cls=Watchable)
    @click.argument("paths", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
    def command(paths: tuple[Path, ...]) -> None:
        raise AssertionError

    result = CliRunner().invoke(command, ["-", "--watch"])
    assert result.exit_code == 2
    assert "standard input cannot be watched" in result.output


def test_without_the_option_a_command_runs_once() -> None:
    @click.command("try", cls=Watchable)
    @click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
    def command(paths: tuple[Path, ...]) -> None:
        raise SystemExit(7)

    assert CliRunner().invoke(command, ["x"]).exit_code == 7


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["test", "none.cm2"], "there is no file or folder `none.cm2`"),
        (["lint", "loop.cm2"], "cannot read `loop.cm2`"),
        (["lint", "spec.cm2", "--fix"], "--watch goes without --fix"),
        (["lint", "spec.cm2", "--add-suppressions", "a"], "goes without --add-suppressions"),
        (
            ["lint", "spec.cm2", "--baseline", "b", "--update-baseline"],
            "--watch goes without --update-baseline",
        ),
    ],
)
def test_what_cannot_be_watched_ends_at_once(
    options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("spec.cm2").write_text("cm2 1\n")
    Path("loop.cm2").symlink_to("loop.cm2")
    result = CliRunner().invoke(main, [*options, "--watch"])
    assert (result.exit_code, said in result.stderr) == (2, True), result.output
    assert "Usage: " in result.stderr
    assert Path("spec.cm2").read_text() == "cm2 1\n"


def test_a_folder_that_goes_while_it_is_watched_is_missed_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "spec.cm2").write_text("cm2 1\n")
    monkeypatch.chdir(here)
    lookers = [Looker([Path(name)]) for name in (".", "spec.cm2", str(here))]
    for looker in lookers:
        assert any(looker.look().values())
    shutil.rmtree(here)
    for looker in lookers:
        assert not any(looker.look().values())
    result = CliRunner().invoke(main, ["lint", "."])
    assert (result.exit_code, type(result.exception)) == (2, SystemExit)
