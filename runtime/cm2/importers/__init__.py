"""Other people's tasks as .cm2 specs. An importer is a module of this folder, found by its name.

It has `HELP`, one line for `cm2 import --help`, and `read(path, options)`, which makes drafts
(draft.py) out of a file or a folder and raises SourceFault (source.py). `write.py` writes drafts.
"""

from __future__ import annotations
