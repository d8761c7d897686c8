"""`python -m vocalsep` is the command line."""

from .cli import main

main()
