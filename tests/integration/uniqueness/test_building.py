"""Building an index beside writers, building it anew, dropping it, and what cannot be indexed."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import outgrow
from outgrow import DatabaseError, Fleet, IntegrityError, NotSupportedError, OperationalError, ProgrammingError
from outgrow.errors import ConfigurationError
from outgrow.nodes import Rows
from outgrow.runtime.uniqueness import building, settling
from tests.integration.uniqueness.test_statements import INSERT, placed, refused, right
from tests.servers import Servers


def test_a_process_that_does_not_know_the_index_yet(fleet: Fleet) -> None:
    (one, *_), (other, *_) = placed(fleet).values()
    with outgrow.open(fleet.topology) as late, late.session() as session:
        session.execute("SELECT 1")
        fleet.unique().build("people", ["land", "tax"])
        insert = "INSERT INTO people (id, land, tax) VALUES (%s, 'DE', %s)"
        session.execute("BEGIN")
        session.execute("SELECT 1 FROM people WHERE id = %s", [one])
        with pytest.raises(OperationalError) as caught:
            session.execute(insert, [one, "1.0"])
        assert caught.value.code == "OG-RUN-151"
        session.execute("ROLLBACK")
        with fleet.session() as mine:
            mine.execute(insert, [one, "1.0"])
        error = refused(session, insert, [other, "1.00"])
        assert "(land, tax)=({DE,1})" in error.message
        session.execute(insert, [other, "1.01"])
        right(fleet)


def test_rows_that_are_there(fleet: Fleet) -> None:
    (one, *_), (other, another, *_) = placed(fleet).values()
    index = fleet.unique().show()[0]
    assert (index.number, index.name, index.columns) == (1, "people_email_key", ("email",))
    fleet.unique().drop(1)
    assert fleet.unique().show() == ()
    with fleet.session() as session:
        for id in (one, other):
            session.execute(INSERT, [id, "same"])
        with pytest.raises(IntegrityError, match=r"OG-RUN-150.*email.*same"):
            fleet.unique().build("people", "email")
        assert fleet.unique().show() == ()
        session.execute(INSERT, [another, "free"])
        session.execute("UPDATE people SET email = NULL WHERE id = %s", [one])
        assert fleet.unique().build("people", "email").number > 1
        refused(session, INSERT, [one + 1000, "same"])
        right(fleet, 2)
        number = fleet.unique().build("people", "email").number
        assert [index.number for index in fleet.unique().show()] == [number]
        right(fleet, 2)


def test_what_is_wrong_is_found_and_mended(fleet: Fleet, fleet_servers: Servers) -> None:
    with fleet.session() as session:
        for id in range(1, 21):
            session.execute(INSERT, [id, f"{id}@x"])
    primary = fleet.topology.domains[0].shards[0].primary
    [[gone]] = fleet_servers.sql(primary, "DELETE FROM outgrow.unique_values WHERE ctid = '(0,1)' RETURNING value")
    fleet_servers.sql(primary, "INSERT INTO outgrow.unique_values VALUES (1, 'nobody', '{1}')")
    (compared,) = fleet.unique().check()
    assert (compared.unindexed, compared.stale) == ((gone,), ("nobody",))
    assert compared.misplaced in (0, 1)
    fleet.unique().build("people", "email")
    right(fleet, 20)
    fleet_servers.sql(primary, "ALTER TABLE people DISABLE TRIGGER USER")
    with fleet.session() as session:
        session.execute("UPDATE people SET land = 'a' WHERE id = 1")
    with outgrow.open(fleet.topology) as other, other.session() as session:
        with pytest.raises(DatabaseError, match="fleet unique"):
            session.execute("UPDATE people SET land = 'a' WHERE id = 1")
        other.unique().build("people", "email")
        session.execute("UPDATE people SET land = 'a' WHERE id = 1")


def test_beside_writers(fleet: Fleet) -> None:
    fleet.unique().drop(1)
    over = threading.Event()
    failures: list[BaseException] = []

    def write(writer: int) -> None:
        with fleet.session() as session:
            for at in range(10_000):
                if over.is_set():
                    return
                try:
                    session.execute(INSERT, [writer * 10_000 + at, f"{writer} {at}"])
                    session.execute("UPDATE people SET email = email || '!' WHERE id = %s", [writer * 10_000 + at])
                except (OperationalError, ConfigurationError) as error:
                    # (Shards commit one after another: who looks in between is told that they differ.)
                    if error.code not in ("OG-NODE-160", "OG-RUN-151", "OG-SCHEMA-016"):
                        failures.append(error)
                except BaseException as error:
                    failures.append(error)

    threads = [threading.Thread(target=write, args=[writer]) for writer in (1, 2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            fleet.unique().drop(fleet.unique().build("people", "email").number)
        fleet.unique().build("people", "email")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not failures, failures[0]
    right(fleet)


def test_what_cannot_be_indexed(fleet: Fleet) -> None:
    unique = fleet.unique()
    with fleet.session() as session:
        session.execute("CREATE UNIQUE INDEX ON people (land) NULLS NOT DISTINCT")
        session.execute("ALTER TABLE people ADD COLUMN at timestamptz UNIQUE, ADD COLUMN n int UNIQUE DEFERRABLE")
    for columns, why in (
        (["id"], "the shard key is among them"),
        (["land"], "takes two NULLs for equal"),
        (["at"], "at is timestamptz"),
        (["tax"], "not unique on each shard"),
        (["n"], "not unique on each shard"),
    ):
        with pytest.raises(NotSupportedError, match=rf"OG-RUN-152.*{why}"):
            unique.build("people", columns)
    with pytest.raises(ProgrammingError, match=r"OG-RUN-154.*no column"):
        unique.build("people", "nobody")
    with pytest.raises(ProgrammingError, match=r"OG-RUN-154.*no table"):
        unique.build("persons", "email")
    with pytest.raises(ProgrammingError, match="OG-RUN-154"):
        unique.drop(99)


def test_what_an_index_could_not_be_kept_for(fleet: Fleet, fleet_servers: Servers) -> None:
    """What changes values, or calls them equal, without a write that a trigger hears of."""
    unique = fleet.unique()
    with fleet.session() as session:
        session.execute("ALTER TABLE people ADD COLUMN twice text GENERATED ALWAYS AS (land || land) STORED")
        session.execute("CREATE UNIQUE INDEX ON people (twice)")
        with pytest.raises(NotSupportedError, match=r"OG-RUN-152.*twice is generated"):
            unique.build("people", "twice")
        session.execute("ALTER TABLE people ADD COLUMN nick text, ADD COLUMN alias text")
        session.execute("CREATE UNIQUE INDEX ON people (alias)")
        for shard in fleet.topology.domains[0].shards:
            # (Without ICU no such collation can be made, so this one is called so.)
            fleet_servers.sql(shard.primary, "CREATE COLLATION blind (provider = libc, locale = 'C')")
            fleet_servers.sql(
                shard.primary, "UPDATE pg_collation SET collisdeterministic = false WHERE collname = 'blind'"
            )
        session.execute("CREATE UNIQUE INDEX nick_key ON people (nick COLLATE blind)")
        with pytest.raises(NotSupportedError, match=r"OG-RUN-152.*collation of nick_key calls equal"):
            unique.build("people", "nick")
        # Beside a key that keeps all apart that differ, such a one is more than enough on a shard.
        session.execute("CREATE UNIQUE INDEX plain_key ON people (nick)")
        assert unique.build("people", "nick").name == "plain_key"
        session.execute("ALTER TABLE people SET UNLOGGED")
        with pytest.raises(NotSupportedError, match=r"OG-RUN-152.*UNLOGGED"):
            unique.build("people", "alias")


def test_rows_come_in_parts(fleet: Fleet, fleet_servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, and one value twice is found whichever parts and shards its rows are in; NULLs are nobody's."""
    brought: list[int] = []
    real = settling.bring_steps

    def counted(transaction: Any, known: Any, answers: list[Rows], until: Any) -> Any:
        brought.append(sum(row[3] for answer in answers for row in answer.rows))
        return real(transaction, known, answers, until)

    monkeypatch.setattr(building, "_BLOCKS", 2)
    fleet.unique().drop(1)
    with fleet.session() as session:
        with session.copy("COPY people (id, email) FROM STDIN") as copy:
            copy.write("".join(f"{id}\t{f'{id}@x' if id % 5 else chr(92) + 'N'}\n" for id in range(1, 2001)))
        monkeypatch.setattr(settling, "bring_steps", counted)
        number = fleet.unique().build("people", "email").number
        assert sum(brought) == 1600 and len(brought) >= 3 and max(brought) < 800
        right(fleet, 1600)
        for id in (1, 777, 1999):
            refused(session, INSERT, [id + 5000, f"{id}@x"])
        fleet.unique().drop(number)
        (one, *_), _ = placed(fleet).values()
        session.execute("UPDATE people SET email = 'twice' WHERE id = %s", [one])
        home = fleet.explain("SELECT * FROM people WHERE id = %s", [one]).to_dict()["shards"]["shards"]
        late = next(
            id
            for id in range(2000, 1, -1)
            if fleet.explain("SELECT * FROM people WHERE id = %s", [id]).to_dict()["shards"]["shards"] != home
        )
        session.execute("UPDATE people SET email = 'twice' WHERE id = %s", [late])
        with pytest.raises(IntegrityError, match=r"OG-RUN-150.*twice"):
            fleet.unique().build("people", "email")
        assert fleet.unique().show() == ()
