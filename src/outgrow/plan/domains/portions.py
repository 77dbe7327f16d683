"""What one domain gives to a query over several: of each occurrence of its tables the columns and rows that matter."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from outgrow.plan.blocks import family
from outgrow.plan.bringing.bundles import PLAIN
from outgrow.plan.bringing.gathering import unnested
from outgrow.plan.bringing.needed import Mentioned, columns_needed, said_of_each, scans_of
from outgrow.plan.cutting.vetting import vet_alike
from outgrow.plan.domains.following import Follow
from outgrow.plan.domains.foreign import KEYS_MAX, Part, Portion
from outgrow.plan.domains.pushing import WHOLE_NUMBERS, Check, pushed
from outgrow.plan.model import ScanKeys
from outgrow.plan.narrowing.survey import Surveyor
from outgrow.plan.placing import Places
from outgrow.plan.refusals import refused
from outgrow.plan.rendering import piece, with_holes
from outgrow.plan.writes.change import Piece
from outgrow.schema import Table
from outgrow.statement import render
from outgrow.statement.tree import (
    Cast,
    ColumnRef,
    Expr,
    InList,
    Item,
    Literal,
    Operation,
    Parameter,
    Quantified,
    Query,
    Relation,
    Scan,
    Select,
    Tree,
)
from outgrow.topology import Abroad, Single, TableName

#: Types beside the plain ones, and arrays of those, whose text says the same to every PostgreSQL.
_CARRIED = frozenset(
    "macaddr8 pg_lsn tsvector tsquery point line lseg box path polygon circle int4range int8range numrange daterange "
    "tsrange tstzrange int4multirange int8multirange nummultirange datemultirange tsmultirange tstzmultirange".split()
)


class Narrowing(NamedTuple):
    """Only rows whose `column` is among the values of the source's."""

    column: str
    type: str
    source: int
    source_column: str
    #: The same server has the source, and is asked in the same statement; else `param` is the array of its values.
    within: bool
    param: int = 0


