"""`python -m scopezoo` is the command line too."""

from scopezoo.cli import main

main()
