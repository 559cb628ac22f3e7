"""The cache: what has not changed is not done again, and nothing else is ever taken from it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cm2dsl import cache as cache_module
from cm2dsl.cache import FOLDER, Cache
from cm2dsl.cm2c import main
from cm2dsl.emit.bundle import read_bundle

HERE = Path(__file__).parent
EVERYTHING = HERE / "everything"
SPEC = Path("specs/spec.cm2")
UNCHANGED = "1 spec, 0 compiled, 1 unchanged\n"
SOURCES = sorted(path.name for path in EVERYTHING.iterdir() if path.suffix != ".cm2")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with the spec that has everything in `specs/`."""
    shutil.copytree(EVERYTHING, tmp_path / "specs", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def compiled(*more: str) -> str:
    return run("compile", str(SPEC), *more).stdout


def linted(*more: str) -> str:
    return run("lint", str(SPEC), *more).stdout


def entries() -> list[Path]:
    return sorted(Path(FOLDER).glob("*.json"))


def edit(path: Path, old: str, new: str) -> None:
    """Change a file and give it the time it had."""
    stat = path.stat()
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is compiled from here on."""

    def refuse(path: Path, shown: str | None = None) -> None:
        raise AssertionError(f"{path} was compiled")

    monkeypatch.setattr("cm2dsl.lint.linter.analyse", refuse)
    monkeypatch.setattr("cm2dsl.compiler.analyse", refuse)


# --- what is left as it is ----------------------------------------------------------------------


def test_an_unchanged_spec_is_not_compiled_again(request: pytest.FixtureRequest) -> None:
    assert "->" in compiled()
    before = {path: path.stat().st_mtime_ns for path in Path("build").rglob("*")}
    request.getfixturevalue("no_compiler")
    assert compiled() == UNCHANGED
    assert {path: path.stat().st_mtime_ns for path in Path("build").rglob("*")} == before


def test_an_unchanged_spec_is_not_linted_again(request: pytest.FixtureRequest) -> None:
    first = {form: linted("--format", form) for form in ("text", "json", "sarif", "junit")}
    assert first["text"] != "nothing found\n"
    request.getfixturevalue("no_compiler")
    assert {form: linted("--format", form) for form in first} == first


def test_findings_are_the_same_from_the_cache_on_every_shipped_spec(folder: Path) -> None:
    shutil.copytree(HERE.parents[1] / "specs", "shipped")
    anew = run("lint", "shipped", "specs", "--no-cache", "--format", "json").stdout
    for _ in range(2):
        assert run("lint", "shipped", "specs", "--format", "json").stdout == anew


def test_a_file_that_was_touched_is_the_same_file() -> None:
    compiled()
    for path in Path("specs").iterdir():
        os.utime(path, (2_000_000_000, 2_000_000_000))
    assert compiled() == UNCHANGED


def test_a_clock_that_goes_backwards_changes_nothing() -> None:
    compiled()
    for path in Path("specs").iterdir():
        os.utime(path, (0, 0))
    for path in entries():
        os.utime(path, (0, 0))
    assert compiled() == UNCHANGED


def test_a_library_is_not_compiled_again(request: pytest.FixtureRequest) -> None:
    run("compile", "specs")
    request.getfixturevalue("no_compiler")
    assert run("compile", "specs").stdout == UNCHANGED


def test_compile_check_needs_no_bundle(request: pytest.FixtureRequest) -> None:
    compiled()
    shutil.rmtree("build")
    request.getfixturevalue("no_compiler")
    assert (compiled("--check"), Path("build").exists()) == ("", False)


def test_of_several_specs_only_the_changed_one_is_compiled() -> None:
    shutil.copytree("specs", "more")
    (Path("more") / "spec.cm2").rename(Path("more") / "other.cm2")
    both = ("compile", "specs", "more")
    assert run(*both).stdout.endswith("2 specs, 2 compiled, 0 unchanged\n")
    edit(Path("more/other.cm2"), "cm2 1", "cm2 1 ")
    lines = run(*both).stdout.splitlines()
    assert lines[0].startswith("more/other.cm2 -> build/other")
    assert lines[1:] == ["2 specs, 1 compiled, 1 unchanged"]


# --- what is done again -------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*SOURCES, "spec.cm2", "common.cm2"])
def test_a_change_in_any_file_that_is_read_is_seen_at_the_old_time_and_size(name: str) -> None:
    compiled()
    first = linted("--format", "json")
    path = Path("specs") / name
    stat = path.stat()
    raw = path.read_bytes()
    at = raw.index(b"e")
    path.write_bytes(raw[:at] + b"E" + raw[at + 1 :])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert compiled() != UNCHANGED
    assert linted("--format", "json") == linted("--format", "json", "--no-cache")
    path.write_bytes(raw)
    assert linted("--format", "json") == first


def test_a_change_in_the_import_of_an_import_is_seen() -> None:
    Path("specs/deep.cm2").write_text("cm2 1\ntemplate deep() { check replied }\n")
    edit(Path("specs/common.cm2"), "cm2 1\n", 'cm2 1\nimport "deep.cm2"\n')
    compiled()
    assert compiled() == UNCHANGED
    edit(Path("specs/deep.cm2"), "replied", "rePlied")
    result = run("compile", str(SPEC))
    assert result.exit_code == 1
    assert "specs/deep.cm2:2" in result.stderr


def test_faults_are_found_anew_every_time() -> None:
    Path("specs/rows.csv").rename("rows.csv")
    for command in ("compile", "lint"):
        first = run(command, str(SPEC))
        assert first.exit_code != 0
        assert (run(command, str(SPEC)).output, entries()) == (first.output, [])
    Path("rows.csv").rename("specs/rows.csv")
    assert run("compile", str(SPEC)).exit_code == 0
    Path("specs/rows.csv").rename("rows.csv")
    assert run("compile", str(SPEC)).exit_code == 1


def test_a_fault_elsewhere_does_not_count_as_compiled() -> None:
    Path("specs/broken.cm2").write_text("cm2 1\ndomain broken\n")
    assert run("compile", "specs").exit_code == 1
    Path("specs/broken.cm2").unlink()
    assert "->" in run("compile", "specs").stdout


@pytest.mark.parametrize("kind", ["changed", "touched", "gone", "added", "folder gone", "link"])
def test_a_bundle_that_was_tampered_with_is_written_anew(kind: str) -> None:
    compiled()
    bundle = Path("build/spec")
    for name in [path.relative_to(bundle) for path in bundle.rglob("*") if path.is_file()]:
        path = bundle / name
        if kind == "changed":
            path.write_bytes(path.read_bytes()[:-1])
        elif kind == "touched":
            os.utime(path, (1, 1))
        elif kind == "gone":
            path.unlink()
        elif kind == "added":
            path.with_name("more").write_text("")
        elif kind == "link":
            path.rename("elsewhere")
            path.symlink_to(Path("elsewhere").resolve())
        else:
            shutil.rmtree(bundle)
        if kind == "gone" and path.name == "manifest.json":
            assert "is not a bundle" in run("compile", str(SPEC)).stderr
            shutil.rmtree(bundle)
        assert "->" in compiled()
        read_bundle(bundle)
        assert compiled() == UNCHANGED


def test_a_manifest_with_its_old_size_and_time_is_still_read() -> None:
    compiled()
    path = Path("build/spec/manifest.json")
    stat = path.stat()
    path.write_bytes(path.read_bytes().swapcase())
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert "->" in compiled()
    read_bundle(path.parent)


def test_compiled_python_beside_reward_py_is_no_change() -> None:
    compiled()
    Path("build/spec/__pycache__").mkdir()
    Path("build/spec/__pycache__/reward.pyc").write_bytes(b"")
    assert compiled() == UNCHANGED


def test_another_output_folder_gets_its_own_bundle() -> None:
    compiled()
    assert "-> other/spec" in compiled("-o", "other")
    assert compiled("-o", "other") == compiled() == UNCHANGED


def test_another_compiler_does_everything_again(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled()
    linted()
    for name, other in (("own_hash", lambda: "0" * 64), ("__version__", "0.0.0")):
        with monkeypatch.context() as patch:
            patch.setattr(cache_module, name, other)
            assert "->" in compiled()
            assert compiled() == UNCHANGED
        assert "->" in compiled()


def test_findings_are_kept_for_each_choice_of_rules(folder: Path) -> None:
    for _ in range(2):
        for choice in ((), ("--select", "L2"), ("--ignore", "L2"), ("--select", "L3,L1")):
            assert linted(*choice) == linted(*choice, "--no-cache")
        (folder / "pyproject.toml").write_text('[tool.cm2.lint]\nselect = ["L4"]\n')
        assert linted() == linted("--select", "L4")
        (folder / "pyproject.toml").unlink()


def test_a_code_that_no_rule_has_is_refused_every_time() -> None:
    for _ in range(2):
        assert run("lint", str(SPEC), "--select", "L999").exit_code == 2


def test_a_spec_that_is_mended_is_looked_at_again() -> None:
    edit(SPEC, "flight_search", "flight_search")
    linted()
    run("lint", str(SPEC), "--fix")
    assert linted() == linted("--no-cache")


def test_a_link_that_leads_elsewhere_is_seen() -> None:
    shutil.copy("specs/tools.json", "specs/other.json")
    Path("specs/tools.json").rename("specs/real.json")
    Path("specs/tools.json").symlink_to("real.json")
    first = compiled()
    assert "->" in first
    Path("specs/tools.json").unlink()
    Path("specs/tools.json").symlink_to("../specs/../../outside.json")
    assert run("compile", str(SPEC)).exit_code == 1


def test_a_file_that_becomes_a_link_is_read_again() -> None:
    compiled()
    Path("specs/tools.json").rename("tools.json")
    Path("specs/tools.json").symlink_to("../tools.json")
    assert run("compile", str(SPEC)).exit_code == 1


def test_a_spec_that_is_a_link_compiles_every_time() -> None:
    Path("link.cm2").symlink_to(SPEC)
    for _ in range(2):
        assert "->" in run("compile", "link.cm2").stdout


def test_a_project_that_is_copied_with_its_cache_is_judged_by_its_own_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled()
    shutil.copytree(folder, folder / "copy")
    monkeypatch.chdir(folder / "copy")
    edit(Path("specs/system.md"), "flights", "seats")
    assert "->" in compiled()


# --- a cache that is not what was written -------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the spec, which many examples share."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(EVERYTHING, home / "specs", ignore=shutil.ignore_patterns("__pycache__"))
    return home


changes = st.one_of(
    st.tuples(st.just("flip"), st.floats(0, 1, exclude_max=True), st.integers(1, 255)),
    st.tuples(st.just("cut"), st.floats(0, 1, exclude_max=True), st.just(0)),
    st.tuples(st.just("put"), st.floats(0, 1), st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("be"), st.just(0), st.binary(max_size=200)),
)


def changed(content: bytes, change: tuple[str, float, int | bytes]) -> bytes:
    how, share, what = change
    at = int(share * len(content))
    if how == "flip":
        assert isinstance(what, int)
        return content[:at] + bytes([content[at] ^ what]) + content[at + 1 :]
    if how == "cut":
        return content[:at]
    assert isinstance(what, bytes)
    return content[:at] + what + content[at:] if how == "put" else what


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(changes, min_size=1, max_size=3))
def test_a_damaged_entry_is_noticed_and_made_again(
    home: Path, damage: list[tuple[str, float, int | bytes]]
) -> None:
    with contextlib.chdir(home):
        said = (compiled(), linted())[1]
        assert (compiled(), linted()) == (UNCHANGED, said)
        whole = {path: path.read_bytes() for path in entries()}
        for path, content in whole.items():
            for change in damage:
                content = changed(content, change) if content else b"x"
            path.write_bytes(content)
        damaged = any(path.read_bytes() != content for path, content in whole.items())
        assert ("->" in compiled()) == damaged
        assert linted() == said
        assert entries() == list(whole)
        assert compiled() == UNCHANGED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"key":[],"made_by":[],"reads":{},"value":null}',
        b"[" * 100_000,
        b'{"key":["compile"],"made_by":[],"reads":{},"value":{"files":null,"manifest":""}}',
    ],
)
def test_a_foreign_entry_with_a_right_checksum_is_not_trusted(body: bytes) -> None:
    compiled()
    for path in entries():
        path.write_bytes(sha256(body).hexdigest().encode() + b"\n" + body)
    assert "->" in compiled()


def test_an_entry_of_another_spec_under_the_name_of_this_one_is_not_trusted() -> None:
    compiled()
    name = entries()[0]
    linted()
    other = next(path for path in entries() if path != name)
    name.write_bytes(other.read_bytes())
    assert "->" in compiled()


def test_a_value_of_another_shape_is_not_trusted() -> None:
    cache = Cache(Path(FOLDER))
    cache.put(SPEC, ("compile", str(SPEC), "build/spec"), {}, {"files": "all of them"})
    assert len(entries()) == 1
    assert "->" in compiled()


# --- the folder ---------------------------------------------------------------------------------


def test_without_a_cache_nothing_is_kept_and_nothing_used() -> None:
    assert "->" in compiled("--no-cache")
    linted("--no-cache")
    assert not Path(FOLDER).exists()
    compiled()
    assert "->" in compiled("--no-cache")


def test_the_folder_is_left_out_by_git_and_by_backups() -> None:
    compiled()
    assert Path(FOLDER, ".gitignore").read_text() == "*\n"
    tag = Path(FOLDER, "CACHEDIR.TAG").read_text()
    assert tag.startswith("Signature: 8a477f597d28d172789f06886806bc55\n")


def test_a_folder_that_cannot_be_written_means_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(FOLDER).write_text("a file in its place")
    for _ in range(2):
        assert "->" in compiled()
        assert linted() == linted("--no-cache")
    assert Path(FOLDER).read_text() == "a file in its place"


def test_a_full_disk_means_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    replace = os.replace

    def full(source: str, target: str) -> None:
        if FOLDER in str(target):
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    assert "->" in compiled()
    assert sorted(path.name for path in Path(FOLDER).iterdir()) == [".gitignore", "CACHEDIR.TAG"]


def test_processes_at_once_leave_a_whole_cache() -> None:
    shutil.copytree("specs", "more")
    command = [sys.executable, "-c", "from cm2dsl.cm2c import main; main()"]
    for round_ in range(3):
        edit(SPEC, "cm2 1", "cm2 1 " if round_ else "cm2 1")
        running = [
            subprocess.Popen(
                [*command, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            for arguments in (("lint", "specs"), ("lint", "specs"), ("lint", "specs", "more"))
        ]
        for process in running:
            _, said = process.communicate()
            assert (process.returncode, said) == (1, b"")
        assert all(
            path.suffix == ".json"
            for path in Path(FOLDER).iterdir()
            if path.stem[0] != "." and path.name != "CACHEDIR.TAG"
        )
        assert linted() == linted("--no-cache")


def test_a_name_that_is_no_text_is_a_fault(folder: Path) -> None:
    odd = os.fsdecode(b"odd\xff.cm2")
    try:
        shutil.copy(SPEC, Path("specs") / odd)
    except OSError:
        pytest.skip("this file system has no such names")
    result = run("compile", f"specs/{odd}")
    assert result.exit_code == 1
    assert "the name of the spec is not UTF-8 text" in result.stderr
    assert entries() == []
