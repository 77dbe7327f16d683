"""The fixed statements of `corpus.sql`: what once went wrong stays asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.differential.block import Block, Case
from tests.differential.sides import How

FILE = Path(__file__).with_name("corpus.sql")
#: Of what only `sides.opened` makes: views, and tables that random statements do not ask.
OWN = Path(__file__).with_name("corpus_own.sql")


def corpus(file: Path = FILE) -> Iterator[tuple[str, Case, How]]:
    """(name, case, how to ask), in file order.

    A statement ends with `;` at the end of a line.  A comment `-- order: total` or `-- order: keys 0 1` before it says
    what its ORDER BY fixes; without it rows compare as a multiset.  A statement with LIMIT needs a total order.
    """
    order: tuple[str, tuple[int, ...]] = ("none", ())
    lines: list[str] = []
    number = 0
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("-- order:"):
            kind, *keys = line.removeprefix("-- order:").split()
            order = (kind, tuple(map(int, keys)))
        elif line.strip() and not line.startswith("--"):
            lines.append(line)
            if line.endswith(";"):
                number += 1
                text = "\n".join(lines).removesuffix(";")
                yield (
                    f"{file.stem} {number}",
                    Case(Block(raw=text), (), "corpus", *order),
                    How(transaction=number % 4 == 0),
                )
                lines, order = [], ("none", ())
