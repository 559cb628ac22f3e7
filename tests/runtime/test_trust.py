"""What `cm2 trust` knows, and what happens to a spec's backend that it does not know."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from simulated import ACCOUNT

from cm2.bundle import open_spec
from cm2.cli import main
from cm2.simulate import SimulationError, Simulator
from cm2.simulate.trust import trust_file
from cm2dsl import ir

SPECS = Path(__file__).parents[2] / "specs"
CHAIN = (ir.PythonBackend(file="bank.py"),)


@pytest.fixture(autouse=True)
def own_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    folder = tmp_path / "a desk"
    folder.mkdir()
    path = folder / "bank.py"
    path.write_text("def balance(state, account):\n    return 1\n", encoding="utf-8")
    return path


def trust(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["trust", *map(str, arguments)])


def test_a_trusted_file_runs_until_it_changes(bank: Path) -> None:
    done = trust("add", bank)
    assert (done.exit_code, done.output) == (0, f"trusted: {bank}\n")
    Simulator(ACCOUNT, CHAIN, bank.parent)
    bank.write_text(bank.read_text("utf-8") + "# one line more\n", encoding="utf-8")
    with pytest.raises(SimulationError, match="it has changed since you trusted it"):
        Simulator(ACCOUNT, CHAIN, bank.parent)
    assert trust("list").output == f"changed, not trusted: {bank}\n"
    trust("add", bank)
    Simulator(ACCOUNT, CHAIN, bank.parent)


def test_a_copy_elsewhere_is_not_trusted_and_a_link_to_the_file_is(
    bank: Path, tmp_path: Path
) -> None:
    trust("add", bank)
    shutil.copy(bank, tmp_path)
    with pytest.raises(SimulationError, match="code runs only where you say so"):
        Simulator(ACCOUNT, CHAIN, tmp_path)
    (tmp_path / "bank.py").unlink()
    (tmp_path / "bank.py").symlink_to(bank)
    Simulator(ACCOUNT, CHAIN, tmp_path)


def test_a_file_that_is_removed_from_the_list_is_refused_again(bank: Path) -> None:
    trust("add", bank)
    assert trust("list").output == f"as trusted: {bank}\n"
    bank.rename(bank.with_name("gone.py"))
    assert trust("list").output == f"not there: {bank}\n"
    bank.with_name("gone.py").rename(bank)
    assert trust("remove", bank).output == f"no longer trusted: {bank}\n"
    with pytest.raises(SimulationError):
        Simulator(ACCOUNT, CHAIN, bank.parent)
    again = trust("remove", bank)
    assert again.exit_code == 2
    assert f"`{bank}` is not trusted" in again.output


def test_what_cannot_be_trusted_is_named_and_nothing_is_written(tmp_path: Path, bank: Path) -> None:
    done = trust("add", bank, tmp_path / "no.py")
    assert done.exit_code == 2
    assert f"`{tmp_path / 'no.py'}` cannot be read: no such file or directory" in done.output
    assert not trust_file().exists()


@pytest.mark.parametrize("text", ["[files", 'files = "all"\n', "[files]\nx = 1\n"])
def test_a_list_that_cannot_be_read_trusts_nothing_and_is_named(bank: Path, text: str) -> None:
    trust_file().parent.mkdir(parents=True)
    trust_file().write_text(text, encoding="utf-8")
    with pytest.raises(SimulationError, match=r"trusted\.toml: "):
        Simulator(ACCOUNT, CHAIN, bank.parent)
    done = trust("add", bank)
    assert done.exit_code == 2
    assert "correct or delete" in done.output
    assert trust_file().read_text("utf-8") == text


def test_the_backend_of_a_spec_is_trusted_where_the_user_has_it_not_where_it_is_compiled(
    tmp_path: Path,
) -> None:
    shutil.copytree(SPECS, tmp_path / "specs")
    bundle = open_spec(tmp_path / "specs" / "airline.cm2")

    def opened() -> Simulator:
        spec = bundle.spec
        return Simulator(spec.tools, spec.simulate, bundle.files, origin=bundle.origin)

    with pytest.raises(SimulationError):
        opened()
    trust("add", tmp_path / "specs" / "airline_backend.py")
    opened()


def test_training_ends_before_anything_is_played_and_says_both_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(SPECS.parent)
    done = CliRunner().invoke(main, ["train", "specs/airline.cm2", "--out", str(tmp_path / "run")])
    assert done.exit_code == 2
    assert done.output == (
        f"error: tools are answered by the code in `{SPECS / 'airline_backend.py'}`, and code runs "
        "only where you say so\n"
        "  = help: read the file; then give --allow-python, or trust it as it is with "
        "`cm2 trust add specs/airline_backend.py`\n"
    )
    assert not (tmp_path / "run").exists()
