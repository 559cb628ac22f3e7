"""Keys and answers that follow from them, so that every process knows what must be in a cache."""

from __future__ import annotations

import hashlib

from cm2.judge import Answered, Usage


def key(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def answer(own: str) -> Answered:
    """The answer under a key: some hundred letters, as a judge's is."""
    return Answered(f"{own} 好 " * 5, Usage(len(own), None, 7, 0.25), int(own[:4], 16) / 65536)
