"""Which key values a scan of a sharded table can need, as values that wait for the parameters.

A key set is computed once per statement text (`plan.keys`), and turned into shards per execution (`plan.locate`).
Every key set is an *over-approximation*: rows outside of it cannot change the statement's result.  So dropping a
restriction is always right, and adding one never is without a proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from outgrow.statement.tree import ArrayOf, Cast, Expr, Literal, Parameter
from outgrow.statement.walk import walk

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Value:
    """One key value: a literal, a parameter, or casts of either.  `= NULL` is no value at all.

    `type` is that of the column it was compared with: an untyped literal is read as one of that type.
    """

    expr: Expr
    type: str


@dataclass(frozen=True, slots=True)
class Elements:
    """The elements of an array parameter (`= ANY($1)`)."""

    expr: Expr
    type: str


@dataclass(frozen=True, slots=True)
class Null:
    """The key column is NULL (`IS NULL`, or an INSERT of NULL)."""


@dataclass(frozen=True, slots=True)
class Span:
    """Every value between two ends, of which one may be open; only where keys of its type lie by range."""

    type: str
    low: Expr | None = None
    high: Expr | None = None
    #: The end itself is not in it.
    low_open: bool = False
    high_open: bool = False

    @property
    def ends(self) -> tuple[Expr, ...]:
        return tuple(end for end in (self.low, self.high) if end is not None)


@dataclass(frozen=True, slots=True)
class Held:
    """What a row's own column is known to equal, where that column is the source of a key column.

    First compared, then written: a value that no row can have is none, where a value given would be an error.
    """

    known: Value | Elements


#: One value that a key column may have, or several.
Candidate = Value | Elements | Null | Span | Held
#: The values that a key column may have: one of these.
Choice = tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Everything:
    """No restriction was proved: all shards."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """No row can matter: no shard."""


@dataclass(frozen=True, slots=True)
class Match:
    """For each key column, in order, the choices that all hold (their intersection).

    Where keys lie by range or by directory the first column has a choice, and the others may have none; elsewhere all
    have.
    """

    columns: tuple[tuple[Choice, ...], ...]


@dataclass(frozen=True, slots=True)
class Either:
    """The union."""

    options: tuple[KeySet, ...]


@dataclass(frozen=True, slots=True)
class Both:
    """The intersection."""

    parts: tuple[KeySet, ...]


KeySet = Everything | Nothing | Match | Either | Both


def spans(choice: Choice) -> bool:
    """The values are not all known one by one."""
    return any(isinstance(candidate, Span) for candidate in choice)


def either(options: list[KeySet]) -> KeySet:
    """The union, simplified."""
    kept: dict[KeySet, None] = {}
    for option in options:
        if isinstance(option, Everything):
            return option
        if not isinstance(option, Nothing):
            kept[option] = None
    if not kept:
        return Nothing()
    return next(iter(kept)) if len(kept) == 1 else Either(tuple(kept))


def folded(keys: KeySet, matched: Callable[[Match], set[T] | None]) -> set[T] | None:
    """What `matched` says of each match, united and intersected as the set is; None for everything."""
    match keys:
        case Everything():
            return None
        case Nothing():
            return set()
        case Match():
            return matched(keys)
        case Either():
            union: set[T] = set()
            for option in keys.options:
                found = folded(option, matched)
                if found is None:
                    return None
                union |= found
            return union
    return meeting(folded(part, matched) for part in keys.parts)


def meeting(parts: Iterable[set[T] | None]) -> set[T] | None:
    """What all of them have; None says everything."""
    known = [part for part in parts if part is not None]
    return set.intersection(*known) if known else None


def parameters_of(keys: KeySet) -> set[int]:
    """The parameters (from 1) that decide the keys."""
    if isinstance(keys, Either | Both):
        parts = keys.options if isinstance(keys, Either) else keys.parts
        return {index for part in parts for index in parameters_of(part)}
    if not isinstance(keys, Match):
        return set()
    candidates = [candidate for choices in keys.columns for choice in choices for candidate in choice]
    known = [candidate.known if isinstance(candidate, Held) else candidate for candidate in candidates]
    exprs = [candidate.expr for candidate in known if isinstance(candidate, Value | Elements)]
    exprs += [end for candidate in known if isinstance(candidate, Span) for end in candidate.ends]
    return {expr.index for top in exprs for expr in walk(top) if isinstance(expr, Parameter)}


def held(choice: Choice) -> Choice:
    """The choice for a key column that is written from a column of which `choice` is known."""
    return tuple(Held(known) if isinstance(known, Value | Elements) else known for known in choice)


#: Of many alternatives, how many are shown to people.
_SHOWN = 5


def describe_candidate(candidate: Candidate) -> str:
    if isinstance(candidate, Null):
        return "NULL"
    if isinstance(candidate, Span):
        low, high = (describe_expr(end) if end is not None else "…" for end in (candidate.low, candidate.high))
        return f"{'(' if candidate.low_open else '['}{low}, {high}{')' if candidate.high_open else ']'}"
    if isinstance(candidate, Held):
        return describe_candidate(candidate.known)
    text = describe_expr(candidate.expr)
    return f"any element of {text}" if isinstance(candidate, Elements) else text


def describe_expr(expr: Expr) -> str:
    """A key expression for people; values of parameters are never shown."""
    if isinstance(expr, Literal):
        return f"'{expr.text}'" if expr.kind == "string" else (expr.text if expr.kind != "null" else "NULL")
    if isinstance(expr, Parameter):
        return f"${expr.index}"
    if isinstance(expr, Cast):
        return f"{describe_expr(expr.operand)}::{expr.type}"
    if isinstance(expr, ArrayOf):
        return "ARRAY[" + ", ".join(describe_expr(item) for item in expr.items) + "]"
    return "an expression"


def describe_key_set(keys: KeySet, columns: tuple[str, ...]) -> str:
    """One plain phrase, as `customer_id = 42` or `any key`."""
    if isinstance(keys, Everything):
        return "any key"
    if isinstance(keys, Nothing):
        return "no key"
    if isinstance(keys, Either):
        shown = [f"({describe_key_set(option, columns)})" for option in keys.options[:_SHOWN]]
        return " or ".join(shown) + (f" or … {len(keys.options)} keys" if len(keys.options) > _SHOWN else "")
    if isinstance(keys, Both):
        return " and ".join(f"({describe_key_set(part, columns)})" for part in keys.parts)
    phrases: list[str] = []
    for name, choices in zip(columns, keys.columns, strict=True):
        for choice in choices:
            shown = [describe_candidate(candidate) for candidate in choice[:_SHOWN]]
            if len(choice) > _SHOWN:
                shown.append(f"… {len(choice)} values")
            if len(choice) == 1 and isinstance(choice[0], Span):
                phrases.append(_describe_span(choice[0], name))
            else:
                phrases.append(f"{name} = {shown[0]}" if len(choice) == 1 else f"{name} in ({', '.join(shown)})")
    return " and ".join(phrases)


def _describe_span(span: Span, name: str) -> str:
    ends = []
    if span.low is not None:
        ends.append(f"{name} >{'' if span.low_open else '='} {describe_expr(span.low)}")
    if span.high is not None:
        ends.append(f"{name} <{'' if span.high_open else '='} {describe_expr(span.high)}")
    return " and ".join(ends)
