"""Answers are kept for every process, through kills and damage, and nothing else is touched."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from cache_answers import answer, key
from click.testing import CliRunner
from judged import Scripted, decided, item, question, spec, verdict

from cm2.cli import main
from cm2.commands.judge_report import judge_text
from cm2.judge import Answer, Answered, Failed, JudgeLoadError, Prompt, PromptedJudge
from cm2.judge.cache import AnswerCache
from cm2.judge.cache_file import MAGIC
from cm2.judge.desk import Limits
from cm2.trajectory import Step, Trajectory, Turn

HERE = Path(__file__).parent
REPLY = ("t0.s1.reply", "MU5101 departs at 08:00")
ENDS = 60.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.sqlite"


@pytest.fixture
def said() -> list[str]:
    return []


def opened(path: Path, said: list[str] | None = None) -> AnswerCache:
    return AnswerCache(path, lambda: "scripted", (said if said is not None else []).append)


def filled(path: Path, count: int = 200) -> list[str]:
    """A closed cache of `count` answers; their keys."""
    keys = [key(str(number)) for number in range(count)]
    with closing(opened(path)) as cache:
        for one in keys:
            cache.put(one, answer(one))
    return keys


def found(path: Path, keys: Sequence[str], said: list[str] | None = None) -> int:
    """How many of the keys have their answer; none has another's."""
    with closing(opened(path, said)) as cache:
        answers = [cache.get(one) for one in keys]
    assert all(one in (None, answer(own)) for own, one in zip(keys, answers, strict=True))
    return sum(one is not None for one in answers)


def assert_sound(path: Path) -> int:
    """SQLite finds nothing wrong; how many rows there are."""
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        count: int = file.execute("SELECT count(*) FROM answers").fetchone()[0]
        return count


