"""Dialogues in other people's formats. A format is a module of this folder, found by its name.

It has `read(path)`, which yields a Record for each dialogue, and a Reject for each that is none
(record.py), and raises SourceFault where the file as a whole cannot be read.
"""

from __future__ import annotations
