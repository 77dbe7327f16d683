"""A query over tables of several domains: what each gives, and what the session's domain makes of it.

The mechanism is that of `bringing`: rows come as arrays to one PostgreSQL, here a server of the session's domain, whose
functions, types and collations the statement means.  What would be something else there is refused by name: types of
one domain alone, order of text by rules of another's servers, and everything that `vet` refuses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from outgrow.schema import Federation, Order, Table, TableKind
from outgrow.statement import render, transform
from outgrow.statement.model import Statement
from outgrow.statement.tree import (
    Call,
    Cast,
    ColumnRef,
    Expr,
    InList,
    Item,
    Literal,
    Operation,
    Quantified,
    Query,
    Relation,
    ScalarQuery,
    Scan,
    Select,
    SetOperation,
    Tree,
    Window,
)
from outgrow.topology import Abroad, Copied, Sharded, Single, TableName

from .blocks import family, first_items
from .bringing import _PLAIN, _columns, _Mentioned, _mentioned, _said, _scans, _unnested, _vet_sums, _with_dependents
from .change import Piece
from .foreign import Across, Part, Portion
from .model import Plan, Reason, ScanKeys, Where
from .placing import Places
from .pushing import Check, pushed
from .refusals import Refused, refused
from .rendering import fragment, piece, with_holes
from .survey import Surveyor
from .vetting import vet, vet_alike
from .walking import children, everything_below

#: Types beside the plain ones, and arrays of those, whose text says the same to every PostgreSQL.
_CARRIED = frozenset(
    "macaddr8 pg_lsn tsvector tsquery point line lseg box path polygon circle int4range int8range numrange daterange "
    "tsrange tstzrange int4multirange int8multirange nummultirange datemultirange tsmultirange tstzmultirange".split()
)
_STORED = (TableKind.TABLE, TableKind.PARTITIONED)
_EQUALITIES = frozenset(("=", "<>", "is null", "is not null", "is distinct from", "is not distinct from"))


def build_across(statement: Statement, schema: Federation, places: Mapping[str, Places]) -> Plan:
    """The plan of a query that names tables of other domains; `places` has every domain's, by name.

    Raises NotSupportedError for what cannot be answered rightly.
    """
    try:
        made = _across(statement, schema, places)
    except Refused as refusal:
        raise refusal.error from None
    domains = ", ".join(dict.fromkeys(portion.domain for portion in made.portions))
    reason = Reason(
        "plan.across", f"it names tables of several domains: rows of {domains} are brought to {schema.domain}"
    )
    return Plan(statement, "read", Where.ACROSS, reasons=(reason,), across=made)


def _across(statement: Statement, schema: Federation, places: Mapping[str, Places]) -> Across:
    tree = statement.tree
    assert isinstance(tree, Query)
    vet(statement, alone=True)
    _vet_sums(tree)
    _vet_order(tree)
    own = places[schema.domain]
    here = _finishing(tree, own)
    bound = Places(schema, own.domain)
    mentioned = _mentioned(tree)
    away: dict[str, list[Scan]] = defaultdict(list)
    for scan in _scans(tree):
        domain = scan.table.domain if isinstance(scan.table, Abroad) else schema.domain
        if _is_away(scan, places[domain], domain == schema.domain, here):
            away[domain].append(scan)
    first = statement.placeholders.count + 1
    portions: list[Portion] = []
    instead: dict[int, Relation] = {}
    for domain, scans in away.items():
        bringer = _Bringer(domain, places[domain], bound, tree, mentioned, domain == schema.domain)
        first = bringer.bring(scans, first, instead)
        portions.append(bringer.portion())
    sql, params = fragment(transform(_with_dependents(tree, bound), lambda node: instead.get(id(node), node)))
    names = tuple(item.name for item in first_items(tree))
    return Across(tuple(portions), sql, params, names, here, own.domain.finish)


def _finishing(tree: Tree, own: Places) -> str:
    """The shard of the session's domain that has its single tables; "" for any."""
    if len(own.domain.shards) == 1:
        return own.domain.home.name
    for scan in _scans(tree):
        standing = None if isinstance(scan.table, Abroad) else own.of(scan.table)
        if isinstance(standing, Single):
            return standing.shard
    return ""


def _is_away(scan: Scan, places: Places, own: bool, here: str) -> bool:
    """Whether its rows have to be brought; refused where what they are depends on who asks, or where."""
    name = scan.table.there if isinstance(scan.table, Abroad) else scan.table
    table, standing = places.table(name), places.of(name)
    if scan.sample:
        raise refused("table form", f"TABLESAMPLE on {scan.table}")
    if table is None or table.row_security:
        raise refused("table form", f"row security on {scan.table}")
    alone = len(places.domain.shards) == 1
    if table.kind not in _STORED and (not alone or table.kind is TableKind.SEQUENCE):
        raise refused("unvetted", f"the {table.kind} {scan.table}")
    if own:
        return not (alone or isinstance(standing, Copied) or (isinstance(standing, Single) and standing.shard == here))
    if not isinstance(standing, Copied | Single | Sharded):
        raise refused("unlisted table", str(name), places.domain.name, places.proposal(name))
    return True


