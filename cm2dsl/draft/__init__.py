"""Specs that are made by a program: from somebody's tasks, or from tool schemas.

spec.py      what a spec says, as plain records
syntax.py    pieces of .cm2 text: names, values, constraints and calls
wrapping.py  checks on as many lines as they take
titles.py    what a task is called
text.py      the records as .cm2 text
write.py     files in a folder, all of them or none
"""
