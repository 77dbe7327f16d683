"""When two answers are the same.

Names, types, values exactly (a numeric with its scale); floats within 1e-12 relative, because shards add in another
order; the order of rows where ORDER BY fixes it; under LIMIT without a total order, any right subset.  Where a value of
some row is an error (22…), LIMIT leaves it open whether that row is looked at.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.differential.block import Case

TOLERANCE = 1e-12
#: The first two characters of a SQLSTATE ↔ the exception that outgrow raises when it finds the mistake itself.
CLASSES = {"42": "ProgrammingError", "22": "DataError", "23": "IntegrityError", "21": "ProgrammingError"}


@dataclass(frozen=True, slots=True)
class Answer:
    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Failure:
    """`code` is outgrow's, or "" for a failure of the plain server; `kind` the exception's name."""

    code: str
    sqlstate: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    #: "right", "wrong", "refused"
    kind: str
    why: str = ""


def judge(
    case: Case, plain: Answer | Failure, fleet: Answer | Failure, unlimited: Callable[[], Answer | Failure]
) -> Verdict:
    """Is the fleet's answer to `case` right?  `unlimited` gives the plain one without LIMIT and OFFSET."""
    alike = isinstance(fleet, Failure) and isinstance(plain, Failure) and fleet.sqlstate
    if isinstance(fleet, Failure) and fleet.kind == "NotSupportedError" and not alike:
        return Verdict("refused", fleet.code)
    if case.limited and isinstance(plain, Failure) is not isinstance(fleet, Failure) and _has_bad_value(unlimited()):
        failed = plain if isinstance(plain, Failure) else fleet
        if _has_bad_value(failed):
            return Verdict("right")
    if isinstance(fleet, Failure):
        if isinstance(plain, Answer):
            return Verdict("wrong", f"failed: {fleet.message}")
        return _failures(plain, fleet)
    if isinstance(plain, Failure):
        return Verdict("wrong", f"answered, but the plain database fails: {plain.message}")
    if plain.columns != fleet.columns:
        return Verdict("wrong", f"columns {fleet.columns} instead of {plain.columns}")
    if plain.types != fleet.types:
        return Verdict("wrong", f"types {fleet.types} instead of {plain.types}")
    why = _rows(case, plain, fleet.rows, unlimited)
    return Verdict("wrong", why) if why else Verdict("right")


def _has_bad_value(answer: Answer | Failure) -> bool:
    return isinstance(answer, Failure) and answer.sqlstate[:2] == "22"


def _failures(plain: Failure, fleet: Failure) -> Verdict:
    """Both fail: with the same class of SQLSTATE, or outgrow saw the same kind of mistake by itself."""
    if fleet.sqlstate:
        same = fleet.sqlstate[:2] == plain.sqlstate[:2]
    else:
        same = CLASSES.get(plain.sqlstate[:2]) in (fleet.kind, None) or fleet.kind == "ProgrammingError"
    return Verdict("right") if same else Verdict("wrong", f"failed with {fleet.message} instead of {plain.message}")


def _rows(case: Case, expected: Answer, fleet: list[Any], unlimited: Callable[[], Answer | Failure]) -> str:
    plain = expected.rows
    if len(plain) != len(fleet):
        return f"{len(fleet)} rows instead of {len(plain)}"
    if case.order == "total":
        for number, (one, other) in enumerate(zip(plain, fleet, strict=True)):
            if not same_row(one, other):
                return f"row {number} is {other} instead of {one}"
        return ""
    if case.order == "keys":
        keys = _telling(case.keys, expected.types)
        for number, (one, other) in enumerate(zip(plain, fleet, strict=True)):
            if not all(_ties(one[key], other[key], expected.types[key]) for key in keys):
                return f"row {number} sorts as {other} instead of {one}"
    if case.limited:
        whole = unlimited()
        if isinstance(whole, Answer):
            return _first_missing(fleet, whole.rows, "is none of the unlimited answer's")
        return "" if _has_bad_value(whole) else f"there is no unlimited answer: {whole.message}"
    return _first_missing(fleet, plain, "is not there, or not as often")


def _telling(keys: Sequence[int], types: Sequence[str]) -> Sequence[int]:
    """The keys up to the first float: sums that tie on one side differ in the last bit on the other."""
    first = next((place for place, key in enumerate(keys) if types[key].startswith("float")), len(keys))
    return keys[: first + 1]


def _first_missing(fleet: Sequence[Any], plain: Sequence[Any], why: str) -> str:
    """Is `fleet` contained in `plain`, counting repetitions?  The first row that is not, told with `why`; or ""."""
    left = Counter(map(_exact, plain))
    odd = []
    for row in fleet:
        key = _exact(row)
        if left[key]:
            left[key] -= 1
        else:
            odd.append(row)
    if not odd:
        return ""
    # Only rows that differ in the last bits of a float are left to find partners.
    spare: dict[Any, list[Any]] = defaultdict(list)
    for row in plain:
        key = _exact(row)
        if left[key]:
            left[key] -= 1
            spare[_without_floats(row)].append(row)
    for row in odd:
        partners = spare[_without_floats(row)]
        found = next((index for index, partner in enumerate(partners) if same_row(row, partner)), None)
        if found is None:
            return f"row {row} {why}"
        partners.pop(found)
    return ""


def _exact(row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(_frozen(value) for value in row)


def _frozen(value: Any) -> Any:
    """Hashable, and different where the value's look is: 1.0 is not 1.00, True is not 1, '1' is not 1."""
    if isinstance(value, list | tuple):
        return (type(value).__name__, *(_frozen(item) for item in value))
    return (type(value).__name__, repr(value))


def _without_floats(row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple("float" if isinstance(value, float) else _frozen(value) for value in row)


def same_row(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=TOLERANCE)
    return bool(_frozen(one) == _frozen(other))


def _ties(one: Any, other: Any, type_: str) -> bool:
    """Equal for ORDER BY: 1.0 and 1.00 are, and so are char(n) values that differ in trailing spaces."""
    if type_ == "bpchar" and isinstance(one, str) and isinstance(other, str):
        return one.rstrip(" ") == other.rstrip(" ")
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        return one == other or (one.is_nan() and other.is_nan())
    return _same(one, other)
