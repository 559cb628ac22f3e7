"""A process that puts answers into a cache as fast as it can: FILE NAME COUNT."""

from __future__ import annotations

import sys
from pathlib import Path

from cache_answers import answer, key

from cm2.judge.cache import AnswerCache


def main() -> None:
    path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    print("ready", flush=True)
    cache = AnswerCache(path, lambda: "scripted")
    for number in range(count):
        own = key(f"{name} {number}")
        if cache.get(own) is None:
            cache.put(own, answer(own))
    cache.close()
    print("done", flush=True)


if __name__ == "__main__":
    main()
