"""What a statement draws from sequences before it is routed, and where the numbers go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from outgrow.schema import SequenceDefinition


@dataclass(frozen=True, slots=True)
class Draw:
    """Numbers of one sequence, and which of the added parameters they become (from 0), in the order of drawing."""

    sequence: SequenceDefinition
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Number:
    """A number that may be drawn: not where the user's parameter `given` (from 0) is one already."""

    given: int | None
    #: It goes behind the user's parameters; else it takes the place of `given`.
    behind: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """What to draw before the statement is routed; the numbers go behind the user's parameters."""

    draws: tuple[Draw, ...]
    count: int
    #: Which of the user's parameters (from 0) the rewritten statement still has; None for all of them.
    kept: tuple[int, ...] | None = None
    #: What the numbers are for, for people.
    shown: tuple[str, ...] = ()
    #: Of AUTO_INCREMENT, row by row: there parameters say whether there is anything to draw.
    numbers: tuple[Number, ...] = ()

    def given(self, values: Sequence[Any]) -> Sequence[Any]:
        """What is left of the user's parameters."""
        return values if self.kept is None else [values[at] for at in self.kept]

    def wanted(self, values: Sequence[Any]) -> int:
        """How many of `numbers` have to be drawn."""
        return sum(number.given is None or is_left(values[number.given]) for number in self.numbers)

    def filled(self, values: Sequence[Any], drawn: Iterator[int]) -> list[Any]:
        """The parameters of the statement, with so many drawn numbers where they belong."""
        found = list(values)
        for number in self.numbers:
            value = None if number.given is None else values[number.given]
            value = next(drawn) if number.given is None or is_left(value) else value
            if number.behind or number.given is None:
                found.append(value)
            else:
                found[number.given] = value
        return found


def is_left(value: Any) -> bool:
    """MariaDB draws a number instead: of NULL, and of what it would store as 0."""
    if value is None or isinstance(value, int):
        return not value
    try:
        number = abs(Decimal(value.decode() if isinstance(value, bytes) else value))
        return number < Decimal("0.5") or (isinstance(value, float) and number == Decimal("0.5"))
    except (ArithmeticError, TypeError, ValueError):
        # No number: the server says so.
        return False
