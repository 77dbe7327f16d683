"""What a statement answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from outgrow.errors import InterfaceError
from outgrow.finish import Finisher
from outgrow.nodes import Field, Inserted, Rows


class Result:
    """The rows of one statement, all fetched, as tuples of the Python values psycopg gives.

    `rowcount` is the number of rows returned or affected (-1: the server did not say), `node` the server that
    answered, or None where several shards did (`nodes` names them all), `notices` what outgrow has to say about it,
    `missing` the shards that did not answer, where `allow_partial` was asked for.  `lastrowid` is, as MariaDB's
    drivers have it, the first number that AUTO_INCREMENT gave for the statement; None where there is none.
    """

    __slots__ = ("_at", "_rows", "fields", "lastrowid", "missing", "nodes", "notices", "rowcount", "statusmessage")

    def __init__(
        self,
        fields: Sequence[Field],
        rows: list[tuple[Any, ...]],
        statusmessage: str,
        rowcount: int,
        nodes: tuple[str, ...],
        notices: tuple[str, ...] = (),
        missing: tuple[str, ...] = (),
    ) -> None:
        self.fields = tuple(fields)
        self._rows = rows
        self._at = 0
        self.statusmessage = statusmessage
        self.rowcount = rowcount
        self.nodes = nodes
        self.notices = notices
        self.missing = missing
        self.lastrowid: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def node(self) -> str | None:
        return self.nodes[0] if len(self.nodes) == 1 else None

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row, or None behind the last."""
        rows = self._result_rows()
        if self._at >= len(rows):
            return None
        self._at += 1
        return rows[self._at - 1]

    def fetchmany(self, size: int = 1) -> list[tuple[Any, ...]]:
        rows = self._result_rows()[self._at : self._at + size]
        self._at += len(rows)
        return rows

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows not fetched yet."""
        rows = self._result_rows()
        if self._at:
            rows = rows[self._at :]
        self._at += len(rows)
        return rows

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while (row := self.fetchone()) is not None:
            yield row

    def _result_rows(self) -> list[tuple[Any, ...]]:
        if not self.fields and not self._rows:
            if self.statusmessage.startswith("SELECT"):
                return self._rows
            raise InterfaceError(
                "OG-RUN-001",
                f"{self.statusmessage or 'the statement'} returned no rows to fetch",
                cure="fetch after a SELECT or a statement with RETURNING; `rowcount` has the number of rows affected",
            )
        return self._rows


def answer_of(rows: Rows, node: str) -> Result:
    """The result of one shard's answer."""
    result = Result(rows.fields, rows.rows, rows.status, rows.count, (node,))
    if type(rows) is Inserted:
        result.lastrowid = rows.number
    return result


def finished(finisher: Finisher, answers: Sequence[Rows]) -> tuple[list[Field], list[tuple[Any, ...]]]:
    """The one result of fragments that have all arrived."""
    fields = [Field(*column) for column in finisher.begin([answer.fields for answer in answers])]
    for index, answer in enumerate(answers):
        finisher.feed(index, answer.rows)
        finisher.end(index)
    return fields, finisher.ready()
