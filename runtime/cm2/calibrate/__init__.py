"""Calibration: a judge against people's labels, against itself, and against another judge."""
