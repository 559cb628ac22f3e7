"""The formats of `cm2c lint`: one a file. Each has `show(found, sources) -> str`."""
