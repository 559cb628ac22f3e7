"""Bundles: the same bytes everywhere, whole or not at all, and refused when anything changed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cm2dsl.cm2c import main
from cm2dsl.compiler import compile_file
from cm2dsl.emit.bundle import BundleError, bundle_files, read_bundle, read_spec, write_bundle

HERE = Path(__file__).parent
EVERYTHING = HERE / "everything" / "spec.cm2"
SPECS = HERE.parents[1] / "specs"
CM2C = [sys.executable, "-c", "from cm2dsl.cm2c import main; main()"]


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    compiled = compile_file(EVERYTHING)
    assert compiled is not None
    write_bundle(compiled, tmp_path / "bundle")
    return tmp_path / "bundle"


def test_bundles_are_the_same_from_another_folder_and_with_another_hash_seed(
    tmp_path: Path,
) -> None:
    shutil.copytree(SPECS, tmp_path / "specs")
    shutil.copytree(EVERYTHING.parent, tmp_path / "specs" / "deep" / "er")
    runs = [
        (tmp_path, "specs", "a", "0"),
        (tmp_path / "specs" / "deep", "..", "../../b", "1"),
        (Path("/"), str(tmp_path / "specs"), str(tmp_path / "c"), "4711"),
    ]
    for folder, specs, out, seed in runs:
        command = [*CM2C, "compile", specs, "-o", out]
        env = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True)
    first = contents(tmp_path / "a")
    names = {name.partition("/")[0] for name in first}
    assert names == {"airline", "tutor", "挂号", "deep"}
    assert contents(tmp_path / "b") == first
    assert contents(tmp_path / "c") == first


def test_a_bundle_reads_back_as_what_was_compiled(bundle: Path) -> None:
    compiled = compile_file(EVERYTHING)
    assert compiled is not None
    files = read_bundle(bundle)
    assert read_spec(bundle, files) == compiled.spec
    assert files == {k: v for k, v in bundle_files(compiled).items() if k != "manifest.json"}


def test_a_changed_byte_is_noticed_and_its_file_is_named(bundle: Path) -> None:
    read_bundle(bundle)
    for name, original in contents(bundle).items():
        step = 3 if name == "manifest.json" else max(len(original) // 30, 1)
        for at in range(0, len(original), step):
            byte = (original[at] ^ 1).to_bytes(1, "big")
            (bundle / name).write_bytes(original[:at] + byte + original[at + 1 :])
            with pytest.raises(BundleError) as error:
                read_bundle(bundle)
            assert f"`{bundle / name}` was changed" in str(error.value)
        (bundle / name).write_bytes(original)
    read_bundle(bundle)


def test_a_file_that_is_missing_is_named(bundle: Path) -> None:
    for name, original in contents(bundle).items():
        (bundle / name).unlink()
        with pytest.raises(BundleError, match=name.rpartition("/")[2]):
            read_bundle(bundle)
        (bundle / name).write_bytes(original)


def test_a_file_that_was_added_is_named(bundle: Path) -> None:
    (bundle / "files" / "more.jsonl").write_text("{}")
    with pytest.raises(BundleError, match=r"files/more\.jsonl` is not of this bundle"):
        read_bundle(bundle)


def test_compiled_python_beside_reward_py_is_no_addition(bundle: Path) -> None:
    (bundle / "__pycache__").mkdir()
    (bundle / "__pycache__" / "reward.pyc").write_bytes(b"")
    assert "reward.py" in read_bundle(bundle)


def test_a_bundle_of_another_format_is_not_read(bundle: Path) -> None:
    def written(manifest: dict[str, object]) -> bytes:
        text = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True)
        return f"{text}\n".encode()

    manifest = json.loads((bundle / "manifest.json").read_bytes()) | {"format": 3}
    del manifest["sha256"]
    own = hashlib.sha256(written(manifest)).hexdigest()
    (bundle / "manifest.json").write_bytes(written(manifest | {"sha256": own}))
    with pytest.raises(BundleError, match="has bundle format 3, this reads 2: compile the spec"):
        read_bundle(bundle)


def test_a_spec_of_another_shape_is_named(bundle: Path) -> None:
    whole = json.loads((bundle / "ir.json").read_bytes())
    for wrong in (
        b"",
        b"[1]",
        b"[" * 100_000,
        json.dumps(whole | {"more": 1}).encode(),
        json.dumps(whole | {"tasks": [{}]}).encode(),
        json.dumps({key: whole[key] for key in whole if key != "domain"}).encode(),
    ):
        with pytest.raises(BundleError, match=r"ir\.json` is not a spec as JSON .*: compile"):
            read_spec(bundle, {"ir.json": wrong})


def test_a_spec_with_faults_leaves_every_old_bundle_as_it_was(tmp_path: Path) -> None:
    shutil.copytree(EVERYTHING.parent, tmp_path / "specs")
    command = ["compile", str(tmp_path / "specs"), "-o", str(tmp_path / "build")]
    assert CliRunner().invoke(main, command).exit_code == 0
    before = contents(tmp_path)
    good = tmp_path / "specs" / "spec.cm2"
    (tmp_path / "specs" / "another.cm2").write_bytes(good.read_bytes())
    wrong = good.read_text(encoding="utf-8").replace("flight_search", "flight_serch")
    good.write_text(wrong, encoding="utf-8")
    assert CliRunner().invoke(main, command).exit_code == 1
    after = contents(tmp_path / "build")
    assert after == {
        name.removeprefix("build/"): text for name, text in before.items() if "build/" in name
    }


def test_a_write_that_fails_leaves_the_old_bundle_and_nothing_half_written(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(bundle.parent)
    compiled = compile_file(EVERYTHING)
    assert compiled is not None
    write_bytes = Path.write_bytes
    room = 3

    def full_disk(path: Path, content: bytes) -> int:
        nonlocal room
        room -= 1
        if room < 0:
            raise OSError(28, "No space left on device")
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_bundle(compiled, bundle)
    assert contents(bundle.parent) == before
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def test_a_folder_that_cannot_be_replaced_is_put_back(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(bundle)
    compiled = compile_file(EVERYTHING)
    assert compiled is not None
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if target == bundle and not path.name.endswith(".old"):
            raise OSError(16, "Device or resource busy")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="busy"):
        write_bundle(compiled, bundle)
    assert contents(bundle) == before
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def test_a_new_bundle_replaces_the_old_one_whole(bundle: Path) -> None:
    (bundle / "files" / "more.jsonl").write_text("{}")
    compiled = compile_file(EVERYTHING)
    assert compiled is not None
    write_bundle(compiled, bundle)
    assert "files/more.jsonl" not in contents(bundle)
    read_bundle(bundle)


def test_a_folder_that_is_no_bundle_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "spec").mkdir()
    (tmp_path / "spec" / "thesis.txt").write_text("years of work")
    result = CliRunner().invoke(main, ["compile", str(EVERYTHING), "-o", str(tmp_path)])
    assert result.exit_code == 1
    assert "is not a bundle, and is left as it is" in result.stderr
    assert (tmp_path / "spec" / "thesis.txt").read_text() == "years of work"


def test_specs_in_folders_keep_their_folders(tmp_path: Path) -> None:
    shutil.copytree(EVERYTHING.parent, tmp_path / "specs" / "one")
    shutil.copytree(EVERYTHING.parent, tmp_path / "specs" / "two")
    arguments = ["compile", str(tmp_path / "specs"), "-o", str(tmp_path / "build")]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert {path.parent.name for path in (tmp_path / "build").glob("*/spec")} == {"one", "two"}


def test_two_specs_of_one_name_are_refused(tmp_path: Path) -> None:
    shutil.copytree(EVERYTHING.parent, tmp_path / "one")
    shutil.copytree(EVERYTHING.parent, tmp_path / "two")
    specs = [str(tmp_path / name / "spec.cm2") for name in ("one", "two")]
    result = CliRunner().invoke(main, ["compile", *specs, "-o", str(tmp_path / "build")])
    assert result.exit_code == 2
    assert "would lie in one folder: rename one" in result.stderr
    assert not (tmp_path / "build").exists()


def test_the_published_schema_is_that_of_the_ir() -> None:
    published = (HERE.parents[1] / "docs" / "ir.schema.json").read_text(encoding="utf-8")
    assert CliRunner().invoke(main, ["schema"]).stdout == published
