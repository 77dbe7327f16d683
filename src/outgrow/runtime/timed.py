"""A connection as the ledger wants it, its statements under one time limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outgrow import ledger
from outgrow.nodes import Asked, Link, Outcome
from outgrow.waits import Steps


class Timed:
    __slots__ = ("_link", "_until")

    def __init__(self, link: Link, until: float | None) -> None:
        self._link = link
        self._until = until

    @property
    def engine(self) -> str:
        return self._link.engine

    def run_chained_steps(self, asked: Sequence[Asked]) -> Steps[list[Outcome]]:
        """Several in one flush and one transaction."""
        return self._link.run_many_steps(asked, until=self._until, chained=True)

    def run_steps(self, sql: str, params: Sequence[Any] | None = None) -> Steps[ledger.Answer]:
        return self._link.run_steps(sql, params, until=self._until)
