"""`python -m tests.installed` prints the bin directory of the oldest supported PostgreSQL installed here, if any."""

from __future__ import annotations

from outgrow.local import installed


def oldest() -> str:
    found = installed()
    return str(found[-1].directory) if found else ""


if __name__ == "__main__":
    print(oldest())
