"""Two processes, one story: what the first has written, the second sees, whichever server it reads from.

The first passes its session's token: signed text, as it would travel in a cookie, a header or a job's payload.

    python examples/hand_over.py [fleet.yaml]

A fleet.yaml that is given is written anew, with the example's tables (see `shop`); all orders of customer 7 in it are
deleted.
"""

from __future__ import annotations

import subprocess
import sys

from shop import shop

import outgrow


def first(path: str) -> None:
    """Write, then have another process continue."""
    with outgrow.open(path) as fleet, fleet.session() as session:
        for round_ in range(1, 6):
            session.execute("DELETE FROM orders WHERE customer_id = %s", [7])
            session.execute("INSERT INTO orders VALUES (%s, %s, %s)", [7, round_, 10 * round_])
            subprocess.run([sys.executable, __file__, path, session.token(), str(round_)], check=True)


def second(path: str, token: str, expected: str) -> None:
    """Another process: its session starts where the token says, never earlier."""
    with outgrow.open(path) as fleet, fleet.session(token=token) as session:
        result = session.execute("SELECT number FROM orders WHERE customer_id = %s", [7])
        seen = result.fetchall()
        print(f"round {expected}: the other process read {seen} from {result.node}", flush=True)
        if seen != [(int(expected),)]:
            raise SystemExit("it should have seen what the first process wrote")


def main() -> None:
    if len(sys.argv) == 4:
        second(*sys.argv[1:])
        return
    with shop() as path:
        first(str(path))


if __name__ == "__main__":
    main()
