"""Attacks on a judge: dialogues that try to be passed, though their item is plainly not met.

cases(pattern)         the cases, made by code, always the same
attack(judge, cases)   what a judge decides on them
share_of(outcomes)     how many it let through
"""

from __future__ import annotations

from cm2.judge.attack.cases import Case, cases
from cm2.judge.attack.run import Outcome, Share, attack, share_of

__all__ = ["Case", "Outcome", "Share", "attack", "cases", "share_of"]