class Bringer:
    """What one domain gives, part by part."""

    def __init__(self, domain: str, places: Places, bound: Places, tree: Tree, mentioned: Mentioned, own: bool) -> None:
        self.domain, self.places, self.bound, self.own = domain, places, bound, own
        self.mentioned = mentioned
        self.engine = places.schema.engine
        self.said: dict[int, list[Expr]] = dict(said_of_each(tree))
        self.scans = tuple(_survey(tree, domain, places, bound))
        self.parts: list[Part] = []
        self.alone = len(places.domain.shards) == 1
        #: What is known of rows beside what the statement says of their table alone; by occurrence.
        self.narrowed: dict[int, list[Narrowing]] = {}
        #: Occurrences of which only few rows are wanted.
        self.few: frozenset[int] = frozenset()
        #: Occurrence and column → the parameter that is its array.
        self.params: dict[tuple[int, str], int] = {}
        self._occurrences = {id(scan): scan for scan in scans_of(tree)}

    def portion(self) -> Portion:
        listed = any(family(scan.types[0]) in self.places.listed for scan in self.scans)
        return Portion(self.domain, self.engine, tuple(self.parts), self.scans, listed)

    @property
    def joins(self) -> bool:
        """One server has all of its tables, and can be asked about several at once."""
        return self.alone and self.engine == "postgresql"

    def takes(self, follow: Follow) -> bool:
        """Whether its servers can be given the values that the column is to have."""
        if self.engine == "postgresql":
            return True
        column = self._theirs(self._occurrences[follow.scan]).column(follow.column)
        return column is not None and column.type in WHOLE_NUMBERS

    def bring(self, scans: list[Scan], first: int, instead: dict[int, Relation]) -> int:
        """Parts for these occurrences, whose columns are parameters from `first`; the next one that is free."""
        known: dict[Hashable, int] = {}
        for scan in scans:
            table = self.bound.table(scan.table)
            assert table is not None
            columns = columns_needed(scan, table, self.mentioned)
            self._check_columns(scan, table, columns)
            part = self._part(scan, table, columns)
            # Whoever needs the same rows of the same table shares them.
            keys = tuple(self.scans[at].keys for at in part.scans)
            same: Hashable = (scan.table, scan.only, columns, keys, part.few, part if part.condition else None)
            if same not in known:
                known[same] = first
                first += len(columns)
                self.parts.append(part)
            for number, column in enumerate(columns, known[same]):
                self.params[id(scan), column] = number
            theirs = [found for name in columns if (found := table.column(name)) is not None]
            instead[id(scan)] = unnested(scan.alias, scan.column_aliases, theirs, known[same])
        return first

    def _check_columns(self, scan: Scan, table: Table, columns: tuple[str, ...]) -> None:
        if self.own:
            return
        for name in columns:
            column = table.column(name)
            assert column is not None
            kind = column.type.removeprefix("_")
            if kind not in PLAIN and (kind not in _CARRIED or column.type != kind):
                raise refused("type elsewhere", f"{scan.table}.{name}", column.type, self.domain)
            if column.nondeterministic:
                raise refused("collation elsewhere", f"{scan.table}.{name}", self.domain)

    def _part(self, scan: Scan, table: Table, columns: tuple[str, ...]) -> Part:
        theirs = self._theirs(scan)
        where, checks = self._where(scan)
        few = id(scan) in self.few
        made = self._mariadb_piece if self.engine == "mariadb" else self._piece
        standing = self.places.of(theirs.name)
        at = tuple(at for at, each in enumerate(self.scans) if (each.table, each.alias) == (scan.table, scan.alias))
        single = standing.shard if isinstance(standing, Single) else ""
        return Part(
            scan.table, scan.alias, columns, made(scan, theirs, columns, where, few),
            made(scan, theirs, columns, None, few), tuple(checks), at, single,
            render(where) if where is not None else "", few,
        )  # fmt: skip

    def _theirs(self, scan: Scan) -> Table:
        theirs = self.places.table(scan.table.there if isinstance(scan.table, Abroad) else scan.table)
        assert theirs is not None
        return theirs

    def conditions(self, scan: Scan) -> tuple[list[Expr], list[Check]]:
        """What may be asked there of what the statement says of this table alone."""
        asked: list[Expr] = []
        checks: list[Check] = []
        for condition in self.said.get(id(scan), ()):
            if self.own:
                if vet_alike(condition):
                    asked.append(condition)
                continue
            wanted = pushed(condition, scan.alias, self._theirs(scan), self.engine)
            if wanted is not None:
                asked.append(condition)
                checks += wanted
        return asked, checks

    def _where(self, scan: Scan) -> tuple[Expr | None, list[Check]]:
        """All that is asked of the rows: also that they have values of those that they follow."""
        asked, checks = self.conditions(scan)
        for narrowing in self.narrowed.get(id(scan), ()):
            of: Expr | Query
            if not narrowing.within:
                of = Cast(Parameter(narrowing.param), f"{narrowing.type}[]")
            else:
                source = self._occurrences[narrowing.source]
                inner, more = self._where(source)
                checks += more
                item = Item(ColumnRef(source.alias, narrowing.source_column), narrowing.source_column)
                of = Select((item,), self._plain(source), inner)
            asked.append(Quantified(ColumnRef(scan.alias, narrowing.column), "=", "any", of))
        where = Operation("and", tuple(asked)) if len(asked) > 1 else asked[0] if asked else None
        return where, checks

    def _plain(self, scan: Scan) -> Scan:
        return replace(scan, table=self._theirs(scan).name, column_aliases=(), qualified=True)

    def _limit(self, few: bool) -> Literal:
        return Literal("number", str((KEYS_MAX if few else self.bound.domain.finish.rows_max) + 1))

    def _piece(self, scan: Scan, theirs: Table, columns: tuple[str, ...], where: Expr | None, few: bool) -> Piece:
        items = []
        for name in columns:
            column = theirs.column(name)
            assert column is not None
            ref: Expr = ColumnRef(scan.alias, name)
            items.append(Item(ref if column.type in PLAIN else Cast(ref, "text"), name, name))
        inside = piece(render(with_holes(Select(tuple(items), self._plain(scan), where, limit=self._limit(few)))))
        numbered = [f"c{number}" for number in range(1, len(columns) + 1)]
        arrays = "".join(f", array_agg({name})::text" for name in numbered)
        texts = [f"SELECT count(*){arrays} FROM (" + inside.texts[0], *inside.texts[1:]]
        texts[-1] += f") AS r ({', '.join(numbered)})"
        return Piece(tuple(texts), inside.params)

    def _mariadb_piece(
        self, scan: Scan, theirs: Table, columns: tuple[str, ...], where: Expr | None, few: bool
    ) -> Piece:
        alias = _mariadb_name(scan.alias)
        values = []
        for name in columns:
            column = theirs.column(name)
            assert column is not None
            value = _mariadb_text(f"{alias}.{_mariadb_name(name)}", column.type)
            values.append(f"CONVERT({value} USING utf8mb4) COLLATE utf8mb4_bin")
        asked = f" WHERE {_mariadb_sql(with_holes(where))}" if where is not None else ""
        source = f"{_mariadb_name(theirs.name.name)} AS {alias}"
        return piece(f"{', '.join(values)} FROM {source}{asked} LIMIT {self._limit(few).text}")


def _survey(tree: Tree, domain: str, places: Places, bound: Places) -> Iterator[ScanKeys]:
    """The keys that occurrences of the domain's sharded tables can need."""
    keyed: dict[TableName, tuple[str, ...]] = {}
    columns: dict[TableName, Any] = {}
    for scan in scans_of(tree):
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
        case Quantified(of=Cast(operand=keys)):
            # The array comes as JSON, because a list of values would be another statement each time.
            listed = f"JSON_TABLE({render(keys)}, '$[*]' COLUMNS (k BIGINT PATH '$')) AS keys_"
            return f"({_mariadb_sql(expr.operand)} IN (SELECT k FROM {listed}))"
    return render(expr)
