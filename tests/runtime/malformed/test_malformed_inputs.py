"""More than 1,000 malformed inputs of `cm2 import` and `cm2 score`, and what comes of each.

A fault of an import ends in exit code 2 and leaves no file; one dialogue that cannot be read does
not keep the others from being scored; and what is said names the file, the place and a way out.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import shutil
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from mutations import MUTATIONS, Mutant, Mutation
from source_files import IMPORTS, INPUTS, SCORES_OF, SPEC, SPEC_TOOLS, Input

from cm2.bundle import compile_bundle
from cm2.cli import main
from cm2dsl.compiler import compile_file

TIMES = {
    **dict.fromkeys(("replace", "drop", "wrap"), 8),
    **dict.fromkeys(("unwrap", "repeat", "truncate", "same id", "file system", "hollow"), 4),
    "nested": 1,
}
"""How often each mutation is done to a file; 3 times, where nothing is said."""

MALFORMED = 1000
LARGE = 50 << 20

# A place: a line, a path, a byte or a column.
PLACE = re.compile(r":\d+: |\bbyte \d|\bcolumn \d|\bline \d")
NAMED = re.compile(r"`[^`]+`|error: no ")  # a path, or what the file has nowhere
# What only a Python programmer would understand, outside backticks.
PYTHON = re.compile(
    r"Traceback|\bNoneType\b|\b\w+(?:Error|Exception)\b|\b(?:dict|tuple|bytes|int|str|float|bool)\b"
    r"|Errno|<class|object at 0x|\bunhashable\b|\bsubscriptable\b|\bcodec\b|0x[0-9a-f]{6}"
)
COUNTS: dict[str, Counter[str]] = {}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "malformed.cm2").write_text(SPEC, encoding="utf-8")
    (folder / "tools.json").write_text(json.dumps(SPEC_TOOLS), encoding="utf-8")
    compile_bundle(folder / "malformed.cm2", folder / "malformed")
    return folder / "malformed"


def mutants(source: Input) -> Iterator[tuple[str, str, Mutant]]:
    """(file, mutation, mutant) for each file of an input, the same in every run."""
    for name in source.mutated:
        for what, mutation in MUTATIONS.items():
            seen: set[object] = set()
            for number in range(TIMES.get(what, 3)):
                mutant = _mutant(mutation, source, name, what, number)
                if mutant is not None and mutant.change not in seen:
                    seen.add(mutant.change)
                    yield name, what, mutant


def _mutant(mutation: Mutation, source: Input, name: str, what: str, number: int) -> Mutant | None:
    seed = f"{source.command} {source.format} {source.name} {name} {what} {number}"
    return mutation(source.files[name], source, random.Random(zlib.crc32(seed.encode())))


def _lay_out(source: Input, folder: Path) -> None:
    for name, file in source.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(file.data())


def _command(source: Input, given: Path, folder: Path, out: Path, bundle: Path) -> list[str]:
    more = [each.replace("{}", str(folder)) for each in source.arguments]
    if source.command == "import":
        return ["import", source.format, str(given), "-o", str(out), *more]
    target = str(out / "rows.jsonl")
    return ["score", str(bundle), str(given), "--format", source.format, "-o", target, *more]


# --- what must hold of any run ----------------------------------------------------------------


def says_it_well(stderr: str, folder: Path, mutant: Mutant, about: str) -> None:
    """Each fault is said with its file, its place and what to do, in the words of a person."""
    heads = re.findall(r"^.*?(?:error|rejected): .*$|^Error: .*$", stderr, re.MULTILINE)
    assert heads, f"{about}: no message: {stderr!r}"
    assert "  = help: " in stderr or "Error: Invalid value" in stderr, f"{about}: {stderr}"
    plain = re.sub(r"`[^`\n]*`|\S*/\S*", "…", stderr)
    assert not PYTHON.search(plain), f"{about}: {stderr}"
    shown = [head for head in heads if "nothing was scored" not in head]
    for head in shown:
        assert str(folder.parent) in head or head.startswith("Error: "), f"{about}: no file: {head}"
        said = head.replace(str(folder), "")
        placed = PLACE.search(said) or (not mutant.fails and NAMED.search(said))
        assert mutant.whole or placed, f"{about}: no place: {head}"
        message = re.split(r"(?:error|rejected): ", head, maxsplit=1)[-1]
        assert not message[:1].isupper() or head.startswith("Error"), f"{about}: {head}"
    for line in (*shown, *re.findall(r"= help: (.*)", stderr)):
        assert not line.endswith(".") or line.startswith("Error"), f"{about}: a full stop: {line}"
    for help in re.findall(r"= help: (.*)", stderr):
        assert help.strip(), f"{about}: no help"
        assert not help[:1].isupper() or help.startswith("BFCL"), f"{about}: {help}"


def leaves_nothing(out: Path, about: str) -> None:
    left = [path.name for path in out.rglob("*")] if out.exists() else []
    assert not left, f"{about}: {left} is left"


def import_ended_well(code: int, out: Path, about: str) -> None:
    assert code in (0, 2), f"{about}: exit code {code}"
    if code == 2:
        assert not out.exists(), f"{about}: {list(out.rglob('*'))} is left"
        return
    specs = list(out.glob("*.cm2"))
    assert specs, about
    assert not list(out.glob(".import-*")), about
    for spec in specs:
        compile_file(spec)


def score_ended_well(code: int, out: Path, about: str) -> int:
    """How many dialogues were rejected."""
    assert code in (0, 1, 2), f"{about}: exit code {code}"
    if code == 2:
        leaves_nothing(out, about)
        return 0
    rows = (out / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert rows, about
    for row in rows:
        assert json.loads(row)["reward"] is not None, about
    kept = out / "rows.rejects.jsonl"
    rejects = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    assert bool(rejects) == (code == 1), f"{about}: {len(rejects)} rejects, exit code {code}"
    for reject in rejects:
        assert json.loads(reject)["help"], about
    names = {path.name for path in out.iterdir()}
    assert names <= {"rows.jsonl", "rows.rejects.jsonl"}, f"{about}: {names}"
    return len(rejects)


def _one_dialogue(source: Input, name: str, mutant: Mutant) -> bool:
    """Whether the mutation can only have spoilt one of the two dialogues of a file."""
    if source.command != "score" or mutant.where is None or mutant.fails:
        return False
    depth = len(source.dialogues)
    inside = len(mutant.where) > depth + 1 and mutant.where[:depth] == source.dialogues
    return name == source.given and inside


@pytest.mark.parametrize(
    "source", INPUTS, ids=lambda each: f"{each.command}-{each.format}-{each.name}"
)
def test_every_mutant_ends_in_a_clear_error_or_in_a_whole_result(
    source: Input, bundle: Path, tmp_path: Path
) -> None:
    counts = COUNTS.setdefault(f"{source.command} {source.format}, {source.name}", Counter())
    faults: list[str] = []
    for number, (name, what, mutant) in enumerate(mutants(source)):
        place = tmp_path / f"{number}"
        try:
            malformed = _ends_well(source, name, what, mutant, place, bundle)
        except AssertionError as fault:
            faults.append(str(fault).partition("\nassert ")[0])
            continue
        counts[what if malformed else "still valid"] += 1
        counts["malformed"] += malformed
    assert not faults, f"{len(faults)} faults\n" + "\n----\n".join(faults[:300])


def _ends_well(
    source: Input, name: str, what: str, mutant: Mutant, place: Path, bundle: Path
) -> bool:
    """Runs the command on a mutant, and says whether it was refused, wholly or in part."""
    folder, out = place / "in", place / "out"
    _lay_out(source, folder)
    path = mutant.apply(folder / name)
    given = path if name == source.given else folder / source.given
    if source.command == "score":
        out.mkdir()
    result = CliRunner().invoke(main, _command(source, given, folder, out, bundle))
    about = f"{path}: {what} at {mutant.where}: {result.output[-2000:]}"
    failure = result.exception
    assert failure is None or isinstance(failure, SystemExit), f"{about}: {failure!r}"
    if source.command == "import":
        import_ended_well(result.exit_code, out, about)
    else:
        rejected = score_ended_well(result.exit_code, out, about)
        if _one_dialogue(source, name, mutant):
            assert result.exit_code != 2, f"{about}: one dialogue spoilt both"
            assert rejected <= 1, about
    if (mutant.fails and what not in source.lenient) or what == "drop needed":
        assert result.exit_code != 0, f"{about}: it was taken"
    if result.exit_code:
        says_it_well(result.stderr, folder, mutant, about)
    shutil.rmtree(place)
    return result.exit_code != 0


def test_there_were_at_least_a_thousand(request: pytest.FixtureRequest) -> None:
    if len(COUNTS) < len(INPUTS):
        pytest.skip("only some of the inputs were run")
    columns = ["malformed", "still valid", *MUTATIONS]
    for source, counts in COUNTS.items():
        print(source, {name: counts[name] for name in columns if counts[name]})
    total = sum(counts["malformed"] for counts in COUNTS.values())
    print(f"{total} malformed, {sum(counts['still valid'] for counts in COUNTS.values())} valid")
    assert total >= MALFORMED


@pytest.mark.parametrize(
    "source", INPUTS, ids=lambda each: f"{each.command}-{each.format}-{each.name}"
)
def test_what_is_not_mutated_is_taken(source: Input, bundle: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    _lay_out(source, folder)
    out.mkdir()
    command = _command(source, folder / source.given, folder, out, bundle)
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output


# --- the command itself -----------------------------------------------------------------------

SAMPLE = [
    (source, name, what, mutant)
    for index, source in enumerate(INPUTS)
    for name, what, mutant in random.Random(index).sample(list(mutants(source)), 1)
] + [
    (source, name, what, mutant)
    for source in (IMPORTS[5], SCORES_OF[0], SCORES_OF[4])
    for name, what, mutant in mutants(source)
    if what in ("nested", "gzip unnamed")
]


@pytest.mark.parametrize(
    ("source", "name", "what", "mutant"),
    SAMPLE,
    ids=[f"{s.command}-{s.format}-{what}" for s, _, what, _ in SAMPLE],
)
def test_the_command_ends_as_it_does_in_a_process_of_its_own(
    source: Input, name: str, what: str, mutant: Mutant, bundle: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    _lay_out(source, folder)
    path = mutant.apply(folder / name)
    if source.command == "score":
        out.mkdir()
    given = path if name == source.given else folder / source.given
    command = _command(source, given, folder, out, bundle)
    run = [str(Path(sys.executable).with_name("cm2")), *command]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    about = f"{what}: {done.stderr}"
    if source.command == "import":
        import_ended_well(done.returncode, out, about)
    else:
        score_ended_well(done.returncode, out, about)
    if done.returncode:
        says_it_well(done.stderr, folder, mutant, about)


# --- large ------------------------------------------------------------------------------------


def _large(characters: int) -> bytes:
    chat = {"id": "large", "task": "greet", "messages": [{"role": "user", "content": "@"}]}
    return json.dumps(chat).encode().replace(b"@", b"x" * characters) + b"\n"


SMALL = b'{"id": "s", "task": "greet", "messages": [{"role": "user", "content": "Hi"}]}\n'


def test_a_line_of_50_mb_is_scored_and_a_longer_one_is_rejected(
    bundle: Path, tmp_path: Path
) -> None:
    file, out = tmp_path / "log.jsonl", tmp_path / "rows.jsonl"
    file.write_bytes(_large(LARGE) + SMALL)
    run = CliRunner().invoke(main, ["score", str(bundle), str(file), "-o", str(out)])
    assert run.exit_code == 0, run.output[:2000]
    assert len(out.read_text().splitlines()) == 2
    file.write_bytes(_large(LARGE + (16 << 20)) + SMALL)
    for form in ("cm2", "openai"):
        command = ["score", str(bundle), str(file), "-o", str(out), "--format", form]
        run = CliRunner().invoke(main, command)
        assert run.exit_code == 1, run.output[:2000]
        assert f"{file}:1: rejected: longer than 64 MiB" in run.stderr
        assert len(out.read_text().splitlines()) == 1


def test_a_line_of_50_mb_that_is_cut_off_is_named(bundle: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "log.jsonl", tmp_path / "out"
    file.write_bytes(_large(LARGE)[:-20] + b"\n" + SMALL)
    run = CliRunner().invoke(main, ["score", str(bundle), str(file)])
    assert run.exit_code == 1, run.output[:2000]
    assert f"{file}:1: rejected: not JSON at column " in run.stderr
    assert len(run.stderr) < 1000
    file.write_bytes(_large(LARGE))
    run = CliRunner().invoke(main, ["import", "openai", str(file), "-o", str(out)])
    assert run.exit_code == 2
    assert f"{file}:1: error: the user says more than 100,000 characters" in run.stderr
    assert not out.exists()


def test_a_packed_file_that_breaks_off_keeps_what_was_whole(bundle: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "log.jsonl.gz", tmp_path / "rows.jsonl"
    chance = random.Random(1)
    lines = [SMALL.replace(b"Hi", chance.randbytes(400).hex().encode()) for _ in range(9000)]
    file.write_bytes(gzip.compress(b"".join(lines))[:-3000])
    run = CliRunner().invoke(main, ["score", str(bundle), str(file), "-o", str(out)])
    assert run.exit_code == 1, run.output
    assert "rejected: not a whole gzip file" in run.stderr
    assert len(out.read_text().splitlines()) > 1000
