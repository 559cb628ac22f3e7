"""The formats `openai` and `cm2`: chat logs a line each or in one list, faults line by line."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cm2.formats import cm2 as own
from cm2.formats import openai, streaming
from cm2.formats.record import Record, Reject
from cm2.formats.source import SourceFault

CHAT: dict[str, Any] = {
    "id": "a",
    "task": "greet",
    "messages": [
        {"role": "user", "content": "Is the museum open?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "function": {"name": "hours", "arguments": '{"day": "Monday"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "closed"},
        {"role": "assistant", "content": "It is closed on Mondays."},
    ],
}

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "log.jsonl"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def line(**changes: Any) -> str:
    return json.dumps({**CHAT, **changes}) + "\n"


def only_reject(read: Iterator[Record | Reject]) -> Reject:
    (found,) = [entry for entry in read if isinstance(entry, Reject)]
    return found


def ids(read: Iterator[Record | Reject]) -> list[str]:
    return [entry.trajectory.id for entry in read if isinstance(entry, Record)]


def test_a_line_is_a_dialogue_with_its_line_number(write: Write) -> None:
    first, second = openai.read(write("\n" + line() + line(id="b")))
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert (first.line, second.line) == (2, 3)
    assert first.trajectory.turns[0].steps[0].calls[0].result == "closed"
    assert first.official is None


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_list_holds_dialogues_too(write: Write, indent: int | None) -> None:
    text = json.dumps([CHAT, {**CHAT, "id": "b"}], indent=indent)
    records = list(openai.read(write(text)))
    assert ids(iter(records)) == ["a", "b"]
    assert [entry.line for entry in records] == [None, None]


def test_one_object_over_several_lines_is_a_dialogue(write: Write) -> None:
    assert ids(openai.read(write(json.dumps(CHAT, indent=2)))) == ["a"]


def test_a_byte_order_mark_is_no_part_of_the_first_line(write: Write) -> None:
    assert ids(openai.read(write(b"\xef\xbb\xbf" + line().encode()))) == ["a"]


def test_a_dialogue_without_an_id_has_its_line_or_place_as_id(write: Write) -> None:
    bare = {"messages": CHAT["messages"]}
    assert ids(openai.read(write(line() + json.dumps(bare)))) == ["a", "2"]
    assert ids(openai.read(write(json.dumps([CHAT, bare])))) == ["a", "2"]


def test_a_number_as_id_is_taken_as_text(write: Write) -> None:
    assert ids(openai.read(write(line(id=7)))) == ["7"]


def test_openai_needs_no_task_and_cm2_does(write: Write) -> None:
    path = write(line() + line(id="b", task=None))
    assert ids(openai.read(path)) == ["a", "b"]
    assert ids(own.read(path)) == ["a"]
    reject = only_reject(own.read(path))
    assert (reject.line, reject.reason) == (2, "the dialogue names no task")
    assert "`openai`" in reject.help


@pytest.mark.parametrize(
    ("bad", "path", "reason"),
    [
        (b'{"messages": [{"role": "user", "content": "\xff"}]}\n', "", "not UTF-8"),
        (b'{"messages": [], "score": NaN}\n', "", "`NaN` is not JSON"),
        (b"[1, 2\n", "", "not JSON"),
        (b"3\n", "", "found `3`"),
        (b'{"id": "x"}\n', "", "`messages` is missing"),
        (b'{"messages": {}}\n', "messages", "found `{}`"),
        (b'{"messages": ["hi"]}\n', "messages[0]", 'found `"hi"`'),
        (b'{"messages": [{"role": "bot"}]}\n', "messages[0]", '`role` is `"bot"`'),
        (b'{"messages": [{"role": "user", "content": 5}]}\n', "messages[0]", "`content` is `5`"),
        (b'{"messages": [], "id": []}\n', "", "`id` is `[]`"),
        (b'{"messages": ' + b"[" * 5000 + b"]" * 5000 + b"}\n", "", "nested too deeply"),
    ],
)
def test_a_bad_line_is_rejected_with_its_place_and_the_rest_is_read(
    write: Write, bad: bytes, path: str, reason: str
) -> None:
    file = write(line().encode() + bad + line(id="c").encode())
    assert ids(openai.read(file)) == ["a", "c"]
    reject = only_reject(openai.read(file))
    assert (reject.file, reject.line, reject.path) == (str(file), 2, path)
    assert reject.reason.startswith(reason)
    assert reject.help


def test_a_bad_element_of_a_list_is_rejected_with_its_index(write: Write) -> None:
    file = write(json.dumps([CHAT, {"messages": [{"role": "bot"}]}]))
    reject = only_reject(openai.read(file))
    assert (reject.line, reject.path) == (None, "[1].messages[0]")
    assert ids(openai.read(file)) == ["a"]


def test_a_truncated_last_line_is_rejected(write: Write) -> None:
    reject = only_reject(openai.read(write(line() + line()[:60])))
    assert reject.line == 2


def test_a_broken_first_line_costs_only_itself(write: Write) -> None:
    file = write(line()[:60] + "\n" + line())
    assert ids(openai.read(file)) == ["a"]
    assert only_reject(openai.read(file)).line == 1


@pytest.mark.parametrize("content", ["", "\n \n", "[]"])
def test_a_file_without_a_dialogue_is_a_fault(write: Write, content: str) -> None:
    with pytest.raises(SourceFault, match="the file holds no dialogue"):
        list(openai.read(write(content)))


def test_a_list_that_stops_in_the_middle_is_a_fault(write: Write) -> None:
    with pytest.raises(SourceFault, match="not JSON") as fault:
        list(openai.read(write('[\n{"messages": [')))
    assert fault.value.line == 2


def test_a_line_that_is_too_long_is_rejected_unread(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "LONGEST", 1 << 20)
    long = b'{"messages": "' + b"x" * (40 << 20) + b'"}\n'
    file = write(line().encode() + long + line(id="c").encode())
    tracemalloc.start()
    try:
        entries = list(openai.read(file))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert ids(iter(entries)) == ["a", "c"]
    reject = only_reject(iter(entries))
    assert (reject.line, reject.reason) == (2, "longer than 1 MiB")
    assert peak < 8 << 20


def test_memory_does_not_grow_with_the_number_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(2000):
            file.write(line(note="y" * 10_000).encode())
    tracemalloc.start()
    try:
        count = sum(1 for _ in openai.read(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 2000
    assert peak < 2 << 20


def test_a_gzip_file_is_unpacked_and_what_is_left_of_a_broken_one_is_read(tmp_path: Path) -> None:
    noise = "".join(chr(33 + (i * i * 7919 + i // 13) % 90) for i in range(200_000))
    lines = [line(), line(id="b"), line(id="c", note=noise)]
    packed = gzip.compress("".join(lines).encode())
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(packed)
    assert ids(openai.read(path)) == ["a", "b", "c"]
    path.write_bytes(packed[: len(packed) // 2])
    assert ids(openai.read(path)) == ["a", "b"]
    reject = only_reject(openai.read(path))
    assert reject.reason.startswith("not a whole gzip file")
    assert reject.line == 3


def test_a_file_that_is_no_gzip_under_such_a_name_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl.gz"
    path.write_text(line())
    with pytest.raises(SourceFault, match="not a whole gzip file"):
        list(openai.read(path))


def test_a_folder_raises_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        list(openai.read(tmp_path))
