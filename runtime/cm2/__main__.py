"""`python -m cm2`, as launchers that take a module want it."""

from cm2.cli import main

main()
