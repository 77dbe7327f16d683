"""Rows that are brought in stages inside the session's own transaction."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

import outgrow
from outgrow.runtime.reading import bringing
from outgrow.runtime.reading.staged import Staging
from tests.integration.runtime.test_bringing import Sides, narrowed, restored, sides

__all__ = ["narrowed", "sides"]

JOINED = "SELECT DISTINCT g.label, s.note FROM goods g JOIN sales s ON s.good = g.id WHERE g.id = 5 ORDER BY 1, 2"


def _disturbed(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Behind every stage somebody changes rows of both tables; how many stages there were."""
    whole, stages = Staging._stage_steps, []
    changed = "WITH g AS (UPDATE goods SET label = 'late' WHERE id = 5) UPDATE sales SET note = 'late' WHERE good = 5"

    def disturbed(self: Staging, *arguments: Any) -> Any:
        yield from whole(self, *arguments)
        stages.append(1)
        for shard in sides.fleet.topology.domains[0].shards:
            with psycopg.connect(shard.primary.dsn, autocommit=True) as connection:
                connection.execute(changed)  # type: ignore[call-overload]

    monkeypatch.setattr(Staging, "_stage_steps", disturbed)
    return stages


BEGINNINGS = {
    "BEGIN": (["BEGIN ISOLATION LEVEL REPEATABLE READ"], 2),
    "START": (["START TRANSACTION ISOLATION LEVEL SERIALIZABLE"], 2),
    "SET TRANSACTION": (["BEGIN", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"], 2),
    "SET": (["SET default_transaction_isolation = 'repeatable read'", "BEGIN"], 2),
    "plain": (["BEGIN"], 0),
    "said, but not so": (["BEGIN", "SET LOCAL app.note = 'serializable'"], 0),
}


@pytest.mark.parametrize(("beginning", "stages"), BEGINNINGS.values(), ids=BEGINNINGS)
def test_a_transaction_of_one_snapshot_brings_rows_in_stages(
    sides: Sides, narrowed: None, monkeypatch: pytest.MonkeyPatch, beginning: list[str], stages: int
) -> None:
    before = sides.plain.execute(JOINED).fetchall()
    met = _disturbed(sides, monkeypatch)
    sql = JOINED + " " * len(beginning[0])
    with sides.fleet.session() as session:
        for one in beginning:
            session.execute(one)
        planner = session.execute("SHOW enable_nestloop", shard="s1").fetchall()
        assert session.execute(sql).fetchall() == before
        assert len(met) == stages
        for shard in ("s1", "s2"):
            assert session.execute("SHOW enable_nestloop", shard=shard).fetchall() == planner
        session.execute("ROLLBACK")
        for sqls in ("UPDATE goods SET label = 'good 1' WHERE id = 5", *restored(sides)):
            session.execute(sqls)


def test_mutant_stages_of_a_transaction_that_sees_each_statements_moment(
    sides: Sides, narrowed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bringing, "may_keep_one_snapshot", lambda transaction: True)
    monkeypatch.setattr(Staging, "_check_steps", lambda self, links: iter(()))
    before = sides.plain.execute(JOINED).fetchall()
    _disturbed(sides, monkeypatch)
    with sides.fleet.session() as session:
        session.execute("BEGIN")
        seen = session.execute(JOINED).fetchall()
        session.execute("ROLLBACK")
        for sqls in ("UPDATE goods SET label = 'good 1' WHERE id = 5", *restored(sides)):
            session.execute(sqls)
    assert seen not in (before, [("late", "late")])


def test_stages_of_a_transaction_see_its_own_writes(sides: Sides, narrowed: None) -> None:
    writes = ("UPDATE goods SET label = 'own' WHERE id = 5", "UPDATE sales SET note = 'own' WHERE good = 5")
    with sides.fleet.session() as session, session.transaction("REPEATABLE READ"):
        for write in writes:
            session.execute(write)
        assert session.execute(JOINED).fetchall() == [("own", "own")]
        session.execute("SAVEPOINT before")
        with pytest.raises(outgrow.Error, match="division by zero"):
            session.execute(JOINED.replace("g.id = 5", "g.id / (g.id - g.id) = 5"))
        session.execute("ROLLBACK TO before")
        for write in (write.replace("'own'", "'good 1'") for write in (writes[0], *restored(sides))):
            session.execute(write)
