"""`outgrow`: the library's verbs for the shell.  Parses, calls, prints; exit codes 0 right, 1 failed, 2 wrong usage."""

from __future__ import annotations


def main() -> None:
    """The console script."""
    import sys

    from outgrow.doors.cli.app import run

    sys.exit(run(sys.argv[1:]))


__all__ = ["main"]
