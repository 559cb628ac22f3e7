"""Many dialogues scored: in order, in constant memory, by several processes, to be taken up again.

places.py   where a run writes, and what it must not write over
units.py    the input in pieces that a process can score alone
origins.py  whether a run file is of the spec's domain
scripts.py  the task of a dialogue that names none
worker.py   a piece scored: rows, rejects and counts
verdicts.py what a row says of an item
compare.py  a scored dialogue against the official result
tally.py    counts that add up
run.py      pieces handed out, results written in order
output.py   files that are whole or can be gone on with
"""

from __future__ import annotations
