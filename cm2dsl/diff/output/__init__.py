"""How a diff is written: one format a file. Each has `show(diff) -> str`."""
