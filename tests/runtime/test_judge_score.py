"""`cm2 score --judge` as people run it: a process, a judge.toml, a server that may be broken."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from judge_server import Request, Response, Server, saying
from judged import verdict
from test_judge_faults import Faulty, honest

SPEC = """cm2 1 domain d tools "tools.json"
task t {
  turn first { user "go"
    item a weight 2 { ask "Is it a?" }
    item b after a { ask "Is it b?" }
    item long { check reply contains "7" }
  }
  item whole { ask "Is it whole?" }
}"""
KEY = "sk-never-to-be-seen-42"


class Desk:
    """A folder with a spec, dialogues and a judge's settings, and runs of `cm2 score` in it."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        (folder / "tools.json").write_text(json.dumps([{"name": "search", "parameters": {}}]))
        (folder / "spec.cm2").write_text(SPEC)
        with (folder / "logs.jsonl").open("w") as file:
            for number in range(count):
                reply = f"t0.s0.reply says {number * 7}"
                messages = [
                    {"role": "user", "content": "go"},
                    {"role": "assistant", "content": reply},
                ]
                file.write(json.dumps({"id": f"d{number}", "messages": messages}) + "\n")

    def judge(self, url: str, **settings: Any) -> None:
        said = {"engine": "openai", "model": "m", "key_env": "JUDGE_KEY", "backoff": 0.01}
        lines = [f"{name} = {json.dumps(value)}" for name, value in (said | settings).items()]
        (self.folder / "judge.toml").write_text("\n".join([*lines, f'urls = ["{url}"]']))

    def command(self, *more: str) -> list[str]:
        run = "from cm2.cli import main; main(prog_name='cm2')"
        start = [sys.executable, "-c", run, "score", "spec.cm2", "logs.jsonl"]
        return [*start, "--judge", "judge.toml", *more]

    def start(self, *more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*more),
            cwd=self.folder,
            env=os.environ | {"JUDGE_KEY": KEY},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *more: str) -> tuple[int, str, str]:
        """Exit code, output, errors; in none of them a traceback or the key."""
        with self.start(*more) as process:
            return self.ended(process)

    def ended(self, process: subprocess.Popen[str]) -> tuple[int, str, str]:
        try:
            out, err = process.communicate(timeout=90)
        finally:
            process.kill()
        for said in (out, err):
            assert "Traceback" not in said, said
            assert "Task was destroyed" not in said, said
            assert KEY not in said
        return process.returncode, out, err

    def rows(self, name: str = "rows.jsonl") -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]


def test_a_run_with_a_broken_server_ends_and_says_what_it_took_and_what_failed(
    tmp_path: Path,
) -> None:
    desk, faulty = Desk(tmp_path, 24), Faulty(3)
    with Server(faulty) as server:
        desk.judge(server.url, deadline=1.0, tries=3)
        code, out, err = desk.run("-o", "rows.jsonl", "--evidence")
        asked = len(server.requests)
        assert {one.headers["authorization"] for one in server.requests} == {f"Bearer {KEY}"}
    assert code == 0, err
    total = re.search(r"judge: (\d+) calls?, (\d+) of them again; (\d+) prompt tokens", out)
    assert total is not None, out
    assert int(total[1]) == asked
    failed = re.search(r"failed calls of the judge: (.*)", out)
    assert failed is not None, out
    assert {"limited", "outage", "timeout", "off_schema"} <= set(re.findall(r"[a-z_]+", failed[1]))
    assert re.search(r"^t\.first\.a +\d+ ", out, re.MULTILINE)
    rows = desk.rows()
    broken = [row for row in rows if "error" in row["items"].values()]
    assert 0 < len(broken) < len(rows)
    assert {row["reward"] for row in broken} == {None}
    assert all(row["reward"] is not None for row in rows if row not in broken)
    for path in tmp_path.iterdir():
        assert KEY not in path.read_text()


def test_an_interrupted_run_goes_on_and_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    def slow(request: Request) -> Response:
        return Response(body=honest(request).body, delay=0.03)

    desk = Desk(tmp_path, 200)
    with Server(slow) as server:
        desk.judge(server.url, concurrency=8)
        with desk.start("-o", "rows.jsonl") as process:
            end = time.monotonic() + 60
            while len(server.requests) < 250:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < end, "it took too long"
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            code, _, err = desk.ended(process)
        assert code == 130, err
        saved = re.fullmatch(r"interrupted: (\d+) dialogues saved; give the same .*\n", err)
        assert saved is not None, err
        assert 0 < int(saved[1]) < 200
        first = len(server.requests)
        code, out, err = desk.run("-o", "rows.jsonl")
        assert (code, err) == (0, f"going on after {saved[1]} dialogues\n"), out
        again = len(server.requests) - first
        code, _, err = desk.run("-o", "whole.jsonl")
        assert code == 0, err
        assert again < len(server.requests) - first - again  # what was saved was not asked again
    assert desk.rows() == desk.rows("whole.jsonl")


def test_an_interrupt_while_all_wait_for_a_server_that_hangs_ends_at_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 4)
    with Server(lambda _: Response(delay=60.0)) as server:
        desk.judge(server.url, deadline=60.0)
        with desk.start("-o", "rows.jsonl") as process:
            end = time.monotonic() + 30
            while not server.requests:
                assert time.monotonic() < end, "it took too long"
                time.sleep(0.01)
            start = time.monotonic()
            process.send_signal(signal.SIGINT)
            code, _, err = desk.ended(process)
    assert (code, err) == (130, "interrupted\n")
    assert time.monotonic() - start < 15
    assert not list(tmp_path.glob("rows*"))


@pytest.mark.parametrize("as_json", [False, True])
def test_a_server_that_ignores_the_schema_is_named_and_nothing_is_scored(
    tmp_path: Path, as_json: bool
) -> None:
    desk = Desk(tmp_path, 10)
    chat = saying("Sure, I would be happy to help.")
    with Server(lambda _: saying(verdict("fail")), probe=lambda _: chat) as server:
        desk.judge(server.url)
        code, out, err = desk.run(*(["--json"] if as_json else ["-o", "rows.jsonl"]))
    assert (code, out) == (2, "")
    assert err.startswith(f"error: `{server.url}` does not hold its answers to the schema")
    assert "  = help: see which `structured` it takes" in err
    assert not list(tmp_path.glob("rows*"))
    assert server.requests == []


def test_a_key_in_the_settings_ends_before_anything_is_sent(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 1)
    with Server(honest) as server:
        desk.judge(server.url, api_key=KEY)
        code, _, err = desk.run()
    assert code == 2
    assert "`api_key` does not belong into settings" in err
    assert (server.probes, server.requests) == ([], [])
