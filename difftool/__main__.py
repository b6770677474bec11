"""`python -m difftool`."""

from difftool.cli.app import main

main()
