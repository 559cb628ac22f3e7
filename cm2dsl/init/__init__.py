"""`cm2c init`: a working spec from tool schemas, and from recorded dialogues if there are some.

effects.py   what a call of a tool changes, by its schema or else by its name
tools.py     the tools file, read and written with every effect that is known
numbers.py   a number that a JSON Schema takes
texts.py     a text that a JSON Schema takes
usual.py     values as people write them
values.py    a value that a JSON Schema takes
example.py   a made-up dialogue on the most telling tool, where none is recorded
patterns.py  a recorded call as a check
words.py     what the drafts say, in English and Chinese
guards.py    what must not happen, and the templates that turns share
criteria.py  a recorded turn as items
goldens.py   tests of a task, with the dialogues that they take
tasks.py     recorded dialogues as tasks
command.py   files and messages
"""
