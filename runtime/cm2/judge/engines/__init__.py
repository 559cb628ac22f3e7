"""What can stand behind a judge: one a file, found by its name in `judge.toml`.

A module has `Settings`, the keys that its table may have, and `open_judge(settings, context)`,
which makes the judge or raises JudgeLoadError.
"""
