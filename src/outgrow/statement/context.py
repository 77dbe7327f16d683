"""What one binding gathers while it walks the parser's tree."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from outgrow.schema import Schema, TableKind, Volatility
from outgrow.statement.disguise import COUNTED, Disguise
from outgrow.statement.functions import Known, is_local, lookup
from outgrow.statement.model import Effect
from outgrow.statement.unvetted import Unvetted
from outgrow.topology import TableName

#: Arguments of parser nodes that say nothing about the statement.
_NOISE = frozenset(("safe", "typed", "is_function", "_type"))


#: Levels of expressions and queries inside each other, and arms of one chain of operators or joins.
DEPTH_MAX = 120


@dataclass(slots=True)
class Context:
    disguise: Disguise
    schema: Schema
    effects: dict[Effect, None] = field(default_factory=dict)
    reads: dict[TableName, None] = field(default_factory=dict)
    writes: dict[TableName, None] = field(default_factory=dict)
    unnamed: int = 0
    #: How many samples of tables the conversion has met.
    samples: int = 0
    #: How many expressions and queries are open around this one.
    depth: int = 0
    #: How many of the counted words the conversion has accounted for.
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))

    def deeper(self) -> None:
        """One level more; a tree that is too deep for recursion is not read at all."""
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise Unvetted("so deep a nesting")

    def effect(self, what: str, kind: str) -> None:
        self.effects[Effect(what, kind)] = None

    def read(self, table: TableName) -> None:
        self.reads[table] = None
        found = self.schema.tables.get(table)
        if found is not None and found.kind is TableKind.SEQUENCE:
            self.effect(f"reads the sequence {table}", "volatile")

    def write(self, table: TableName, command: str) -> None:
        self.writes[table] = None
        self.effect(f"{command} writes {table}", "writes")

    def call(self, name: str, schema: str | None) -> Known:
        """The function's facts, its effects noted."""
        known = lookup(self.schema, name, schema)
        shown = f"{schema}.{name}" if schema else name
        if known.volatility is Volatility.VOLATILE:
            kind = "advisory" if "advisory" in name and known.builtin else "volatile"
            self.effect(f"calls {'the unknown' if known.kind == 'unknown' else 'volatile'} function {shown}", kind)
        elif known.volatility is Volatility.STABLE:
            if not known.builtin:
                self.effect(f"calls {shown}, which may read other tables", "opaque-function")
            elif is_local(name):
                self.effect(f"calls {shown}, whose answer belongs to one server", "local")
        return known

    def name_unnamed(self) -> str:
        self.unnamed += 1
        return "unnamed_subquery" + (f"_{self.unnamed - 1}" if self.unnamed > 1 else "")


def taken(node: exp.Expression, *args: str) -> None:
    """Every argument that says something must be among `args`: else part of the statement would be lost."""
    if not isinstance(node, exp.Expr):
        raise Unvetted("it: a part is missing")
    for name, value in node.args.items():
        if value is None or value is False or value == [] or value == "" or name in args or name in _NOISE:
            continue
        raise Unvetted(f"{type(node).__name__} with {name.rstrip('_')}")


def plain(identifier: object) -> str:
    """The name that an identifier stands for, outside of calls."""
    if not isinstance(identifier, exp.Identifier) or not identifier.args.get("quoted"):
        raise Unvetted(f"the word {identifier}")
    name: str = identifier.this
    if name.startswith("og$"):
        if name.startswith("og$f$"):
            return name[5:]
        raise Unvetted("a constant in place of a name")
    return name
