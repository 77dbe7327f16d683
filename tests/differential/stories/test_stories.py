"""Random writes in every run: a few hundred, always the same."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest

import outgrow
from tests.differential.block import Case
from tests.differential.compare import Answer, Failure
from tests.differential.run import Report
from tests.differential.stories.both import Both, opened
from tests.differential.stories.run import run
from tests.differential.stories.tables import UNIQUE

STATEMENTS = 400
SEED = 20261128


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    with opened(shards=3) as sides:
        yield sides


def told(report: Report) -> str:
    return "\n\n".join("\n".join(f"{k}: {v}" for k, v in failure.items()) for failure in report.failures[:5])


def test_random_writes_are_right_or_refused(both: Both) -> None:
    report = run(both, STATEMENTS, SEED)
    assert report.total >= STATEMENTS
    assert report.wrong == 0, told(report)
    assert report.right >= report.total * 0.85, report.refused_by_code


def test_random_writes_beside_an_index_of_the_whole_domain() -> None:
    with opened(shards=2, unique=UNIQUE) as sides:
        report = run(sides, 120, SEED)
    assert report.wrong == 0, told(report)
    assert report.right >= report.total * 0.85, report.refused_by_code


#: Of the long run: 50,000 writes, but a tenth of them against a second PostgreSQL.
MANY: Counter[str] = Counter()
SLICES, SLICE = (1 if os.environ.get("OUTGROW_TEST_PG") else 10), 5_000


@pytest.mark.long
@pytest.mark.parametrize("part", range(SLICES))
def test_many_random_writes(both: Both, seed: int, part: int) -> None:
    """New ones in every run; `python -m tests.differential --writes --replay SEED/CHAPTER` plays a chapter again."""
    print(f"seed {seed}, part {part}")
    report = run(both, SLICE, seed)
    assert report.total >= SLICE
    assert report.wrong == 0, f"seed {seed}\n{told(report)}"
    MANY.update(total=report.total, refused=report.refused)


@pytest.mark.long
def test_few_of_many_writes_are_refused() -> None:
    """All slices together: chapters are of one kind each, so that slices differ."""
    assert MANY["total"] >= SLICES * SLICE, "run it with the slices"
    assert MANY["refused"] <= MANY["total"] * 0.03, MANY


class Careless(Both):
    """A fleet with a fault; `forget` says which statements it only pretends to have run."""

    def __init__(self, honest: Both, forget: str = "", shard: str | None = None) -> None:
        self.__dict__.update(honest.__dict__)
        self.forget = forget
        self.shard = shard

    def ask_fleet(self, case: Case) -> Answer | Failure:
        text = case.block.raw
        if self.forget and text.startswith(self.forget):
            return super().ask_fleet(Case(case.block.__class__(raw="SELECT 1"), (), ""))
        if self.shard is None or not text.startswith(("INSERT", "UPDATE")):
            return super().ask_fleet(case)
        try:
            result = self.session.execute(*case.render(), shard=self.shard)
        except outgrow.Error as error:
            return Failure(error.code, error.sqlstate or "", type(error).__name__, str(error))
        fields = result.fields
        said = ("said", result.statusmessage, result.rowcount)
        rows = result.fetchall() if fields else []
        return Answer(result.columns, tuple(field.type for field in fields), [said, *rows])


def test_a_fleet_that_forgets_to_roll_back_is_caught(both: Both) -> None:
    report = run(Careless(both, forget="ROLLBACK TO"), 150, SEED)
    assert report.wrong > 0
    assert any("different rows" in failure["why"] for failure in report.failures)


def test_a_fleet_that_puts_rows_anywhere_is_caught(both: Both) -> None:
    report = run(Careless(both, shard="s1"), 150, SEED)
    assert report.wrong > 3
    assert any("lies on s1 instead of" in failure["why"] for failure in report.failures)


def test_what_goes_wrong_is_told_in_few_statements(both: Both) -> None:
    report = run(Careless(both, shard="s2"), 20, SEED)
    assert len(report.failures[0]["least"]) <= 3
