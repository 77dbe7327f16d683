"""A link as what a load goes to, whatever its engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outgrow.moving.load_inserts import InsertTarget
from outgrow.moving.load_layout import Layout, quoted
from outgrow.nodes import Link, Rows
from outgrow.topology import TableName
from outgrow.waits import Steps


def target_of(link: Link, layout: Layout) -> LinkTarget | InsertTarget:
    return InsertTarget(link, layout) if link.engine == "mariadb" else LinkTarget(link)


class LinkTarget:
    """A link as the load's copy target."""

    __slots__ = ("_copy", "_link")

    def __init__(self, link: Link) -> None:
        self._link = link
        self._copy = link.copy_in()

    @property
    def engine(self) -> str:
        return self._link.engine

    def named(self, table: TableName) -> str:
        return f"{quoted(table.schema)}.{quoted(table.name)}"

    def emptied(self, table: TableName) -> str:
        # In the load's own transaction: if the load fails, the old rows are back.
        return f"TRUNCATE {self.named(table)}"

    def run_steps(self, sql: str, params: Sequence[Any] | None = None) -> Steps[Rows]:
        return self._link.run_steps(sql, params, prepare=False)

    def begin_steps(self, sql: str) -> Steps[None]:
        self._copy = self._link.copy_in()
        return self._copy.begin_steps(sql)

    def send_steps(self, data: bytes | memoryview) -> Steps[None]:
        return self._copy.send_steps(data)

    def finish_steps(self) -> Steps[int]:
        return self._copy.finish_steps()

    def abort_steps(self, reason: str) -> Steps[None]:
        return self._copy.abort_steps(reason)
