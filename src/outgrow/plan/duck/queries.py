"""A brought query in DuckDB's words: blocks, joins, set operations, and what becomes of each column of the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from outgrow.statement.tree import (
    Call,
    CallKind,
    Cast,
    CteScan,
    Derived,
    Expr,
    FunctionScan,
    Join,
    JoinKind,
    Literal,
    Operation,
    Parameter,
    Query,
    Relation,
    Select,
    SetOperation,
    Values,
    With,
)

from .expressions import Expressions
from .scope import Block, Env, Given, Related
from .types import DIGITS, NotVetted, Type, Typed
from .writing import direction

_JOINS = {JoinKind.INNER: "JOIN", JoinKind.LEFT: "LEFT JOIN", JoinKind.RIGHT: "RIGHT JOIN", JoinKind.FULL: "FULL JOIN"}


@dataclass(frozen=True, slots=True)
class Output:
    """A column of the result: what the server will call its type, and where DuckDB has its values.

    With a `divisor` it is the quotient of two columns, to be divided by PostgreSQL's rule for numeric.
    """

    type: str
    column: int
    divisor: int | None = None
    #: Of a numeric that is no quotient.
    scale: int = 0
    #: The columns that say how many decimals a numeric shows, where that is not `scale`, and its divisor.
    shows: int | None = None
    divisor_shows: int | None = None
    #: So long char(n) is padded to.
    width: int = 0


@dataclass(frozen=True, slots=True)
class Rendered:
    """`tables[name]` are the numbers of the parameters whose arrays are the table's columns c1, c2, …"""

    sql: str
    tables: Mapping[str, tuple[int, ...]]
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Unvetted:
    """Why the query stays with PostgreSQL."""

    reason: str


def render_duckdb(
    tree: Query, values: Sequence[Any], columns: Mapping[int, Type], by_bytes: bool
) -> Rendered | Unvetted:
    """The query over tables of these columns.  Pure; parameters become constants of the types that they would have."""
    rendering = _Rendering(Given(values, columns, by_bytes))
    try:
        sql, outputs = rendering.top(tree)
    except NotVetted as reason:
        return Unvetted(str(reason))
    return Rendered(sql, rendering.tables, outputs)


