"""Forces a tier of the finish: every query over several shards is brought, and DuckDB answers whatever it may."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock

from outgrow import plan
from outgrow.finish import DuckFinish, Unanswered
from outgrow.plan import Places, Plan, Rendered, Unvetted
from outgrow.runtime.reading import columnar
from outgrow.schema import Schema
from outgrow.statement import Statement
from outgrow.topology import Domain

FINISHES = ("auto", "postgresql", "duckdb")


@dataclass(slots=True)
class Share:
    """What DuckDB took, and why it did not take the rest."""

    taken: int = 0
    unanswered: Counter[str] = field(default_factory=Counter)
    unvetted: Counter[str] = field(default_factory=Counter)

    def told(self, total: int) -> str:
        left = sum(self.unanswered.values()) + sum(self.unvetted.values())
        return (
            f"DuckDB answered {self.taken} of {self.taken + left} brought queries ({total} statements); "
            f"{sum(self.unvetted.values())} not vetted, {sum(self.unanswered.values())} left by it"
        )


@contextlib.contextmanager
def forced(finish: str) -> Iterator[Share]:
    """While this is open, plans bring where they can, and the share is counted."""
    share = Share()
    if finish == "auto":
        yield share
        return
    build, rows, rendered = plan.build, DuckFinish.rows, columnar._Running.finished

    def bringing(statement: Statement, schema: Schema, domain: Domain) -> Plan:
        made = build(statement, schema, domain)
        if not statement.read_only or made.brought is not None or made.change is not None:
            return made
        return plan.bringing(made, Places(schema, replace(domain, finish=replace(domain.finish, engine=finish))))

    def counted(self: DuckFinish, query: Rendered, zone: Any) -> list[tuple[Any, ...]]:
        found = rows(self, query, zone)
        share.taken += 1
        return found

    def noted(*args: Any) -> list[tuple[Any, ...]]:
        try:
            return rendered(*args)
        except Unanswered as why:
            share.unanswered[str(why).splitlines()[0][:60]] += 1
            raise

    original = columnar.render_duckdb

    def looked(*args: Any) -> Rendered | Unvetted:
        found = original(*args)
        if isinstance(found, Unvetted):
            share.unvetted[found.reason[:60]] += 1
        return found

    with (
        mock.patch.object(plan, "build", bringing),
        mock.patch.object(DuckFinish, "rows", counted),
        mock.patch.object(columnar._Running, "finished", noted),
        mock.patch.object(columnar, "render_duckdb", looked),
    ):
        yield share
