"""Syntax tree to IR: names are resolved, values typed, weights normalised, files read."""
