"""Columns of an indexed key that get another name: through outgrow that is refused, past it the index can be mended."""

from __future__ import annotations

import pytest

import outgrow
from outgrow import DatabaseError, Fleet, NotSupportedError
from outgrow.runtime import snapshot
from outgrow.waits import Until
from tests.integration.uniqueness.test_statements import INSERT, placed, refused, right
from tests.servers import Servers


@pytest.mark.parametrize(
    "sql", ["ALTER TABLE people RENAME email TO mail", "ALTER TABLE people DROP COLUMN email CASCADE"]
)
@pytest.mark.parametrize("block", [False, True])
def test_through_outgrow(fleet: Fleet, sql: str, block: bool) -> None:
    (one, *_), (other, *_) = placed(fleet).values()
    with fleet.session() as session:
        session.execute(INSERT, [one, "a"])
        if block:
            session.execute("BEGIN")
        with pytest.raises(NotSupportedError, match=r"OG-RUN-157.*people_email_key of people.*email"):
            session.execute(sql)
        if block:
            session.execute("ROLLBACK")
        refused(session, INSERT, [other, "a"])
        session.execute("ALTER TABLE people RENAME land TO country")
        # As the cure says.
        number = fleet.unique().show()[0].number
        fleet.unique().drop(number)
        session.execute(sql)
        if "RENAME" in sql:
            fleet.unique().build("people", "mail")
            refused(session, INSERT.replace("email", "mail"), [other, "a"])
            right(fleet, 1)


def test_past_outgrow(fleet: Fleet, fleet_servers: Servers) -> None:
    (one, *_), (other, *_) = placed(fleet).values()
    fleet.unique().build("people", ["land", "tax"])
    with fleet.session() as session:
        session.execute(INSERT, [one, "a"])
        for shard in fleet.topology.domains[0].shards:
            fleet_servers.sql(shard.primary, "ALTER TABLE people RENAME email TO mail")
        with pytest.raises(DatabaseError, match="email"):
            session.execute("INSERT INTO people (id) VALUES (%s)", [other])
        (by_email, by_land) = sorted(fleet.unique().check(), key=lambda one: len(one.unique.columns))
        assert (by_email.gone, by_email.right, by_land.right) == (("email",), False, True)
        for all_rows in (False, True):
            (finding,) = [f for f in fleet.doctor(all_rows=all_rows) if f.check == "unique in the domain"]
            assert "names email, which the table has not" in finding.what
            assert "`outgrow unique build people` with the columns as they are called now" in finding.cure
        fleet.unique().build("people", "mail")
        insert = INSERT.replace("email", "mail")
        refused(session, insert, [other, "a"])
        session.execute(insert, [other, "b"])
        right(fleet)
        assert {index.columns for index in fleet.unique().show()} == {("mail",), ("land", "tax")}
        assert not [f for f in fleet.doctor(all_rows=True) if f.check == "unique in the domain"]


def test_shards_that_do_not_keep_the_same_indexes_are_told_to_build(fleet: Fleet, fleet_servers: Servers) -> None:
    primary = fleet.topology.domains[0].shards[0].primary
    fleet_servers.sql(primary, "ALTER TABLE people DISABLE TRIGGER USER")
    fleet.unique().check()
    with fleet.session() as session, pytest.raises(DatabaseError, match="OG-SCHEMA-016") as caught:
        session.execute("SELECT * FROM people")
    assert "outgrow unique build people" in caught.value.cure


def test_between_two_shards_commits_the_picture_is_taken_again(
    fleet: Fleet, fleet_servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A moment later the other shard has its triggers, too: nobody is told that shards differ."""
    primary = fleet.topology.domains[0].shards[1].primary
    fleet_servers.sql(primary, "ALTER TABLE people DISABLE TRIGGER USER")
    pauses = []

    def committed(at: float) -> Until:
        pauses.append(at)
        fleet_servers.sql(primary, "ALTER TABLE people ENABLE TRIGGER USER")
        return Until(at)

    monkeypatch.setattr(snapshot, "Until", committed)
    with outgrow.open(fleet.topology) as late, late.session() as session:
        session.execute("SELECT count(*) FROM people")
    assert len(pauses) == 1