class _Rendering:
    def __init__(self, given: Given) -> None:
        self._given = given
        self._expressions = Expressions(given, self.query)
        self.tables: dict[str, tuple[int, ...]] = {}

    # --- queries -----------------------------------------------------------------------------------------------------

    def top(self, tree: Query) -> tuple[str, tuple[Output, ...]]:
        """The outermost query, whose columns may be quotients."""
        if not isinstance(tree, Select) or tree.distinct or tree.distinct_on:
            sql, types = self.query(tree, Env())
            return sql, tuple(_output(type, at) for at, type in enumerate(types))
        env, ahead = self._with(tree.with_, Env())
        env = Env((*env.blocks, Block()), env.ctes)
        body = self._source(tree, env)
        shown: list[str] = []
        hidden: list[str] = []

        def behind(sql: str) -> int:
            """The number of a column that only the result's values are made of."""
            hidden.append(sql)
            return len(tree.items) + len(hidden) - 1

        outputs = []
        for at, item in enumerate(tree.items):
            sides = self._sides(item.expr, env)
            value = self._expressions.item(item.expr, env) if sides is None else sides[0]
            output = _output(value.type, at) if sides is None else Output("numeric", at)
            if value.shown:
                output = replace(output, shows=behind(value.shown))
            if sides is not None:
                other = sides[1]
                output = replace(output, divisor=behind(_decimal(other)))
                if other.shown:
                    output = replace(output, divisor_shows=behind(other.shown))
            shown.append(_decimal(value) if sides is not None else value.sql)
            outputs.append(output)
        items = ", ".join((*shown, *hidden))
        return f"{ahead}SELECT {items}{body}{self._ordered(tree, env)}{self._limits(tree)}", tuple(outputs)

    def _sides(self, expr: Expr, env: Env) -> tuple[Typed, Typed] | None:
        """Dividend and divisor of what the server would divide as numerics."""
        match expr:
            case Operation(operator="/", operands=(one, other)):
                left, right = self._expressions.of(one, env), self._expressions.of(other, env)
                if {left.type.family, right.type.family} in ({"numeric"}, {"numeric", "int"}):
                    return left, right
            case Call(name="avg", builtin=True, over=None, args=(value,)):
                if self._expressions.of(value, env).type.family in ("int", "numeric"):
                    total = self._expressions.of(replace(expr, name="sum"), env)
                    return total, self._expressions.of(replace(expr, name="count"), env)
        return None

    def query(self, tree: Query, outer: Env) -> tuple[str, tuple[Type, ...]]:
        match tree:
            case Select():
                return self._select(tree, outer)
            case SetOperation():
                return self._set_operation(tree, outer)
            case Values():
                return self._values(tree, outer)
        raise NotVetted(type(tree).__name__)

    def _with(self, with_: With, env: Env) -> tuple[Env, str]:
        if with_.recursive:
            raise NotVetted("WITH RECURSIVE")
        texts = []
        for cte in with_.ctes:
            if not isinstance(cte.query, Query):
                raise NotVetted("WITH that writes")
            sql, types = self.query(cte.query, env)
            related = _related(self._given.fresh(), names_of(cte.query), types, cte.column_aliases)
            texts.append(f"{related.name} ({_numbered(len(types))}) AS ({sql})")
            env = replace(env, ctes={**env.ctes, cte.name: related})
        return env, f"WITH {', '.join(texts)} " if texts else ""

    def _select(self, tree: Select, outer: Env) -> tuple[str, tuple[Type, ...]]:
        env, ahead = self._with(tree.with_, outer)
        env = Env((*env.blocks, Block()), env.ctes)
        body = self._source(tree, env)
        values = [self._expressions.settled(item.expr, env) for item in tree.items]
        distinct = "DISTINCT " if tree.distinct else ""
        if tree.distinct_on:
            keys = ", ".join(self._expressions.settled(key, env).sql for key in tree.distinct_on)
            distinct = f"DISTINCT ON ({keys}) "
        # Without columns its rows still count, for EXISTS.
        items = ", ".join(value.sql for value in values) or "1"
        sql = f"{ahead}SELECT {distinct}{items}{body}{self._ordered(tree, env)}{self._limits(tree)}"
        return sql, tuple(value.type for value in values)

    def _source(self, tree: Select, env: Env) -> str:
        """From FROM to HAVING; fills the block with what its names mean."""
        if tree.locking or tree.with_ties:
            raise NotVetted("FOR UPDATE" if tree.locking else "WITH TIES")
        block, parts = env.blocks[-1], []
        if tree.source is not None:
            parts.append(f" FROM {self._relation(tree.source, env)}")
        if tree.where is not None:
            parts.append(f" WHERE {self._expressions.truth(tree.where, env)}")
        if tree.group or tree.grouping_sets:
            if tree.grouping_sets:
                raise NotVetted("GROUPING SETS")
            keys = [self._expressions.settled(key, env).sql for key in tree.group]
            parts.append(f" GROUP BY {', '.join(keys)}")
        if tree.having is not None:
            parts.append(f" HAVING {self._expressions.truth(tree.having, env)}")
        for name, window in tree.windows:
            block.windows[name] = self._expressions.window(window, env)
        return "".join(parts)

    def _ordered(self, tree: Select, env: Env) -> str:
        """By position where a key is a column shown, as DISTINCT wants it."""
        keys = []
        for key in tree.order:
            place = next((str(at) for at, item in enumerate(tree.items, 1) if item.expr == key.expr), "")
            keys.append(self._expressions.sorted(key, env, place))
        return f" ORDER BY {', '.join(keys)}" if keys else ""

    def _limits(self, tree: Select | SetOperation | Values) -> str:
        return "".join(
            f" {word} {self._whole(expr, word)}"
            for word, expr in (("LIMIT", tree.limit), ("OFFSET", tree.offset))
            if expr is not None
        )

    def _whole(self, expr: Expr, word: str) -> int:
        value: Any = None
        if isinstance(expr, Literal) and expr.kind == "number" and expr.text.isdigit():
            value = int(expr.text)
        elif isinstance(expr, Parameter) and expr.index <= len(self._given.values):
            value = self._given.values[expr.index - 1]
        if type(value) is not int or not 0 <= value < 2**62:
            raise NotVetted(f"this {word}")
        return value

    def _set_operation(self, tree: SetOperation, outer: Env) -> tuple[str, tuple[Type, ...]]:
        env, ahead = self._with(tree.with_, outer)
        left, types = self.query(tree.left, env)
        right, others = self.query(tree.right, env)
        if types != others:
            raise NotVetted(f"{tree.operator} of columns of several types, scales or lengths")
        sql = (
            f"{ahead}SELECT * FROM ({left}) {tree.operator.upper()}{' ALL' if tree.all else ''} SELECT * FROM ({right})"
        )
        keys = []
        for at, descending, nulls_first in tree.order:
            if not types[at].bytes:
                raise NotVetted("text in a language's order")
            keys.append(f"{at + 1} {direction(descending, nulls_first)}")
        if keys:
            sql += f" ORDER BY {', '.join(keys)}"
        return sql + self._limits(tree), types

    def _values(self, tree: Values, outer: Env) -> tuple[str, tuple[Type, ...]]:
        env, ahead = self._with(tree.with_, outer)
        if tree.order or len(tree.rows) != 1:
            raise NotVetted("VALUES of several rows")
        values = [self._expressions.settled(value, Env((*env.blocks, Block()), env.ctes)) for value in tree.rows[0]]
        sql = f"{ahead}SELECT {', '.join(value.sql for value in values)}{self._limits(tree)}"
        return sql, tuple(value.type for value in values)

    # --- FROM --------------------------------------------------------------------------------------------------------

    def _relation(self, relation: Relation, env: Env) -> str:
        match relation:
            case Join():
                return self._join(relation, env)
            case FunctionScan():
                return self._brought(relation, env)
            case Derived() if not relation.lateral:
                sql, types = self.query(relation.query, Env((*env.blocks[:-1], Block()), env.ctes))
                return self._named(f"({sql})", relation.alias, names_of(relation.query), types, relation, env)
            case CteScan():
                known = env.ctes.get(relation.name)
                if known is not None:
                    names = [name for name, _ in known.columns]
                    types = tuple(type for _, type in known.columns)
                    return self._named(known.name, relation.alias, names, types, relation, env)
        raise NotVetted(f"{type(relation).__name__} {getattr(relation, 'alias', '')}".strip())

    def _named(
        self, sql: str, alias: str, names: Sequence[str], types: Sequence[Type], given: Derived | CteScan, env: Env
    ) -> str:
        related = _related(self._given.fresh(), names, types, given.column_aliases)
        env.blocks[-1].relations[alias] = related
        return f"{sql} AS {related.name} ({_numbered(len(types))})"

    def _brought(self, scan: FunctionScan, env: Env) -> str:
        """The rows that were brought stand in the tree as `unnest($n::type[], …)`."""
        call = scan.call
        plain = isinstance(call, Call) and call.name == "unnest" and call.kind is CallKind.SET and not scan.lateral
        numbers = []
        for arg in call.args if plain and isinstance(call, Call) else ():
            if isinstance(arg, Cast) and isinstance(arg.operand, Parameter):
                numbers.append(arg.operand.index)
        if not numbers or scan.ordinality or scan.suffix or not set(numbers) <= set(self._given.columns):
            raise NotVetted("a function in FROM")
        table = f"b{numbers[0]}"
        self.tables[table] = tuple(numbers)
        types = [self._given.columns[number] for number in numbers]
        for type in types:
            if not type.family or type.family == "interval":
                raise NotVetted(f"a column of type {type.name}")
        related = _related(self._given.fresh(), scan.column_aliases, types, ())
        env.blocks[-1].relations[scan.alias] = related
        return f"{table} AS {related.name} ({_numbered(len(types))})"

    def _join(self, join: Join, env: Env) -> str:
        before = list(env.blocks[-1].relations)
        left = self._relation(join.left, env)
        between = list(env.blocks[-1].relations)
        right = self._relation(join.right, env)
        if join.kind is JoinKind.CROSS:
            return f"({left} CROSS JOIN {right})"
        if join.on is not None:
            condition = self._expressions.truth(join.on, env)
        else:
            # The names that the left side has added, and the right side.
            relations = env.blocks[-1].relations
            ours = [relations[name] for name in between if name not in before]
            theirs = [relations[name] for name in relations if name not in between]
            condition = " AND ".join(self._using(name, ours, theirs) for name in join.using)
        return f"({left} {_JOINS[join.kind]} {right} ON {condition})"

    def _using(self, name: str, ours: Sequence[Related], theirs: Sequence[Related]) -> str:
        left = [found for each in ours if (found := each.column(name)) is not None]
        right = [found for each in theirs if (found := each.column(name)) is not None]
        if len(left) != 1 or len(right) != 1:
            raise NotVetted(f"USING ({name}) over a join")
        return self._expressions.equal(left[0], right[0])


def names_of(tree: Query) -> tuple[str, ...]:
    match tree:
        case Select():
            return tuple(item.name for item in tree.items)
        case SetOperation():
            return names_of(tree.left)
        case Values():
            return tuple(f"column{number}" for number in range(1, len(tree.rows[0]) + 1))
    raise NotVetted(type(tree).__name__)


def _related(name: str, names: Sequence[str], types: Sequence[Type], aliases: Sequence[str]) -> Related:
    called = (*aliases, *names[len(aliases) :])
    return Related(name, tuple(zip(called, types, strict=True)))


def _numbered(count: int) -> str:
    return ", ".join(f"c{number}" for number in range(1, count + 1))


def _output(type: Type, at: int) -> Output:
    return Output(type.name, at, scale=type.scale, width=type.width)


def _decimal(value: Typed) -> str:
    scale = value.type.scale if value.type.name == "numeric" else 0
    return f"CAST({value.sql} AS DECIMAL({DIGITS}, {scale}))"


__all__ = ["Output", "Rendered", "Unvetted", "render_duckdb"]
