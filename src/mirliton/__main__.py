"""`python -m mirliton` is the command `mirliton`."""

from mirliton.cli import main

main()
