"""The arrays of all shards, each column's laid end to end."""

from __future__ import annotations

from collections.abc import Sequence

from outgrow.errors import NotSupportedError
from outgrow.finish import brought_apart
from outgrow.nodes import Rows
from outgrow.plan import Bring
from outgrow.runtime.measuring import Came, size_of
from outgrow.runtime.reading.size import Size


class Gathering:
    """They are texts of one dimension, so that laying them together is laying their insides together.

    No text is held twice for longer than that takes.
    """

    def __init__(self, brings: Sequence[Bring], rows_max: int, bytes_max: int) -> None:
        self._brings = brings
        self._rows_max = rows_max
        self._size = Size(bytes_max)
        self._types: dict[int, Sequence[str]] = {}
        self._counts = [0] * len(brings)
        self._parts: list[list[list[str]]] = [[[] for _ in bring.columns] for bring in brings]

    def take(self, numbers: Sequence[int], rows: Rows) -> None:
        """One shard's answer for these brings."""
        exact, *cells = rows.rows[0]
        if not exact:
            raise NotSupportedError(
                "OG-RUN-101",
                "rows of several shards are brought together as text, and with this DateStyle or extra_float_digits "
                "text does not say every value exactly",
                cure="leave DateStyle at ISO and extra_float_digits at 1 or more",
            )
        at = 0
        for number in numbers:
            bring = self._brings[number]
            self._counts[number] += cells[at]
            if self._counts[number] > self._rows_max:
                raise NotSupportedError(
                    "OG-RUN-100",
                    f"the query needs more than {self._rows_max:,} rows of {bring.of} on one server",
                    cure="restrict the query, join on the shard key, or raise the domain's finish: {rows_max: …}",
                )
            columns = len(bring.columns)
            self._check_types(number, cells[at + 1 + columns])
            for parts, array in zip(self._parts[number], cells[at + 1 : at + 1 + columns], strict=True):
                if array is not None:
                    self._size.add(array)
                    parts.append(array)
            at += 2 + columns

    def _check_types(self, number: int, types: Sequence[str]) -> None:
        """Arrays are laid end to end unread, so what they hold has to be of one type."""
        known = self._types.setdefault(number, types)
        if known != types:
            bring = self._brings[number]
            column, one, other = next(
                each for each in zip(bring.columns, known, types, strict=True) if each[1] != each[2]
            )
            raise brought_apart(f"{column} of {bring.of}", one.removesuffix("[]"), other.removesuffix("[]"))

    @property
    def rows(self) -> int:
        return sum(self._counts)

    def came(self, expected: Sequence[float] = ()) -> list[Came]:
        """What each bring has brought, beside what was expected of it."""
        return [
            Came(bring.alias, self._counts[at], sum(map(size_of, self._parts[at])), expected[at] if expected else None)
            for at, bring in enumerate(self._brings)
        ]

    def arrays(self) -> list[str]:
        """Those of what has not come yet are empty."""
        return [_whole(parts) for bring in self._parts for parts in bring]


def _whole(parts: list[str]) -> str:
    """The array of all, which takes the place of its parts."""
    if len(parts) > 1:
        parts[:] = ["{" + ",".join([part[1:-1] for part in parts]) + "}"]
    return parts[0] if parts else "{}"