def started(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    """A process that fills a cache, and has loaded everything."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "cache_writer.py"), str(path), name, str(count)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def aside(path: Path) -> list[Path]:
    """Damaged files that were moved aside."""
    names = sorted(path.parent.glob(f"{path.name}.damaged-*"))
    return [one for one in names if not one.name.endswith(("-wal", "-shm", "-journal"))]


# --- what is kept -----------------------------------------------------------------------------


def test_an_answer_is_there_at_once_and_in_the_next_process_with_all_that_was_said(
    path: Path,
) -> None:
    own = key("one")
    with closing(opened(path)) as cache:
        assert cache.get(own) is None
        cache.put(own, answer(own))
        assert cache.get(own) == answer(own)
    with closing(opened(path)) as cache:
        again = cache.get(own)
        assert again == answer(own)
        assert again is not None
        assert again.usage == answer(own).usage


def test_the_first_answer_stays(path: Path) -> None:
    own = key("one")
    filled(path)
    with closing(opened(path)) as first, closing(opened(path)) as second:
        first.put(own, answer(own))
        second.put(own, Answered("another"))
    assert found(path, [own]) == 1


def test_a_cache_lies_in_a_folder_that_it_makes(tmp_path: Path) -> None:
    deep = tmp_path / "new" / "folder" / "a?b#c%20 好.sqlite"
    keys = filled(deep)
    assert found(deep, keys) == len(keys)


def judged(path: Path, reply: Callable[[Prompt], Answer | str], **own: object) -> Scripted:
    """The engine after a question was decided with a cache."""
    engine = Scripted(reply)
    cache = AnswerCache(path, lambda: engine.identity)
    judge = PromptedJudge(engine, limits=Limits(backoff=0, tries=2), cache=cache)
    with judge:
        decided(judge, question(**own))  # type: ignore[arg-type]
    return engine


def test_what_was_answered_is_not_asked_again_by_another_process(path: Path) -> None:
    passes = lambda _: verdict("pass", REPLY)  # noqa: E731
    assert len(judged(path, passes).asked) == 1
    assert judged(path, passes).asked == []
    assert len(judged(path, passes, own=spec(votes=3)).asked) == 2
    assert judged(path, passes, own=spec(votes=3)).asked == []


@pytest.mark.parametrize(
    "bad",
    [Failed("outage", "outage"), Failed("outage", "outage", again=True), "not json", '{"a": 1}'],
)
def test_an_error_is_never_stored(path: Path, bad: Answer | str) -> None:
    judged(path, lambda _: bad)
    assert assert_sound(path) == 0
    assert len(judged(path, lambda _: verdict("pass", REPLY)).asked) == 1


LATER = Trajectory("d9", "book", (Turn("Find me a flight", (Step(reply="No."),)), Turn("Bye")))


def test_the_key_has_the_item_what_is_shown_the_sample_and_the_judge_and_nothing_else(
    path: Path,
) -> None:
    def key_of(identity: str = "scripted", seed: int | None = None, **own: object) -> str:
        engine = Scripted(lambda _: verdict("fail"))
        engine.identity = identity
        keys: list[str] = []

        class Watched(AnswerCache):
            def get(self, key: str) -> Answered | None:
                keys.append(key)
                return super().get(key)

        judge = PromptedJudge(engine, cache=Watched(path, lambda: identity))
        with judge:
            decided(judge, question(**own))  # type: ignore[arg-type]
        return keys[0]

    plain = key_of(trajectory=LATER)
    others = [
        key_of(trajectory=LATER, one=item("Is it other?")),
        key_of(trajectory=LATER, one=item(kind="always")),
        key_of(trajectory=LATER, one=item(focus="tool_call")),
        key_of(trajectory=LATER, own=spec(votes=3)),
        key_of(trajectory=LATER, own=spec(system="Be brief.")),
        key_of(trajectory=LATER, identity="another model"),
        key_of(trajectory=Trajectory("d9", "book", (Turn("Find a flight", (Step(reply="No."),)),))),
    ]
    assert len({plain, *others}) == 8
    unseen = Trajectory("other", "book", (LATER.turns[0], Turn("Something else")))
    assert key_of(trajectory=unseen) == plain


def test_a_run_says_which_share_of_its_answers_was_in_the_cache(path: Path) -> None:
    def judged_text(*asks: str) -> str:
        engine = Scripted(lambda _: verdict("fail"))
        judge = PromptedJudge(engine, cache=AnswerCache(path, lambda: engine.identity))
        with judge:
            decided(judge, *(question(item(ask)) for ask in asks))
        return judge_text(judge.ledger)

    assert "cache" not in judged_text("One?", "Two?", "Three?")
    assert "1 call; 3 answers (75%) out of the cache" in judged_text(
        "One?", "Two?", "Three?", "Four?"
    )


# --- killed, and at once ----------------------------------------------------------------------


@pytest.mark.parametrize("run", range(6))
def test_a_cache_survives_kill_9_in_mid_write(path: Path, run: int) -> None:
    keys = [key(f"killed {number}") for number in range(60_000)]
    known = 0
    for again in range(2):
        process = started(path, "killed", len(keys))
        time.sleep(0.001 * 3**run + 0.05 * again)
        assert process.poll() is None, "it ended before it could be killed"
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=ENDS)
        said: list[str] = []
        count = found(path, keys, said)
        assert said == []
        assert assert_sound(path) == count
        assert count >= known
        known = count
    assert known > 0
    assert aside(path) == []


def test_processes_that_write_at_once_lose_nothing(path: Path) -> None:
    names = ["own 0", "own 1", "shared", "shared"]
    count = 4_000
    running = [started(path, name, count) for name in names]
    for process in running:
        out, err = process.communicate(timeout=ENDS)
        assert (process.returncode, out, err) == (0, "done\n", "")
    keys = [key(f"{name} {number}") for name in dict.fromkeys(names) for number in range(count)]
    assert found(path, keys) == len(keys) == assert_sound(path)


def test_one_process_is_killed_and_the_other_goes_on(path: Path) -> None:
    killed, other = started(path, "killed", 10**6), started(path, "other", 6_000)
    time.sleep(0.2)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=ENDS)
    assert other.communicate(timeout=ENDS) == ("done\n", "")
    assert found(path, [key(f"other {number}") for number in range(6_000)]) == 6_000


# --- damage -----------------------------------------------------------------------------------


def garbage(path: Path) -> None:
    path.write_bytes(b"\xa5nothing that anybody wrote" * 500)


def half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def no_head(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(4096))


def pages(path: Path) -> None:
    with path.open("r+b") as file:
        for place in range(4096, path.stat().st_size, 4096):
            file.seek(place)
            file.write(b"\xa5" * 2000)


def schema(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xa5" * 3000)


DAMAGE = [garbage, half, no_head, pages, schema]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_moved_aside_reported_and_begun_anew(
    path: Path, said: list[str], damage: Callable[[Path], None]
) -> None:
    keys = filled(path)
    damage(path)
    before = path.read_bytes()
    with closing(opened(path, said)) as cache:
        for one in keys:
            end = time.monotonic() + ENDS
            while cache.get(one) is None and time.monotonic() < end:
                cache.put(one, answer(one))
    (moved,) = aside(path)
    assert moved.read_bytes() == before
    assert said == [
        f"warning: the cache `{path}` is damaged: it is now `{moved}`, and a new one is begun"
    ]
    assert found(path, keys) == len(keys) == assert_sound(path)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_is_damaged_while_it_is_open_costs_no_answer_of_later(
    path: Path, said: list[str], damage: Callable[[Path], None]
) -> None:
    filled(path, 2_000)
    fresh = [key(f"fresh {number}") for number in range(3_000)]
    with closing(opened(path, said)) as cache:
        for one in fresh[:100]:
            cache.put(one, answer(one))
        damage(path)
        for one in fresh[100:]:
            cache.put(one, answer(one))
            assert cache.get(one) in (None, answer(one))
            time.sleep(0.0001)
    assert len(said) <= 1
    assert found(path, fresh[-100:], said) == 100
    assert len(aside(path)) == len(said) <= 1
    assert assert_sound(path) > 0


def test_what_is_not_yet_moved_into_a_damaged_file_does_not_make_it_look_sound(
    path: Path, said: list[str]
) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as writer:  # its log is not moved into the file before end
        writer.execute("CREATE TABLE more (page TEXT)")
        writer.execute("INSERT INTO more VALUES (hex(randomblob(100000)))")
        writer.commit()
        garbage(path)
        with closing(opened(path, said)) as cache:
            cache.put(key("new"), answer(key("new")))
    assert found(path, [key("new")]) == 1
    assert len(aside(path)) == len(said) == 1


def test_two_processes_that_find_the_damage_at_once_move_one_file(path: Path) -> None:
    filled(path, 2_000)
    pages(path)
    running = [started(path, "again", 3_000) for _ in range(2)]
    texts = [process.communicate(timeout=ENDS) for process in running]
    assert [out for out, _ in texts] == ["done\n", "done\n"]
    assert "".join(err for _, err in texts).count("is damaged") == 1
    assert len(aside(path)) == 1
    keys = [key(f"again {number}") for number in range(3_000)]
    with_first = found(path, keys)  # what went to the old file before is lost
    assert with_first > 0
    assert assert_sound(path) == with_first


def test_a_verdict_that_was_changed_on_the_disk_is_not_believed(
    path: Path, said: list[str]
) -> None:
    own = key("one")
    with closing(opened(path)) as cache:
        cache.put(own, Answered(verdict("fail")))
    data = path.read_bytes()
    assert data.count(b'"verdict": "fail"') == 1
    path.write_bytes(data.replace(b'"verdict": "fail"', b'"verdict": "pass"'))
    with closing(opened(path, said)) as cache:
        assert cache.get(own) is None
        assert cache.get(own) is None
        cache.put(own, Answered(verdict("fail")))
    assert said == [f"warning: an answer in the cache `{path}` was changed: not used"]
    with closing(opened(path)) as cache:
        assert cache.get(own) == Answered(verdict("fail"))


def test_a_file_that_is_taken_away_while_it_is_open_is_begun_anew(
    path: Path, said: list[str]
) -> None:
    filled(path)
    fresh = [key(f"fresh {number}") for number in range(200)]
    with closing(opened(path, said)) as cache:
        for one in path.parent.glob("answers.sqlite*"):
            one.unlink()
        for own in fresh:
            cache.put(own, answer(own))
    assert (said, found(path, fresh), assert_sound(path)) == ([], 200, 200)


# --- files that are no cache, or cannot be written ----------------------------------------------


def text_file(path: Path) -> None:
    path.write_text('{"id": "a dialogue"}\n')


def other_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE answers (key, text)")
        other.commit()
    assert path.read_bytes().startswith(MAGIC)


def folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [text_file, other_database, folder])
def test_a_file_of_another_program_is_refused_and_left_as_it_is(
    path: Path, make: Callable[[Path], None]
) -> None:
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(JudgeLoadError, match="is not a cache of answers, and is left as it is"):
        opened(path)
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_another_programs_database_in_the_place_of_a_cache_is_refused_too(path: Path) -> None:
    filled(path)
    path.unlink()
    other_database(path)
    with pytest.raises(JudgeLoadError, match="is not a cache"):
        opened(path)
    assert aside(path) == []


def test_a_cache_of_a_newer_version_is_refused(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA user_version = 99")
    with pytest.raises(JudgeLoadError, match="newer version"):
        opened(path)
    assert aside(path) == []


def as_other_user(work: Callable[[], None]) -> Iterator[None]:
    """Run in a process without the rights of root, which may write everywhere."""
    child = os.fork()
    if not child:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            work()
            status = 0
        except BaseException as error:
            print(repr(error), file=sys.stderr)
        finally:
            os._exit(status)
    _, code = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(code) == 0
    yield


def test_where_nothing_can_be_written_old_answers_are_read_and_new_ones_are_not_kept(
    tmp_path: Path,
) -> None:
    home = tmp_path / "shared"
    path = home / "answers.sqlite"
    keys = filled(path)
    for part in home.iterdir():
        part.chmod(0o444)
    home.chmod(0o555)
    parents = [one for one in home.parents if one != Path("/")]
    before = [one.stat().st_mode for one in parents]
    if os.geteuid() == 0:
        for one in parents:
            one.chmod(one.stat().st_mode | 0o055)

    def work() -> None:
        said: list[str] = []
        cache = opened(path, said)
        assert [cache.get(one) for one in keys] == [answer(one) for one in keys]
        for _ in range(2):
            cache.put(key("new"), answer(key("new")))
        assert cache.get(key("new")) is None
        cache.close()
        (only,) = said
        assert "answers are not kept" in only

    try:
        list(as_other_user(work))
    finally:
        for one, mode in zip(parents, before, strict=True):
            one.chmod(mode)
        home.chmod(0o755)


def test_on_a_full_disk_judging_goes_on_and_it_is_said_once(path: Path) -> None:
    keys = filled(path)
    code = f"""
import resource, sys
from pathlib import Path
sys.path.insert(0, {str(HERE)!r})
from cache_answers import answer, key
from cm2.judge.cache import AnswerCache
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
cache = AnswerCache(Path({str(path)!r}), lambda: "scripted")
for number in range(3_000):
    own = key(f"more {{number}}")
    assert cache.get(own) is None
    cache.put(own, answer(own))
    if not number % 100:
        assert cache.get(key("7")) == answer(key("7"))
cache.close()
"""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=ENDS, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"warning: the cache `{path}` cannot be written: ")
    said: list[str] = []
    assert found(path, keys, said) == len(keys)
    assert (said, aside(path)) == ([], [])


# --- cm2 cache ----------------------------------------------------------------------------------


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["cache", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def of_engines(path: Path, **counts: int) -> None:
    for name, count in counts.items():
        with closing(AnswerCache(path, partial(str, f"{name} 7B"))) as cache:
            for number in range(count):
                cache.put(key(f"{name} {number}"), answer(key(f"{name} {number}")))


def test_info_says_size_engines_ages_and_how_often_an_answer_was_found(path: Path) -> None:
    of_engines(path, old=30, new=10)
    with closing(AnswerCache(path, lambda: "new 7B")) as cache:
        for number in range(20):
            cache.get(key(f"new {number}"))
    with closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE answers SET used = used - 864000 WHERE engine = 1")
        file.commit()
    text = run("info", path)
    assert f"{path}: 40 answers" in text
    told = json.loads(run("info", path, "--json"))
    assert {one["identity"]: one["answers"] for one in told["engines"]} == {
        "old 7B": 30,
        "new 7B": 10,
    }
    assert told["ages"] == {
        "within a day": 10,
        "within a week": 0,
        "within 30 days": 30,
        "earlier": 0,
    }
    assert "found 50.0%: 10 of 20 look-ups" in text
    assert (told["wrong"], told["size"]) == ("", path.stat().st_size)
    assert {one.name for one in path.parent.iterdir()} == {path.name, f"{path.name}.lock"}


def test_an_answer_that_is_used_is_not_old(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path, 10)
    now = time.time()
    monkeypatch.setattr("cm2.judge.cache.time.time", lambda: now + 40 * 86_400)
    with closing(opened(path)) as cache:
        for number in range(3):
            assert cache.get(key(str(number))) is not None
    assert "7 answers taken out" in run("prune", path, "--unused", "30d")
    assert found(path, [key(str(number)) for number in range(10)]) == 3


def test_prune_by_engine_takes_only_its_answers(path: Path) -> None:
    of_engines(path, old=30, new=10)
    assert "30 answers taken out" in run("prune", path, "--engine", "old")
    assert found(path, [key(f"new {number}") for number in range(10)]) == 10
    assert "0 answers taken out" in run("prune", path, "--engine", "new", "--unused", "1h")


@pytest.mark.parametrize("share", [0.8, 0.5, 0.2])
def test_prune_by_size_keeps_what_was_used_last_and_reaches_the_size(
    path: Path, share: float
) -> None:
    keys = filled(path, 3_000)
    with closing(sqlite3.connect(path)) as file:
        for number, one in enumerate(keys):
            file.execute("UPDATE answers SET used = ? WHERE key = ?", (number, bytes.fromhex(one)))
        file.commit()
    whole = path.stat().st_size
    run("prune", path, "--size", f"{int(whole * share)}B")
    assert 0.7 * share * whole < path.stat().st_size <= share * whole
    kept = found(path, keys)
    assert found(path, keys[-kept:]) == kept > 0


def test_clear_leaves_an_empty_cache_also_while_a_judge_uses_it(path: Path) -> None:
    keys = filled(path, 500)
    with closing(opened(path)) as cache:
        assert "500 answers taken out" in run("clear", path)
        assert cache.get(keys[0]) is None
        cache.put(keys[0], answer(keys[0]))
    assert found(path, keys) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "{path}"], "there is no file"),
        (["prune", "{path}"], "nothing says what goes"),
        (["prune", "{path}", "--unused", "soon"], "`soon` is no time such as `30d`"),
        (["prune", "{path}", "--size", "5 parsecs"], "`5 parsecs` is no size such as `500MB`"),
        (["clear", "{here}/judged.py"], "is not a cache of answers, and is left as it is"),
    ],
)
def test_a_mistake_is_said_in_a_line_and_touches_nothing(
    path: Path, arguments: list[str], message: str
) -> None:
    said = run(*(one.format(path=path, here=HERE) for one in arguments), code=2)
    assert message in said
    assert list(path.parent.iterdir()) == []
    assert not (HERE / "judged.py.lock").exists()


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_cache_is_said_to_be_by_info_and_mended_by_clear(
    path: Path, damage: Callable[[Path], None]
) -> None:
    filled(path)
    damage(path)
    result = CliRunner().invoke(main, ["cache", "info", str(path)])
    assert "damaged" in result.output or "cannot read" in result.output
    assert "Traceback" not in result.output
    run("clear", path, code=0)
    assert assert_sound(path) == 0
