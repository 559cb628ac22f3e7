"""How results are shown: one module a format, each with `show(reports, verbose) -> str`."""
