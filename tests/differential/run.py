"""A run of many statements, and what came of it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.differential.block import Case, smaller
from tests.differential.compare import Answer, Failure
from tests.differential.sides import How, Sides
from tests.differential.statements import statement

#: Wrong answers are told with text and rows up to this many; all are counted.
EXAMPLES_MAX = 20
ROWS_SHOWN = 8


@dataclass(slots=True)
class Report:
    seed: int
    total: int = 0
    right: int = 0
    wrong: int = 0
    refused: int = 0
    refused_by_code: Counter[str] = field(default_factory=Counter)
    refused_by_construct: Counter[str] = field(default_factory=Counter)
    total_by_construct: Counter[str] = field(default_factory=Counter)
    #: One text for each code.
    refused_examples: dict[str, list[str]] = field(default_factory=dict)
    failures: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def random_cases(count: int, seed: int, first: int = 0) -> Iterable[tuple[str, Case, How]]:
    """(name, case, how to ask) of `count` statements from number `first` on."""
    for number in range(first, first + count):
        yield f"{seed}/{number}", statement(seed, number), How.drawn(random.Random(f"how/{seed}/{number}"))


def run(
    sides: Sides,
    cases: Iterable[tuple[str, Case, How]],
    seed: int,
    on_progress: Callable[[Report], None] = lambda _: None,
) -> Report:
    report = Report(seed)
    for name, case, how in cases:
        verdict, plain, fleet = sides.verdict(case, how)
        report.total += 1
        report.total_by_construct[case.construct] += 1
        if verdict.kind == "right":
            report.right += 1
        elif verdict.kind == "refused":
            _note_refusal(report, case, verdict.why, fleet)
        else:
            report.wrong += 1
            if len(report.failures) < EXAMPLES_MAX:
                report.failures.append(described(sides, name, case, how, verdict.why, plain, fleet))
        on_progress(report)
    return report


def _note_refusal(report: Report, case: Case, code: str, fleet: Answer | Failure) -> None:
    report.refused += 1
    report.refused_by_code[code] += 1
    report.refused_by_construct[case.construct] += 1
    examples = report.refused_examples.setdefault(code, [])
    if len(examples) < 3 and isinstance(fleet, Failure):
        examples.append(f"{case.render()[0]} -- {fleet.message}")


def described(
    sides: Sides, name: str, case: Case, how: How, why: str, plain: Answer | Failure, fleet: Answer | Failure
) -> dict[str, Any]:
    """A wrong answer for people, with a smaller statement that goes wrong too where one is found."""
    text, params = case.render()
    # Right when asked again: what went before matters (connections, plans), so replay a whole stretch with --first.
    repeats = sides.verdict(case, how)[0].kind == "wrong"
    least = shrunk(sides, case, how)
    least_text, least_params = least.render()
    told = {
        "name": name, "text": text, "params": _shown(params), "how": str(how),
        "why": why, "repeats": repeats, "plain": told_of(plain), "fleet": told_of(fleet),
    }  # fmt: skip
    if least_text != text:
        told |= {"smaller": least_text, "smaller_params": _shown(least_params)}
    return told


def shrunk(sides: Sides, case: Case, how: How, tries_max: int = 60) -> Case:
    """Leave out parts as long as the answer stays wrong."""
    tries, again = 0, True
    while again and tries < tries_max:
        again = False
        for candidate in smaller(case):
            tries += 1
            verdict, plain, _ = sides.verdict(candidate, how)
            if verdict.kind == "wrong" and isinstance(plain, Answer):
                case, again = candidate, True
                break
            if tries >= tries_max:
                break
    return case


def _shown(params: list[object] | None) -> list[str] | None:
    return None if params is None else [repr(value) for value in params]


def told_of(answer: Answer | Failure) -> dict[str, Any]:
    if isinstance(answer, Failure):
        return {"error": f"{answer.kind} {answer.sqlstate}: {answer.message}"}
    rows = [repr(row) for row in answer.rows[:ROWS_SHOWN]]
    return {"columns": answer.columns, "types": answer.types, "count": len(answer.rows), "rows": rows}
