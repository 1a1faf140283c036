"""The command line of `python -m experiments`: one file for each command."""
