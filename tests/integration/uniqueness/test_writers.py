"""Every way of writing keeps the index, or is refused by name."""

from __future__ import annotations

import io

import pytest

from outgrow import DatabaseError, Fleet, IntegrityError, NotSupportedError, OperationalError
from outgrow.moving import LoadOptions
from outgrow.runtime import batch_steps, drive
from tests.integration.uniqueness.test_statements import INSERT, placed, refused, right
from tests.servers import Servers


def test_rows_of_one_statement(fleet: Fleet) -> None:
    by_shard = placed(fleet)
    ids = [id for pair in zip(by_shard["s1"][:4], by_shard["s2"][:4], strict=True) for id in pair]
    rows = ", ".join(["(%s, %s)"] * len(ids))
    with fleet.session() as session:
        insert = f"INSERT INTO people (id, email) VALUES {rows}"
        values = [value for id in ids for value in (id, f"{id}@x")]
        session.execute(insert, values)
        right(fleet, len(ids))
        session.execute("DELETE FROM people")
        refused(session, insert, [*values[:-1], f"{ids[0]}@x"])
        right(fleet, 0)
        session.execute(insert, values)
        # Each takes another one's value: every server by itself finds nothing wrong with that.
        pairs = dict(zip(by_shard["s1"][:4], by_shard["s2"][:4], strict=True))
        cases = " ".join(f"WHEN {one} THEN '{other}@x' WHEN {other} THEN '{one}@x'" for one, other in pairs.items())
        session.execute(f"UPDATE people SET email = CASE id {cases} END")
        right(fleet, len(ids))
        assert session.execute("SELECT email FROM people WHERE id = %s", [ids[0]]).fetchall() == [(f"{ids[1]}@x",)]
        refused(session, "UPDATE people SET email = 'same' WHERE id IN (%s, %s)", ids[:2])
        right(fleet, len(ids))


def test_conflicts(fleet: Fleet) -> None:
    (one, *_), (other, *_) = placed(fleet).values()
    with fleet.session() as session:
        session.execute(INSERT, [one, "a"])
        session.execute(f"{INSERT} ON CONFLICT (id) DO UPDATE SET email = 'b'", [one, "c"])
        session.execute(INSERT, [other, "a"])
        right(fleet, 2)
        refused(session, f"{INSERT} ON CONFLICT (id) DO UPDATE SET email = 'a'", [one, "c"])
        session.execute(f"{INSERT} ON CONFLICT (id) DO NOTHING", [one, "a"])
        right(fleet, 2)
        with pytest.raises(NotSupportedError, match="OG-PLAN-050"):
            session.execute(f"{INSERT} ON CONFLICT (email) DO NOTHING", [one, "a"])


def test_moved_keys(fleet: Fleet) -> None:
    (one, *_), (other, another, *_) = placed(fleet).values()
    with fleet.session() as session:
        session.execute(INSERT, [one, "a"])
        session.execute(INSERT, [another, "b"])
        session.execute("UPDATE people SET id = %s WHERE id = %s", [other, one])
        right(fleet, 2)
        refused(session, INSERT, [one, "a"])
        refused(session, "UPDATE people SET id = %s, email = 'b' WHERE id = %s", [one, other])
        session.execute("UPDATE people SET id = %s, email = 'c' WHERE id = %s", [one, other])
        session.execute(INSERT, [other, "a"])
        right(fleet, 3)


def test_copy_load_and_many_sets(fleet: Fleet) -> None:
    ids = [id for ids in placed(fleet).values() for id in ids]
    with fleet.session() as session:
        lines = "".join(f"{id}\t{id}@x\n" for id in ids)
        with session.copy("COPY people (id, email) FROM STDIN") as copy:
            copy.write(lines)
        right(fleet, len(ids))
        with pytest.raises(IntegrityError) as caught, session.copy("COPY people (id, email) FROM STDIN") as copy:
            copy.write("".join(f"{100 + at}\t{ids[at]}@x\n" for at in range(20)))
        assert caught.value.sqlstate == "23505"
        right(fleet, len(ids))
        with pytest.raises(DatabaseError) as caught:
            session.load(
                io.BytesIO(b"id,email\n200,new@x\n201,%d@x\n202,%d@x\n" % (ids[0], ids[-1])),
                "people",
                options=LoadOptions(append=True),
            )
        assert caught.value.sqlstate == "23505"
        right(fleet, len(ids))
        session.load(io.BytesIO(b"id,email\n200,new@x\n201,newer@x\n"), "people", options=LoadOptions(append=True))
        right(fleet, len(ids) + 2)
        session.execute("TRUNCATE people")
        right(fleet, 0)
    with fleet.session() as session, session.transaction():
        session.execute(INSERT, [1, "t"])
        with session.copy("COPY people (id, email) FROM STDIN") as copy:
            copy.write("2\tu\n3\tv\n")
        session.execute("DELETE FROM people WHERE email = 'u'")
        session.execute(INSERT, [5, "u"])
    right(fleet, 3)


