"""Parameters → key values → shards.  Runs once per execution: the common case, one key, has a short way."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import Any

from outgrow.errors import DataError
from outgrow.keyspace import NoRow, Unknowable, carried, coerce, stored
from outgrow.statement.tree import Cast, Expr, Literal, Operation, Parameter

from .blocks import family, plain_type
from .change import GivenRows
from .keyset import Candidate, Choice, Either, Elements, Everything, Held, KeySet, Match, Nothing, Null
from .literals import python_value
from .model import KeyChange, Located, Placer, Plan, Reason, ScanKeys, Where
from .moments import says_moment
from .refusals import refuse
from .rowwise import check_runs

#: More combinations of a compound key than this, and all shards are asked.
PRODUCT_LIMIT = 10_000

Key = tuple[Any, ...]
Params = Sequence[Any]


@lru_cache(maxsize=1024)
def _one(shard: str) -> Located:
    return Located((shard,), reasons=(Reason("plan.locate", f"every key that is needed lies on {shard}"),))


def locate(plan: Plan, params: Params, placer: Placer) -> Located:
    """The shards that one execution needs.

    Raises the plan's refusal when it needs several shards and cannot have them, DataError for a wrong-typed key.
    """
    quick = plan.quick
    if quick is not None:
        value = params[quick.index]
        if value is not None:
            try:
                return _one(placer.shards_for(quick.types, (coerce(quick.type, value),)))
            except (NoRow, Unknowable):
                pass
    return _locate(plan, params, placer)


def _locate(plan: Plan, params: Params, placer: Placer) -> Located:
    if plan.where is Where.KEYS:
        return _by_keys(plan, params, placer)
    home = placer.shards[0]
    if plan.where is Where.ANY:
        return Located((home,), any=True, reasons=(Reason("plan.locate", "any one shard can answer"),))
    if plan.where is Where.ALL:
        if plan.refusal is not None and len(placer.shards) > 1:
            raise plan.refusal
        together = plan.change is not None and len(placer.shards) > 1
        for index in plan.change.timed if plan.change is not None else ():
            if says_moment(params[index - 1]):
                raise refuse("moment", f"the word in ${index}")
        return Located(placer.shards, together, reasons=(Reason("plan.locate", "every shard, in order"),))
    if plan.where is Where.CHOSEN and len(placer.shards) > 1:
        why = "; ".join(effect.what for effect in plan.statement.effects)
        raise refuse("unparsed", plan.statement.command, why)
    return Located((home,), reasons=(Reason("plan.locate", f"{home} is the home shard"),))


def _by_keys(plan: Plan, params: Params, placer: Placer) -> Located:
    every = placer.shards
    if len(every) == 1:
        return Located(every, reasons=(Reason("plan.locate", "the domain has one shard"),))
    needed: set[str] = set(plan.fixed)
    reasons: list[Reason] = []
    given = plan.change.given if plan.change is not None else None
    rows = _rows_of(given, plan.scans, params, placer) if given is not None else ()
    for scan in plan.scans:
        shards = set(rows) if rows and _gives(scan) else shards_of(scan, params, placer)
        needed.update(shards)
        shown = ", ".join(name for name in every if name in shards) or "no shard"
        reasons.append(Reason("plan.locate", f"{scan.describe()}: {shown}"))
    if not needed:
        needed.add(every[0])
        reasons.append(Reason("plan.locate", f"no row can match: {every[0]} gives the empty result its columns"))
    if len(needed) == 1:
        if all(_unchanged(change, params) for change in plan.key_changes):
            return Located(tuple(needed), reasons=tuple(reasons))
        if plan.move is None:
            raise plan.refusal or refuse("key update", str(plan.key_changes[0].table))
        return Located(tuple(needed), True, reasons=tuple(reasons))
    if plan.refusal is not None:
        raise plan.refusal
    if given is not None:
        check_runs(plan, given, rows)
        if set(rows) != needed:
            why = f"{', '.join(sorted(needed - set(rows)))} is given no rows, but has others to change"
            raise refuse("parts apart", plan.statement.command, why)
    return Located(tuple(name for name in every if name in needed), True, rows=rows, reasons=tuple(reasons))


def _gives(scan: ScanKeys) -> bool:
    """Rows are given for it; what an INSERT … SELECT adds stays where it is read."""
    return scan.role == "inserts into" and not isinstance(scan.keys, Everything)


def _rows_of(given: GivenRows, scans: Sequence[ScanKeys], params: Params, placer: Placer) -> tuple[str, ...]:
    """The shard of each row of an INSERT … VALUES."""
    scan = next(scan for scan in scans if _gives(scan))
    shards: list[str] = []
    for row in given.keys:
        keys = key_values(row, scan.types, params, scan.typmods)
        if keys is None:
            raise refuse("insert key unknown", str(scan.table), ", ".join(scan.columns))
        (key,) = keys
        shards.append(placer.shards_for(scan.types, key))
    return tuple(shards)


def shards_of(scan: ScanKeys, params: Params, placer: Placer) -> set[str]:
    """The shards on which a scan can find rows that matter."""
    inserting = scan.role == "inserts into"
    if inserting and isinstance(scan.keys, Everything):
        # What is selected stays on the shard that selects it.
        return set()
    keys = key_values(scan.keys, scan.types, params, scan.typmods if inserting else None)
    if keys is None:
        if inserting:
            raise refuse("insert key unknown", str(scan.table), ", ".join(scan.columns))
        return set(placer.shards)
    return {placer.shards_for(scan.types, key) for key in keys}


def _unchanged(change: KeyChange, params: Params) -> bool:
    """The key assigned is the one that the rows have."""
    before = key_values(change.before, change.types, params, None)
    after = key_values(change.after, change.types, params, change.typmods)
    return before is not None and after is not None and (not before or (len(before) == 1 and before == after))


def key_values(
    keys: KeySet, types: tuple[str, ...], params: Params, typmods: tuple[int, ...] | None
) -> set[Key] | None:
    """The keys of a key set, None for all of them.  `typmods` are given where values are written, not compared."""
    match keys:
        case Everything():
            return None
        case Nothing():
            return set()
        case Match():
            return _match(keys, types, params, typmods)
        case Either():
            union: set[Key] = set()
            for option in keys.options:
                values = key_values(option, types, params, typmods)
                if values is None:
                    return None
                union |= values
            return union
    meeting: set[Key] | None = None
    for part in keys.parts:
        values = key_values(part, types, params, typmods)
        if values is not None:
            meeting = values if meeting is None else meeting & values
    return meeting


def _match(match: Match, types: tuple[str, ...], params: Params, typmods: tuple[int, ...] | None) -> set[Key] | None:
    columns: list[set[Any]] = []
    unknown = False
    for position, choices in enumerate(match.columns):
        meeting: set[Any] | None = None
        for choice in choices:
            values = _choice(choice, types[position], params, None if typmods is None else typmods[position])
            if values is not None:
                meeting = values if meeting is None else meeting & values
        if meeting is None:
            unknown = True
        elif not meeting:
            return set()
        else:
            columns.append(meeting)
    combinations = 1
    for column in columns:
        combinations *= len(column)
    return None if unknown or combinations > PRODUCT_LIMIT else set(product(*columns))


def _choice(choice: Choice, type: str, params: Params, typmod: int | None) -> set[Any] | None:
    values: set[Any] = set()
    for candidate in choice:
        try:
            values.update(_candidate(candidate, type, params, typmod))
        except Unknowable:
            return None
    return values


def _candidate(candidate: Candidate, type: str, params: Params, typmod: int | None) -> list[Any]:
    if isinstance(candidate, Null):
        return [None]
    if isinstance(candidate, Held):
        source = candidate.known.type
        values = _candidate(candidate.known, source, params, None)
        return [kept for value in values for kept in _carried(value, source, type, -1 if typmod is None else typmod)]
    if isinstance(candidate, Elements):
        return [value for item in _elements(candidate, params) for value in _compared(item, candidate.type, type)]
    if typmod is not None:
        return [_written(candidate.expr, type, typmod, params)]
    if isinstance(candidate.expr, Cast):
        value = _cast(candidate.expr, params)
        return _narrowed(value, plain_type(candidate.expr.type), type)
    return _compared(_value(candidate.expr, params), candidate.type, type)


def _compared(value: Any, compared: str, type: str) -> list[Any]:
    """What a value that is compared with a column of type `compared` means for a column of type `type`."""
    try:
        coerced = coerce(compared, value)
        if coerced is None:
            return []
        return [coerced] if compared == type else _narrowed(coerced, compared, type)
    except NoRow:
        return []


def _carried(value: Any, source: str, type: str, typmod: int) -> list[Any]:
    """What a key column holds that is written from a column of type `source` with this value."""
    try:
        return [carried(type, typmod, source, value)]
    except DataError:
        # The server refuses the row, where there is one.
        return []


def _narrowed(value: Any, source: str, type: str) -> list[Any]:
    if value is None:
        return []
    if source == type or (family(source) == family(type) == "text"):
        return [value]
    if {family(source), family(type)} <= {"int", "numeric"}:
        try:
            return [coerce(type, value)]
        except NoRow:
            return []
    raise Unknowable


def _value(expr: Expr, params: Params) -> Any:
    if isinstance(expr, Parameter):
        return params[expr.index - 1]
    return python_value(expr)


#: Python types whose cast to a type only reads them; anything else may be rounded, truncated or formatted.
_READS: dict[str, tuple[type, ...]] = {
    "int": (int, str),
    "text": (str,),
    "bool": (bool, str),
}


def _cast(expr: Cast, params: Params) -> Any:
    """The value of a cast constant, as `coerce` has it for the cast's own type; None for NULL."""
    target = plain_type(expr.type)
    kind = family(target)
    if kind is None or not isinstance(expr.operand, Literal | Parameter | Operation):
        raise Unknowable
    value = _value(expr.operand, params)
    if value is None:
        return None
    if kind in _READS and (type(value) not in _READS[kind]):
        raise Unknowable
    try:
        return coerce(target, value)
    except (NoRow, DataError):
        # A cast rounds where a comparison finds no row, and what it refuses the server shall refuse.
        raise Unknowable from None


def _written(expr: Expr, type: str, typmod: int, params: Params) -> Any:
    if not isinstance(expr, Cast):
        return stored(type, typmod, _value(expr, params))
    value, source = _cast(expr, params), plain_type(expr.type)
    if value is None or (source == type and typmod == -1):
        return value
    if family(type) != family(source) or family(type) not in ("int", "text", "uuid", "bool", "numeric"):
        raise Unknowable
    return stored(type, typmod, value)


def _elements(candidate: Elements, params: Params) -> list[Any]:
    """The elements of an array parameter; an array written as text is the server's to read."""
    expr = candidate.expr
    if isinstance(expr, Cast):
        element = plain_type(expr.type.removesuffix("[]")) if expr.type.endswith("[]") else ""
        if family(element) is None or family(element) != family(candidate.type):
            raise Unknowable
        expr = expr.operand
    value = _value(expr, params)
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise Unknowable
    flat: list[Any] = []
    stack: list[Any] = [value]
    while stack:
        here = stack.pop()
        if isinstance(here, list | tuple):
            stack.extend(here)
        elif here is not None:
            flat.append(here)
    return flat
