"""`cm2c fmt`: one layout for every spec. What is written may change its place, never its meaning.

tokens.py   the text as tokens, each with its comments, and where the grammar's parts begin
lines.py    tokens to lines: what stands on one, and where a long one is broken
layout.py   blocks, alignment and blank lines
same.py     whether two texts say the same: the same tree, the same comments
"""

from cm2dsl.fmt.layout import formatted
from cm2dsl.fmt.same import says_the_same

__all__ = ["formatted", "says_the_same"]