def test_parts_under_with_merge_and_select(fleet: Fleet) -> None:
    with fleet.session() as session:
        for id in range(1, 7):
            session.execute(INSERT, [id, f"{id}@x"])
        session.execute(
            "WITH gone AS (DELETE FROM people WHERE id < 3 RETURNING id, email) "
            "INSERT INTO people (id, email) SELECT id + 10, email || '!' FROM gone"
        )
        right(fleet, 6)
        session.execute("INSERT INTO people (id, email) SELECT id + 100, 'copy of ' || email FROM people")
        right(fleet, 12)
        refused(session, "INSERT INTO people (id, email) SELECT id + 200, email FROM people WHERE id = 5")
        session.execute(
            "MERGE INTO people AS p USING (VALUES (3, 'merged'), (77, 'new')) AS v (id, email) ON p.id = v.id "
            "WHEN MATCHED THEN UPDATE SET email = v.email "
            "WHEN NOT MATCHED THEN INSERT (id, email) VALUES (v.id, v.email)"
        )
        right(fleet, 13)
        refused(session, "INSERT INTO people (id, email) VALUES (4711, 'merged')")


def test_savepoints_undo_what_came_behind_them(fleet: Fleet) -> None:
    (one, *_), (other, *_) = placed(fleet).values()
    with fleet.session() as session:
        with session.transaction():
            session.execute(INSERT, [one, "a"])
            session.execute("SAVEPOINT s")
            refused(session, INSERT, [other, "a"])
            session.execute("ROLLBACK TO s")
            session.execute("UPDATE people SET email = 'b' WHERE id = %s", [one])
            session.execute(INSERT, [other, "a"])
            session.execute("ROLLBACK TO s")
            session.execute(INSERT, [other, "c"])
        right(fleet, 2)
        session.execute("BEGIN")
        session.execute("DELETE FROM people")
        session.execute(INSERT, [other, "a"])
        session.execute("ROLLBACK")
        right(fleet, 2)


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_snapshots_that_are_old(fleet: Fleet, isolation: str) -> None:
    """A row that another transaction has written since, and its entry: never is one seen without the other's change."""
    (one, *_), (other, another, *_) = placed(fleet).values()
    with fleet.session() as session, fleet.session() as late:
        late.execute(f"BEGIN ISOLATION LEVEL {isolation}")
        late.execute("SELECT count(*) FROM people")
        session.execute(INSERT, [one, "a"])
        with pytest.raises(DatabaseError) as caught:
            late.execute(INSERT, [other, "a"])
        assert caught.value.sqlstate in ("40001", "23505")
        late.execute("ROLLBACK")
        for email, id in (("b", other), ("c", another)):
            late.execute(f"BEGIN ISOLATION LEVEL {isolation}")
            late.execute("SELECT 1 FROM people WHERE id = %s", [one])
            session.execute(INSERT, [id, email])
            try:
                late.execute("DELETE FROM people WHERE id = %s", [id])
                late.execute("COMMIT")
            except OperationalError as error:
                assert error.sqlstate == "40001"
                late.execute("ROLLBACK")
            right(fleet)


def test_who_writes_past_outgrow_is_refused_by_the_server(fleet: Fleet, fleet_servers: Servers) -> None:
    (one, *_), _ = placed(fleet).values()
    primary = fleet.topology.domains[0].shards[0].primary
    with pytest.raises(Exception, match="without telling its index"):
        fleet_servers.sql(primary, "INSERT INTO people (id, email) VALUES (%s, 'past')", [one])
    # What concerns no value goes.
    fleet_servers.sql(primary, "INSERT INTO people (id, land) VALUES (%s, 'x')", [one])
    fleet_servers.sql(primary, "UPDATE people SET land = 'y'")
    fleet_servers.sql(
        primary,
        "CREATE FUNCTION changed() RETURNS int BEGIN ATOMIC UPDATE people SET email = 'z' RETURNING 1; END",
    )
    with fleet.session() as session:
        with pytest.raises(DatabaseError, match="OG-NODE-160"):
            session.execute("SELECT changed()")
        session.execute("DO $$ BEGIN UPDATE people SET email = 'z'; END $$", shard="s1")
        right(fleet, 1)
        session.execute("UPDATE people SET email = 'past' WHERE id = %s", [one], shard="s1")
    right(fleet, 1)


def test_streams_do_not_write_it(fleet: Fleet) -> None:
    with fleet.session() as session, pytest.raises(NotSupportedError, match="OG-RUN-012"):
        list(session.stream("WITH d AS (DELETE FROM people RETURNING id) SELECT * FROM d"))


def test_many_sets_of_parameters(fleet: Fleet) -> None:
    conversation = fleet.conversation()
    ids = range(1, 31)
    drive(batch_steps(conversation, INSERT, [[id, f"{id}@x"] for id in ids]))
    right(fleet, 30)
    with pytest.raises(IntegrityError, match=r"OG-RUN-150|OG-NODE-110"):
        drive(batch_steps(conversation, INSERT, [[id + 100, f"{id + 29}@x"] for id in ids]))
    right(fleet, 30)
    drive(batch_steps(conversation, "DELETE FROM people WHERE id = %s", [[id] for id in ids]))
    right(fleet, 0)