class _Bringer:
    """What one domain gives, part by part."""

    def __init__(
        self, domain: str, places: Places, bound: Places, tree: Tree, mentioned: _Mentioned, own: bool
    ) -> None:
        self.domain, self.places, self.bound, self.own = domain, places, bound, own
        self.mentioned = mentioned
        self.engine = places.schema.engine
        self.said: dict[int, list[Expr]] = dict(_said(tree))
        self.scans = tuple(_survey(tree, domain, places, bound, own))
        self.parts: list[Part] = []
        self._limit = Literal("number", str(bound.domain.finish.rows_max + 1))

    def portion(self) -> Portion:
        listed = any(family(scan.types[0]) in self.places.listed for scan in self.scans)
        return Portion(self.domain, self.engine, tuple(self.parts), self.scans, listed)

    def bring(self, scans: list[Scan], first: int, instead: dict[int, Relation]) -> int:
        """Parts for these occurrences, whose columns are parameters from `first`; the next one that is free."""
        known: dict[Hashable, int] = {}
        for scan in scans:
            table = self.bound.table(scan.table)
            assert table is not None
            columns = _columns(scan, table, self.mentioned)
            self._check_columns(scan, table, columns)
            part = self._part(scan, table, columns)
            # Whoever needs the same rows of the same table shares them.
            keys = tuple(self.scans[at].keys for at in part.scans)
            same: Hashable = (scan.table, scan.only, columns, keys, part if part.condition else None)
            if same not in known:
                known[same] = first
                first += len(columns)
                self.parts.append(part)
            instead[id(scan)] = _unnested(scan, table, columns, known[same])
        return first

    def _check_columns(self, scan: Scan, table: Table, columns: tuple[str, ...]) -> None:
        if self.own:
            return
        for name in columns:
            column = table.column(name)
            assert column is not None
            kind = column.type.removeprefix("_")
            if kind not in _PLAIN and (kind not in _CARRIED or column.type != kind):
                raise refused("type elsewhere", f"{scan.table}.{name}", column.type, self.domain)
            if column.nondeterministic:
                raise refused("collation elsewhere", f"{scan.table}.{name}", self.domain)

    def _part(self, scan: Scan, table: Table, columns: tuple[str, ...]) -> Part:
        name = scan.table.there if isinstance(scan.table, Abroad) else scan.table
        theirs = self.places.table(name)
        assert theirs is not None
        conditions, checks = self._conditions(scan, table, theirs)
        where = Operation("and", tuple(conditions)) if len(conditions) > 1 else conditions[0] if conditions else None
        made = self._mariadb_piece if self.engine == "mariadb" else self._piece
        standing = self.places.of(name)
        at = tuple(at for at, each in enumerate(self.scans) if (each.table, each.alias) == (scan.table, scan.alias))
        single = standing.shard if isinstance(standing, Single) else ""
        return Part(
            scan.table, scan.alias, columns, made(scan, theirs, columns, where), made(scan, theirs, columns, None),
            tuple(checks), at, single, render(where) if where is not None else "",
        )  # fmt: skip

    def _conditions(self, scan: Scan, table: Table, theirs: Table) -> tuple[list[Expr], list[Check]]:
        """What may be asked there of what the statement says of this table alone."""
        asked: list[Expr] = []
        checks: list[Check] = []
        for condition in self.said.get(id(scan), ()):
            if self.own:
                if vet_alike(condition):
                    asked.append(condition)
                continue
            wanted = pushed(condition, scan.alias, theirs, self.engine)
            if wanted is not None:
                asked.append(condition)
                checks += wanted
        return asked, checks

    def _piece(self, scan: Scan, theirs: Table, columns: tuple[str, ...], where: Expr | None) -> Piece:
        items = []
        for name in columns:
            column = theirs.column(name)
            assert column is not None
            ref: Expr = ColumnRef(scan.alias, name)
            items.append(Item(ref if column.type in _PLAIN else Cast(ref, "text"), name, name))
        plain = replace(scan, table=theirs.name, column_aliases=(), qualified=True)
        inside = piece(render(with_holes(Select(tuple(items), plain, where, limit=self._limit))))
        numbered = [f"c{number}" for number in range(1, len(columns) + 1)]
        arrays = "".join(f", array_agg({name})::text" for name in numbered)
        texts = [f"SELECT count(*){arrays} FROM (" + inside.texts[0], *inside.texts[1:]]
        texts[-1] += f") AS r ({', '.join(numbered)})"
        return Piece(tuple(texts), inside.params)

    def _mariadb_piece(self, scan: Scan, theirs: Table, columns: tuple[str, ...], where: Expr | None) -> Piece:
        alias = _mariadb_name(scan.alias)
        values = []
        for name in columns:
            column = theirs.column(name)
            assert column is not None
            value = _mariadb_text(f"{alias}.{_mariadb_name(name)}", column.type)
            values.append(f"CONVERT({value} USING utf8mb4) COLLATE utf8mb4_bin")
        asked = f" WHERE {_mariadb_sql(with_holes(where))}" if where is not None else ""
        source = f"{_mariadb_name(theirs.name.name)} AS {alias}"
        return piece(f"{', '.join(values)} FROM {source}{asked} LIMIT {self._limit.text}")


