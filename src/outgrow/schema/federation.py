"""What a statement over several domains is bound to: the tables of all of them, as one of the domains understands them.

That domain (the *home*) is PostgreSQL, and its server finishes the statement: functions, types, collations and what a
comparison means are its own.  A table of another domain is one of foreign columns: a type that the home does not have,
or text in an order of its own, is marked here, and refused where it would matter (`plan.across`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from outgrow.errors import ProgrammingError
from outgrow.schema.model import Column, Order, Schema, Table
from outgrow.topology import Abroad, TableName

#: Collations that are the same on every server, whatever its libraries.
_EVERYWHERE = frozenset(('pg_catalog."C"', 'pg_catalog."POSIX"', "pg_catalog.ucs_basic", "pg_catalog.pg_c_utf8"))
#: MariaDB's types (without what follows the first word) → what PostgreSQL makes of their values.
_FROM_MARIADB = {
    "bigint": "numeric", "float": "float4", "datetime": "timestamp", "timestamp": "timestamptz", "time": "interval",
    "char": "text", "varchar": "text", "tinytext": "text", "text": "text", "mediumtext": "text", "longtext": "text",
    "enum": "text", "set": "text", "binary": "bytea",
}  # fmt: skip
#: `decimal(10,2) unsigned` is a decimal to the schema already; what is left has no meaning here.
_WORD = re.compile(r"mariadb\.(\w+)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Federation(Schema):
    """A domain's schema with the tables of the others, which `tables` has under `Abroad` names."""

    others: Mapping[str, Schema] = field(default_factory=dict)

    @property
    def domains(self) -> tuple[str, ...]:
        return (self.domain, *self.others)

    def find(self, name: str, schema: str | None = None) -> Table | None:
        """The domain's own table first, as without the others; then `domain.table`; then whoever alone has one.

        Raises ProgrammingError OG-STMT-030 where several other domains have one.
        """
        own = Schema.find(self, name, schema)
        if own is not None:
            return own
        if schema is not None and schema in self.domains:
            found = self.find_in(schema, name)
            if found is not None:
                return found
        having = [domain for domain in self.others if self.others[domain].find(name, schema) is not None]
        if len(having) > 1:
            raise ProgrammingError(
                "OG-STMT-030",
                f"{name!r} is a table of several domains: {', '.join(having)}",
                cure=f"Say which one is meant: {having[0]}.{name}.",
                sqlstate="42P09",
            )
        return self.find_in(having[0], name, schema) if having else None

    def find_in(self, domain: str, name: str, schema: str | None = None) -> Table | None:
        """The table that the name means in that domain."""
        if domain == self.domain:
            return Schema.find(self, name, schema)
        theirs = self.others.get(domain)
        found = theirs.find(name, schema) if theirs is not None else None
        return self.tables.get(Abroad(found.name.schema, found.name.name, domain)) if found is not None else None


def federate(home: Schema, others: Mapping[str, Schema]) -> Federation:
    """`home` with the tables of the other domains."""
    tables: dict[TableName, Table] = dict(home.tables)
    for domain, theirs in others.items():
        for table in theirs.tables.values():
            if table.name.schema not in ("pg_catalog", "information_schema"):
                name = Abroad(table.name.schema, table.name.name, domain)
                columns = tuple(_column(column, theirs, home) for column in table.columns)
                tables[name] = replace(table, name=name, columns=columns, foreign_keys=(), cascades_to=())
    return Federation(
        home.domain, home.epoch, home.search_path, MappingProxyType(tables), home.functions, home.types,
        home.sequences, home.default_order, home.default_collation, home.server_version, home.engine,
        home.fleet_unique, MappingProxyType(dict(others)),
    )  # fmt: skip


def _column(column: Column, theirs: Schema, home: Schema) -> Column:
    if theirs.engine == "mariadb":
        kind = mapped(column.type)
        order = home.default_order if kind in ("text", "varchar") else Order.NONE
        return replace(column, type=kind, typmod=-1, order=order, nondeterministic=False, collation="", default=None)
    if column.order is Order.NONE or column.collation in _EVERYWHERE:
        return column
    if not column.collation and theirs.default_collation == home.default_collation:
        return column
    return replace(column, order=Order.ELSEWHERE, collation="")


def mapped(kind: str) -> str:
    """What PostgreSQL calls the values of a type of MariaDB's; the type itself where there is nothing."""
    found = _WORD.fullmatch(kind)
    return _FROM_MARIADB.get(found[1], kind) if found else kind
