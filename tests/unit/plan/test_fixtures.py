"""Every statement of `tests/plans/*.sql` gets the plan that is written below it.

Each statement ends with `;` and is followed by comment lines with its plan.  After an intended change:
`OUTGROW_REGENERATE=1 pytest tests/unit/plan/test_fixtures.py`, then read the difference.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from outgrow.errors import Error
from outgrow.plan.model import Plan, describe_finish
from outgrow.plan.writes.change import Gather, describe_change

from .domains_world import across_plan
from .mariadb_world import mariadb_plan
from .ranged import ranged_located, ranged_plan
from .tpch import LAYOUTS, queries, tpch_plan
from .world import plan

DIRECTORY = Path(__file__).parents[2] / "plans"
FILES = sorted(DIRECTORY.glob("*.sql"))
#: The statements of a domain whose keys lie by range.
RANGED = "ranges.sql"
PLANNERS: dict[str, Callable[[str], Plan]] = {
    RANGED: ranged_plan,
    "mariadb.sql": mariadb_plan,
    **{layout: partial(tpch_plan, layout=layout) for layout in LAYOUTS},
    "across.sql": across_plan,
}


def described(sql: str, file: str = "") -> list[str]:
    """The plan as comment lines; where keys lie by range, with the shards where no parameter is to be known first."""
    ranged = file == RANGED
    try:
        made = PLANNERS.get(file, plan)(sql)
    except Error as error:
        return [f"--   error: {error.code} {error.message}"]
    lines = [f"--   {made.access}, {made.where}"]
    lines += [f"--   scan: {scan.describe()}" for scan in made.scans]
    if ranged and not made.statement.placeholders.count:
        lines.append(f"--   on: {', '.join(ranged_located(sql).shards)}")
    if made.fixed:
        lines.append(f"--   single: {', '.join(made.fixed)}")
    if made.drawing is not None:
        lines.append(f"--   draws: {', '.join(made.drawing.shown)}: {made.statement.sql}")
    if made.fragment_sql is not None:
        numbers = f" with {list(made.fragment_params)}" if made.fragment_params else ""
        lines.append(f"--   fragment: {made.fragment_sql}{numbers}")
    if made.finish is not None and (made.change is None or made.change.gather is Gather.TURN):
        lines.append(f"--   finish: {'; '.join(describe_finish(made.finish))}")
    if made.change is not None:
        lines += [f"--   change: {step}" for step in describe_change(made.change)]
    if made.across is not None:
        lines += [f"--   {step}" for step in made.across.describe()]
        lines += [f"--   first: {step}" for step in (made.across.keyed.describe() if made.across.keyed else ())]
    lines += [f"--   answered before: {step}" for answer in made.answers for step in answer.describe()]
    if made.delivery is not None:
        lines += [f"--   {step}" for step in made.delivery.describe()]
    if made.merging is not None:
        lines += [f"--   {step}" for step in made.merging.describe()]
    if made.relay is not None:
        lines += [f"--   {step}" for step in made.relay.describe()]
    if made.is_brought and made.brought is not None:
        lines += [f"--   {step}" for step in made.brought.describe()]
    elif made.refusal is not None:
        lines.append(f"--   refused over several: {made.refusal.code} {made.refusal.message}")
    shown = {f"plan.keys: {scan.describe()}" for scan in made.scans}
    for reason in made.reasons:
        line = f"{reason.who}: {reason.what}"
        if line not in shown and "it is refused" not in line:
            lines.append(f"--   because: {line}")
    return lines


def cases(path: Path) -> Iterator[tuple[list[str], str, list[str]]]:
    """(comments before, statement, plan lines) of one file."""
    before: list[str] = []
    statement: list[str] = []
    expected: list[str] = []
    for line in [*path.read_text().splitlines(), ""]:
        if line.startswith("--   "):
            expected.append(line)
            continue
        if statement and statement[-1].endswith(";"):
            yield before, "\n".join(statement), expected
            before, statement, expected = [], [], []
        if line.startswith("--") or not line.strip():
            before.append(line)
        else:
            statement.append(line)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_plans(path: Path) -> None:
    found = list(cases(path))
    assert found
    if os.environ.get("OUTGROW_REGENERATE"):
        lines: list[str] = []
        for before, sql, _ in found:
            lines += [*before, sql, *described(sql, path.name)]
        path.write_text("\n".join(lines).strip("\n") + "\n")
        return
    for _, sql, expected in found:
        assert described(sql, path.name) == expected, sql


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tpch_is_whole(layout: str) -> None:
    """The 22 queries as the bench asks them."""
    asked = [(before[-1], sql) for before, sql, _ in cases(DIRECTORY / layout)]
    assert asked == queries()


def test_there_are_plans() -> None:
    assert len(FILES) >= 5