def _survey(tree: Tree, domain: str, places: Places, bound: Places, own: bool) -> Iterator[ScanKeys]:
    """The keys that occurrences of the domain's sharded tables can need."""
    keyed: dict[TableName, tuple[str, ...]] = {}
    columns: dict[TableName, Any] = {}
    for scan in _scans(tree):
        name = scan.table.there if isinstance(scan.table, Abroad) else scan.table
        if (scan.table.domain if isinstance(scan.table, Abroad) else bound.schema.domain) != domain:
            continue
        columns[scan.table] = places.key_columns(name)
        if columns[scan.table] and len(places.domain.shards) > 1:
            keyed[scan.table] = tuple(column.name for column in columns[scan.table])
    surveyor = Surveyor(bound.schema, tree, keyed, places.ranged, places.ranged | places.listed).run()
    for found in surveyor.found:
        if found.table in keyed:
            key = columns[found.table]
            yield ScanKeys(
                found.table, found.alias, keyed[found.table], tuple(column.type for column in key),
                tuple(column.typmod for column in key), found.keys, found.role,
            )  # fmt: skip


# --- MariaDB's spelling ----------------------------------------------------------------------------------------------


def _mariadb_name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _mariadb_text(column: str, kind: str) -> str:
    """The column's value as a text that PostgreSQL reads as the same value."""
    if kind == "bytea" or kind.startswith("mariadb.binary"):
        return f"CONCAT(CHAR(92 USING utf8mb4), 'x', HEX({column}))"
    if kind.startswith("mariadb.float"):
        # As text a FLOAT has six digits.
        return f"CAST({column} AS DOUBLE)"
    if kind.startswith("mariadb.timestamp"):
        # The moment itself, whatever the connection's zone; PostgreSQL refuses a zero date by name.
        moment = f"DATE_ADD('1970-01-01 00:00:00', INTERVAL UNIX_TIMESTAMP({column}) SECOND)"
        return f"IF({column} = 0, '0000-00-00', CONCAT({moment}, '+00'))"
    return column


def _mariadb_sql(expr: Expr) -> str:
    """A condition that `pushed` allows on MariaDB: whole numbers, and what compares them."""
    match expr:
        case ColumnRef():
            return f"{_mariadb_name(expr.relation)}.{_mariadb_name(expr.name)}"
        case Operation(operator="-", operands=(operand,)):
            return f"-{_mariadb_sql(operand)}"
        case Operation(operator="between", operands=(value, low, high)):
            return f"({_mariadb_sql(value)} BETWEEN {_mariadb_sql(low)} AND {_mariadb_sql(high)})"
        case Operation():
            return "(" + f" {expr.operator} ".join(map(_mariadb_sql, expr.operands)) + ")"
        case InList():
            words = "NOT IN" if expr.negated else "IN"
            return f"({_mariadb_sql(expr.operand)} {words} ({', '.join(map(_mariadb_sql, expr.items))}))"
    return render(expr)


# --- text in another order -------------------------------------------------------------------------------------------


def _vet_order(tree: Tree) -> None:
    """Text that another domain orders by rules of its own may be shown and be equal, nothing else."""
    for node in everything_below(tree):
        for child in children(node):
            if isinstance(child, ColumnRef) and child.order is Order.ELSEWHERE and not _harmless(node, child, tree):
                name = f"{child.table}.{child.name}" if child.table is not None else child.name
                raise refused("order elsewhere", name)
        if _compares_rows(node) and _shows_elsewhere(node):
            raise refused("order elsewhere", "a column of a set operation or of a subquery")


def _harmless(node: Any, child: ColumnRef, tree: Tree) -> bool:
    match node:
        case Item() | Select() | Window():
            return True
        case Operation(operator=operator):
            return operator in _EQUALITIES
        case InList():
            return True
        case Quantified(operator=operator):
            return operator in ("=", "<>")
        case Call(name="count"):
            return node.over is None and not node.order and child in node.args
    return False


def _compares_rows(node: Any) -> bool:
    """What queries in it show goes on as something whose order is not known here any more."""
    unequal = isinstance(node, Quantified) and node.operator not in ("=", "<>")
    return unequal or isinstance(node, SetOperation | ScalarQuery)


def _shows_elsewhere(node: Any) -> bool:
    return any(
        isinstance(item.expr, ColumnRef) and item.expr.order is Order.ELSEWHERE
        for below in everything_below(node)
        if isinstance(below, Select)
        for item in below.items
    )


__all__ = ["build_across"]
