"""A finish specification over columns of known types: everything that is worked out before the first row.

What does not depend on parameters is worked out once for a plan and its fragments' columns, not at every execution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from outgrow.plan.spec import TEXT_TYPES, Apply, Convert, Final, Finish, Given, Position

from .combine import Folding
from .compare import Order, Ranker, equality_ranker
from .errors import disagree, unvetted_type
from .evaluate import Typed
from .languages import language

Row = tuple[Any, ...]


class FieldLike(Protocol):
    """`nodes.Field`."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def typmod(self) -> int: ...
    @property
    def oid(self) -> int: ...


class Column(NamedTuple):
    """A column of the finished result; `nodes.Field` by shape."""

    name: str
    type: str
    typmod: int
    oid: int


@dataclass(frozen=True, slots=True)
class Settled:
    """Shared by executions: nothing in it changes."""

    columns: tuple[Column, ...]
    order: Order | None
    #: What tells rows apart under DISTINCT: column and ranker.
    told: tuple[tuple[int, Ranker | None], ...] | None
    folding: Folding | None = None
    having: Callable[[Row], Any] | None = None
    #: Combined rows → output rows; None where they are the same.
    project: Callable[[list[Row]], list[Row]] | None = None

    def finished(self, combined: list[Row]) -> list[Row]:
        """HAVING, and the outputs of the combined rows that it keeps."""
        having, project = self.having, self.project
        if having is not None:
            combined = [row for row in combined if having(row)]
        return combined if project is None else project(combined)


def settle(spec: Finish, fields: tuple[FieldLike, ...], params: Sequence[Any]) -> Settled:
    """Raises NotSupportedError OG-FINISH-002 or 006 for types that cannot be finished here."""
    return _settle(spec, fields, params) if _takes_params(spec) else _settled(spec, fields)


@lru_cache(maxsize=512)
def _settled(spec: Finish, fields: tuple[FieldLike, ...]) -> Settled:
    return _settle(spec, fields, ())


@lru_cache(maxsize=512)
def _takes_params(spec: Finish) -> bool:
    """In what is computed from rows; LIMIT and OFFSET are read elsewhere."""
    if spec.combine is None:
        return False
    finals = [output.expr for output in spec.outputs]
    if spec.having is not None:
        finals.append(spec.having)
    return any(isinstance(part, Given) for final in finals for part in _parts(final))


def _parts(final: Final) -> Iterator[Final]:
    yield final
    if isinstance(final, Apply):
        for operand in final.operands:
            yield from _parts(operand)
    elif isinstance(final, Convert):
        yield from _parts(final.operand)


def _settle(spec: Finish, fields: tuple[FieldLike, ...], params: Sequence[Any]) -> Settled:
    for at in spec.suspect:
        if fields[at].type in TEXT_TYPES:
            raise unvetted_type(fields[at].type, "compared")
    if spec.combine is None:
        return _ordered(spec, [Column(field.name, field.type, field.typmod, field.oid) for field in fields])
    spoken = language(spec.language)
    folding = Folding(spec.combine, fields, spec.enums, spoken.numbers)
    sources = (*spec.combine.keys, *spec.combine.carried)
    compiler = spoken.compiler(folding.kinds, params, spec.text_bytes)
    typed = [compiler.output(output.expr) for output in spec.outputs]
    columns: list[Column] = []
    for output, each in zip(spec.outputs, typed, strict=True):
        if isinstance(output.expr, Position) and output.expr.index < len(sources):
            field = fields[sources[output.expr.index]]
            columns.append(Column(output.name, field.type, field.typmod, field.oid))
        else:
            columns.append(Column(output.name, each.type, -1, spoken.oid(each.type)))
    ordered = _ordered(spec, columns)
    having = compiler.condition(spec.having) if spec.having is not None else None
    project = _projection(spec, len(folding.types), typed)
    return Settled(ordered.columns, ordered.order, ordered.told, folding, having, project)


def _ordered(spec: Finish, columns: list[Column]) -> Settled:
    types = [column.type for column in columns]
    order = Order(spec.sort, types) if spec.sort else None
    told = tuple((at, equality_ranker(types[at], spec.enums)) for at in spec.distinct or ())
    return Settled(tuple(columns[: spec.visible]), order, told if spec.distinct is not None else None)


def _projection(spec: Finish, width: int, typed: list[Typed]) -> Callable[[list[Row]], list[Row]] | None:
    values = [each.value for each in typed]
    positions = [
        output.expr.index
        for output, each in zip(spec.outputs, typed, strict=True)
        if isinstance(output.expr, Position) and not each.hidden
    ]
    if len(positions) < len(values):
        return lambda rows: [tuple([value(row) for value in values]) for row in rows]
    if positions == list(range(width)):
        return None
    if len(positions) > 1:
        return lambda rows: list(map(itemgetter(*positions), rows))
    return lambda rows: [tuple([row[at] for at in positions]) for row in rows]


def check_alike(fields: Sequence[Sequence[FieldLike]]) -> None:
    """Raises InternalError OG-FINISH-001 where fragments' columns have other types."""
    first = fields[0]
    for number, other in enumerate(fields):
        # Mostly they are equal as a whole.
        if other != first and [field.type for field in other] != [field.type for field in first]:
            _disagreement(number, first, other)


def _disagreement(number: int, first: Sequence[FieldLike], other: Sequence[FieldLike]) -> None:
    for at, (one, two) in enumerate(zip(first, other, strict=False)):
        if one.type != two.type:
            raise disagree(number, at, one.type, two.type)
    raise disagree(number, min(len(first), len(other)), f"{len(first)} columns", f"{len(other)} columns")
