"""The fleet against one PostgreSQL: the corpus and some random statements in every run."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.differential.compare import Answer, Failure
from tests.differential.corpus import OWN, corpus
from tests.differential.run import Report, random_cases, run
from tests.differential.sides import How, Sides, opened
from tests.differential.viewed import viewed

STATEMENTS, VIEWED = 1500, 300
#: Of SELECTs, each with its code.
REFUSED_SHARE = 0.01
SEED = 20261123


@pytest.fixture(scope="module")
def sides() -> Iterator[Sides]:
    with opened(shards=3) as both:
        yield both


def told(report: Report) -> str:
    return "\n\n".join("\n".join(f"{k}: {v}" for k, v in failure.items()) for failure in report.failures[:5])


def test_the_corpus_is_right(sides: Sides) -> None:
    report = run(sides, [*corpus(), *corpus(OWN)], 0)
    assert report.wrong == 0, told(report)
    assert report.right >= report.total * 0.6, report.refused_by_code


def test_random_statements_are_right_or_refused(sides: Sides) -> None:
    report = run(sides, random_cases(STATEMENTS, SEED), SEED)
    assert report.total == STATEMENTS
    assert report.wrong == 0, told(report)
    assert report.right >= report.total * 0.5, report.refused_by_code


def test_atomic_reads_are_right_as_well(sides: Sides) -> None:
    """Whatever is merged, brought or streamed stands on the same snapshots; only locking reads are refused for it."""
    atomic = Sides(sides.fleet, sides.plain, atomic=True)
    report = run(atomic, [*list(corpus())[::5], *corpus(OWN), *random_cases(200, SEED + 2)], SEED + 2)
    assert report.wrong == 0, told(report)
    assert report.right >= report.total * 0.5, report.refused_by_code
    assert all("FOR " in text for text in report.refused_examples.get("OG-TX-061", [])), report.refused_examples
    assert not report.refused_by_code["OG-TX-060"], report.refused_by_code


def test_random_statements_over_views_are_right_or_refused(sides: Sides) -> None:
    report = run(sides, viewed(VIEWED, SEED), SEED)
    assert report.wrong == 0, told(report)
    assert report.refused <= report.total * REFUSED_SHARE, report.refused_by_code


#: Of the long run: 200,000 statements, but a tenth of them against a second PostgreSQL.
SLICES, SLICE = (2 if os.environ.get("OUTGROW_TEST_PG") else 20), 10_000


@pytest.mark.long
@pytest.mark.parametrize("part", range(SLICES))
def test_many_random_statements(sides: Sides, seed: int, part: int) -> None:
    """New ones in every run; `python -m tests.differential --replay SEED/NUMBER` asks one again."""
    print(f"seed {seed}, part {part}")
    views = SLICE // 20
    cases = itertools.chain(random_cases(SLICE - views, seed), viewed(views, seed))
    report = run(sides, cases, seed)
    assert report.total == SLICE
    assert report.wrong == 0, f"seed {seed}\n{told(report)}"
    assert report.refused <= report.total * REFUSED_SHARE, f"seed {seed}: {report.refused_by_code}"


def test_random_statements_are_valid(sides: Sides) -> None:
    failed = []
    for _, case, _ in random_cases(600, SEED + 1):
        answer = sides.ask_plain(*case.render(), case.style)
        if isinstance(answer, Failure) and not case.odd:
            failed.append((case.render(), answer.message))
    assert len(failed) <= 600 * 0.03, failed[:3]


class Naive(Sides):
    """A fleet that asks every shard and puts the rows together: what a careless router would do."""

    def __init__(self, honest: Sides, shards: list[psycopg.Connection[Any]]) -> None:
        self.__dict__.update(honest.__dict__)
        self.shards = shards

    def ask_fleet(self, text: str, params: list[object] | None, how: How) -> Answer | Failure:
        answers = [self._one(shard, text, params) for shard in self.shards]
        failed = next((answer for answer in answers if isinstance(answer, Failure)), None)
        if failed is not None:
            return failed
        whole = [answer for answer in answers if isinstance(answer, Answer)]
        return dataclasses.replace(whole[0], rows=[row for answer in whole for row in answer.rows])

    def _one(self, shard: psycopg.Connection[Any], text: str, params: list[object] | None) -> Answer | Failure:
        cursors, self.cursors = self.cursors, {"": psycopg.RawCursor(shard) if "$1" in text else shard.cursor()}
        try:
            return self.ask_plain(text, params, "")
        finally:
            self.cursors = cursors


def test_a_careless_router_is_caught(sides: Sides) -> None:
    shards = [psycopg.connect(shard.primary.dsn, autocommit=True) for shard in sides.fleet.topology.domains[0].shards]
    naive = Naive(sides, shards)
    report = run(naive, ((name, case, how) for name, case, how in random_cases(300, SEED)), SEED)
    for shard in shards:
        shard.close()
    # Its concatenation is right for many a plain SELECT, and wrong for aggregates, order, LIMIT, copied tables.
    assert report.wrong > 60
    assert report.right > 30
    texts = " ".join(failure["text"] for failure in report.failures)
    assert "count(" in texts
