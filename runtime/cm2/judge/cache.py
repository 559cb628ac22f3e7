"""Answers kept in an SQLite file, for every process that judges with it."""

from __future__ import annotations

from pathlib import Path

from cm2.judge.engine import Answered


class AnswerCache:
    def __init__(self, path: Path) -> None:
        raise NotImplementedError

    def get(self, key: str) -> Answered | None:
        raise NotImplementedError

    def put(self, key: str, answer: Answered) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
