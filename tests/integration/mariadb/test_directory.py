"""A MariaDB domain whose keys stand in a directory: assigned at their first row, found by every process."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from types import MappingProxyType

import pytest

import outgrow
from outgrow import ledger
from outgrow.ledger import steps as ledger_steps
from outgrow.ledger import words as ledger_words
from tests import mariadb
from tests.integration.mariadb.accounts import at_rest, prepared

BINARY = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
TABLES = (
    "CREATE TABLE orders (owner int, number bigint AUTO_INCREMENT, total decimal(12,4), noted blob, "
    "at timestamp(3) NULL, doc json, twice decimal(14,4) AS (total * 2), PRIMARY KEY (owner, number), KEY (number))",
    "CREATE TABLE `lines` (owner int, number bigint, line int, said text, PRIMARY KEY (owner, number, line), "
    "FOREIGN KEY (owner, number) REFERENCES orders (owner, number) ON DELETE CASCADE)",
    f"CREATE TABLE words (word varchar(50) {BINARY} PRIMARY KEY, n int)",
    "CREATE TABLE tokens (token uuid PRIMARY KEY, n int)",
)
PLACED = "{orders: {shard_by: owner}, lines: {shard_by: owner}, words: {shard_by: word}, tokens: {shard_by: token}}"
DIRECTORY = "{int8: {assign: least_keys}, text: {assign: round_robin}, uuid: {assign: hash}}"


def file_of(servers, shards: int = 3) -> str:
    text = servers.fresh(shards, PLACED)
    return text.replace("    slots: 64\n", f"    slots: 64\n    strategy: directory\n    directory: {DIRECTORY}\n")


@pytest.fixture
def text(mariadb_servers) -> str:
    return file_of(mariadb_servers)


@pytest.fixture
def fleet(mariadb_servers, text):
    with mariadb_servers.open(text) as opened:
        with opened.session() as session:
            for sql in TABLES:
                session.execute(sql)
        yield opened
        assert prepared(mariadb_servers) == []
        assert at_rest(opened)


def on(servers, fleet, at: int, sql: str) -> list:
    return servers.sql(at, sql, mariadb.databases_of(fleet)[at])


def shard_of(fleet, owner: int) -> str:
    with fleet.session() as session:
        return session.execute("SELECT owner FROM orders WHERE owner = %s", [owner]).nodes[0].split("/")[1]


def filled(fleet, owners: int = 9) -> None:
    with fleet.session() as session:
        for owner in range(owners):
            session.execute(
                "INSERT INTO orders (owner, total, noted, at, doc) VALUES (%s, %s, %s, '2024-03-31 01:30:00.123', '{}')"
                ", (%s, 1.5, NULL, NULL, NULL)",
                [owner, owner * 10, bytes(range(256)), owner],
            )
            [(number,)] = session.execute("SELECT MIN(number) FROM orders WHERE owner = %s", [owner]).fetchall()
            session.execute("INSERT INTO `lines` VALUES (%s, %s, 1, 'it''s \\\\ é🙂')", [owner, number])


def test_keys_get_their_shard_with_their_first_row_and_keep_it(fleet, mariadb_servers, text):
    filled(fleet)
    counts = [on(mariadb_servers, fleet, at, "SELECT COUNT(DISTINCT owner) FROM orders")[0][0] for at in range(3)]
    assert counts == [3, 3, 3]
    words = ["", "é🙂", "it's", "back\\slash", 'quo"te', "a" * 50, "A", "a", "a ", "\n"]
    with fleet.session() as session:
        values = [value for n, word in enumerate(words) for value in (word, n)]
        holes = ", ".join(["(%s, %s)"] * len(words))
        assert session.execute(f"INSERT INTO words VALUES {holes}", values).rowcount == len(words)
        assert session.execute("SELECT * FROM words WHERE word = 'never'").fetchall() == []
    with mariadb_servers.open(text) as other, other.session() as session:
        for n, word in enumerate(words):
            result = session.execute("SELECT n FROM words WHERE word = %s", [word])
            assert (result.fetchall(), len(result.nodes)) == ([(n,)], 1)
        assert session.execute("SELECT COUNT(*), SUM(total) FROM orders").fetchall() == [(18, 373.5)]
        assert session.execute("UPDATE orders SET total = total + 1 WHERE owner IN (1, 2, 3)").rowcount == 6
        with session.transaction():
            session.execute("DELETE FROM orders WHERE owner = 4")
            session.execute("INSERT INTO orders (owner, total) VALUES (100, 1)")
        assert session.execute("SELECT COUNT(*) FROM orders").fetchall() == [(17,)]
    entries = fleet.directory().keys()
    assert {entry.shard for entry in entries} == {"s1", "s2", "s3"}
    assert [entry.shard for entry in fleet.directory().show(100)] == [shard_of(fleet, 100)]


def test_many_processes_agree_about_new_keys(fleet, mariadb_servers, text):
    fleets = [mariadb_servers.open(text) for _ in range(3)]
    failed = []

    def write(opened, number):
        try:
            with opened.session() as session:
                for owner in range(200, 260):
                    session.execute("INSERT INTO orders (owner, total) VALUES (%s, %s)", [owner, number])
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=pair) for pair in zip(fleets, range(3), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for opened in fleets:
        opened.close()
    assert failed == []
    owners = [
        {row[0] for row in on(mariadb_servers, fleet, at, "SELECT DISTINCT owner FROM orders")} for at in range(3)
    ]
    assert sum(map(len, owners)) == len(set.union(*owners)) == 60
    with fleet.session() as session:
        assert session.execute("SELECT COUNT(*) FROM orders").fetchall() == [(180,)]
        for owner in range(200, 260):
            assert session.execute("SELECT COUNT(*) FROM orders WHERE owner = %s", [owner]).fetchall() == [(3,)]


def test_a_load_assigns_its_keys(fleet, mariadb_servers):
    with fleet.session() as session:
        session.load(io.BytesIO(b"word,n\n" + b"".join(b"w%d,%d\n" % (n, n) for n in range(300))), "words")
        for n in range(0, 300, 7):
            assert session.execute("SELECT n FROM words WHERE word = %s", [f"w{n}"]).fetchall() == [(n,)]
    counts = [on(mariadb_servers, fleet, at, "SELECT COUNT(*) FROM words")[0][0] for at in range(3)]
    assert counts == [100, 100, 100]


def test_a_shard_with_other_keys_than_were_looked_up_is_asked_again(fleet, mariadb_servers):
    """As if a key had come or gone there: nothing is read or written by the old page."""
    filled(fleet, 3)
    for at in range(3):
        on(mariadb_servers, fleet, at, "UPDATE outgrow_edition SET edition = 7")
    started = time.monotonic()
    with fleet.session() as session:
        for sql in ("SELECT * FROM orders WHERE owner = 1", "UPDATE orders SET total = 0 WHERE owner = 1"):
            with pytest.raises(outgrow.OperationalError, match="OG-RUN-110"):
                session.execute(sql, timeout_seconds=0.3)
        session.execute("BEGIN")
        with pytest.raises(outgrow.OperationalError, match="OG-RUN-110"):
            session.execute("UPDATE orders SET total = 0 WHERE owner = 1", timeout_seconds=0.3)
        session.execute("ROLLBACK")
    # (No longer than the statements may take: not the ten seconds of those without a limit.)
    assert time.monotonic() - started < 8
    on(mariadb_servers, fleet, 0, "INSERT INTO outgrow_editions VALUES ('s1', 7), ('s2', 7), ('s3', 7)")
    on(mariadb_servers, fleet, 0, "INSERT INTO outgrow_migrations VALUES (1, 7, 'integer', '99', 64, 65, 0, NOW())")
    with fleet.session() as session:
        assert session.execute("UPDATE orders SET total = 5 WHERE owner = 1").rowcount == 2
        assert session.execute("SELECT DISTINCT total FROM orders WHERE owner = 1").fetchall() == [(5,)]
        assert session.execute("SELECT COUNT(*) FROM orders").fetchall() == [(6,)]


def test_a_snapshot_from_before_is_refused(fleet):
    with fleet.session() as session:
        session.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        with pytest.raises(outgrow.NotSupportedError, match="OG-RUN-085"):
            session.execute("SELECT * FROM orders WHERE owner = 1")
        session.execute("ROLLBACK")


# -- migrations -------------------------------------------------------------------------------------------------------

ROWS = tuple(f"SELECT * FROM {table} WHERE owner = %s ORDER BY number" for table in ("orders", "`lines`"))


def held(session, owner: int) -> list:
    return [session.execute(sql, [owner]).fetchall() for sql in ROWS]


def test_a_key_goes_with_all_its_rows_and_others_stay(fleet, mariadb_servers, text):
    filled(fleet, 6)
    with fleet.session() as session, mariadb_servers.open(text) as other, other.session() as late:
        before = {owner: held(session, owner) for owner in range(6)}
        assert {owner: held(late, owner) for owner in range(6)} == before
        places = {owner: shard_of(fleet, owner) for owner in range(6)}
        for target in ("s1", "s2", "s3", "s1"):
            moved = fleet.directory().migrate(2, target)
            assert moved.target == target
            assert sum(moved.rows.values()) == (3 if moved.source != target else 0)
            assert shard_of(fleet, 2) == target
            # (The other process knows the key where it was.)
            assert {owner: held(late, owner) for owner in range(6)} == before
            assert late.execute("UPDATE orders SET total = total WHERE owner = 2").rowcount == 2
        assert {owner: held(session, owner) for owner in range(6)} == before
        assert {owner: shard_of(fleet, owner) for owner in range(6)} == places | {2: "s1"}
        for at, shard in enumerate(("s1", "s2", "s3")):
            found = on(mariadb_servers, fleet, at, "SELECT COUNT(*) FROM orders WHERE owner = 2")
            assert found == [(2 if shard == "s1" else 0,)]
        with pytest.raises(outgrow.ProgrammingError, match="OG-RUN-111"):
            fleet.directory().migrate(999, "s1")


def test_what_would_not_arrive_as_it_is_stays(fleet):
    filled(fleet, 3)
    with fleet.session() as session:
        session.execute("ALTER TABLE orders ADD COLUMN f float")
    source = shard_of(fleet, 0)
    with pytest.raises(outgrow.NotSupportedError, match="OG-RUN-113"):
        fleet.directory().migrate(0, "s3" if source == "s1" else "s1")
    assert shard_of(fleet, 0) == source


def test_who_writes_is_waited_for(fleet):
    filled(fleet, 3)
    target = "s3" if shard_of(fleet, 0) == "s1" else "s1"
    with fleet.session() as session:
        session.execute("BEGIN")
        session.execute("UPDATE orders SET total = 7 WHERE owner = 0")
        with pytest.raises(outgrow.OperationalError, match="OG-RUN-112"):
            fleet.directory().migrate(0, target, patience_seconds=1)
        session.execute("COMMIT")
        assert sum(fleet.directory().migrate(0, target).rows.values()) == 3
        assert session.execute("SELECT DISTINCT total FROM orders WHERE owner = 0").fetchall() == [(7,)]


def meanwhile(fleet, servers, text: str, seconds: float = 6.0) -> list[str]:
    """Counters are raised by several processes while their keys travel; what went wrong."""
    wrong: list[str] = []
    raised = [0] * 4
    ends = time.monotonic() + seconds
    with fleet.session() as session:
        for owner in range(4):
            session.execute("INSERT INTO words VALUES (%s, 0)", [f"k{owner}"])

    def work(owner: int) -> None:
        key, seen = f"k{owner}", 0
        with servers.open(text) as opened, opened.session() as session:
            while time.monotonic() < ends:
                try:
                    if owner % 2:
                        session.execute("BEGIN")
                        session.execute("SELECT n FROM words WHERE word = %s", [key])
                    if session.execute("UPDATE words SET n = n + 1 WHERE word = %s", [key]).rowcount != 1:
                        wrong.append(f"{key} was not there to be written")
                    if owner % 2:
                        session.execute("COMMIT")
                    raised[owner] += 1
                    rows = session.execute("SELECT n FROM words WHERE word = %s", [key]).fetchall()
                    if not rows or rows[0][0] < raised[owner] or rows[0][0] < seen:
                        wrong.append(f"{key} shows {rows} behind {raised[owner]}")
                    seen = rows[0][0] if rows else seen
                except outgrow.OperationalError as error:
                    if error.sqlstate not in ("40P01", "55P03"):
                        wrong.append(str(error))
                    session.execute("ROLLBACK")
                    # A commit that failed may have been done, which is told apart by reading.
                    if owner % 2 == 0:
                        wrong.append(f"{key}: {error}")

    threads = [threading.Thread(target=work, args=(owner,)) for owner in range(4)]
    for thread in threads:
        thread.start()
    moves = 0
    while time.monotonic() < ends:
        fleet.directory().migrate(f"k{moves % 4}", f"s{(moves // 4 + moves) % 3 + 1}", patience_seconds=20)
        moves += 1
    for thread in threads:
        thread.join()
    with fleet.session() as session:
        counts = [session.execute("SELECT n FROM words WHERE word = %s", [f"k{n}"]).fetchall() for n in range(4)]
        if counts != [[(n,)] for n in raised]:
            wrong.append(f"{raised} were raised, {counts} are there")
        if session.execute("SELECT COUNT(*) FROM words").fetchall() != [(4,)]:
            wrong.append("rows were lost or doubled")
    assert moves > 10 and min(raised) > 20, (moves, raised)
    return wrong


def test_counters_that_travel_lose_nothing(fleet, mariadb_servers, text):
    assert meanwhile(fleet, mariadb_servers, text) == []


def test_the_doctor_finds_rows_where_their_entry_is_not(fleet, mariadb_servers):
    filled(fleet, 6)
    with fleet.session() as session:
        session.execute("INSERT INTO words VALUES ('é🙂', 1), ('a ', 2)")

    def found() -> list[str]:
        return [each.what for each in fleet.doctor(all_rows=True) if each.check == "directory"]

    assert found() == []
    source = shard_of(fleet, 2)
    wrong = 1 if source == "s1" else 0
    on(mariadb_servers, fleet, wrong, "INSERT INTO orders (owner, total) VALUES (2, 1), (77, 1), (77, 2)")
    on(mariadb_servers, fleet, wrong, "INSERT INTO words VALUES ('b🙂', 1)")
    said = found()
    assert len(said) == 3
    assert any("1 rows of orders have keys such as 2, which live on " + source in what for what in said)
    assert any("2 rows of orders have keys such as 77, which have no entry" in what for what in said)
    assert any("1 rows of words have keys such as b🙂, which have no entry" in what for what in said)


DYING = """
import os, sys, outgrow
from outgrow.transactions import mariadb
decide = mariadb.MariadbBranch.decide_steps

def dying(self, *args):
    if sys.argv[3] == "before":
        os._exit(9)
    yield from decide(self, *args)
    os._exit(9)

mariadb.MariadbBranch.decide_steps = dying
with outgrow.open(sys.argv[1]) as fleet:
    fleet.directory().migrate(2, sys.argv[2])
"""


@pytest.mark.parametrize("when", ["before", "behind"])
def test_a_migration_whose_process_dies_is_finished_by_others(fleet, mariadb_servers, text, tmp_path, when):
    filled(fleet, 6)
    file = tmp_path / "fleet.yaml"
    file.write_text(text)
    source = shard_of(fleet, 2)
    target = "s3" if source != "s3" else "s1"
    with fleet.session() as session:
        before = {owner: held(session, owner) for owner in range(6)}
        command = [sys.executable, "-c", DYING, str(file), target, when]
        environment = {**os.environ, "SECRET": "x" * 32, "PYTHONPATH": os.pathsep.join(sys.path)}
        assert subprocess.run(command, env=environment, check=False).returncode == 9
        # Whoever comes waits for what is in doubt, and finishes it.
        until = time.monotonic() + 30
        while True:
            try:
                fleet.recover()
                assert {owner: held(session, owner) for owner in range(6)} == before
                assert session.execute("UPDATE orders SET total = total WHERE owner = 2").rowcount == 2
                break
            except outgrow.OperationalError:
                assert time.monotonic() < until
                time.sleep(0.2)
        assert shard_of(fleet, 2) == (source if when == "before" else target)
        while prepared(mariadb_servers) and time.monotonic() < until:
            fleet.recover()
            time.sleep(0.2)
        assert {owner: held(session, owner) for owner in range(6)} == before
        assert sum(fleet.directory().migrate(2, "s2").rows.values()) == 3


#: Each protection switched off: what a statement on the ledger becomes.
MUTANTS = {
    "a write that holds no keys": (
        "edition_check_block",
        "SELECT IF($1 IS NULL OR edition = $1, edition, (SELECT 1 UNION ALL SELECT 2)) FROM outgrow_edition",
    ),
    "a write that compares nothing": (
        "edition_check_block",
        "SELECT COALESCE($1, edition) FROM outgrow_edition LOCK IN SHARE MODE",
    ),
    "shards that keep their edition": ("edition_turn", "SELECT $1 + 0"),
}


@pytest.mark.long
@pytest.mark.parametrize("mutant", MUTANTS)
def test_what_is_switched_off_is_missed(fleet, mariadb_servers, text, monkeypatch, mutant):
    name, sql = MUTANTS[mutant]
    words = ledger.words_of("mariadb")
    changed = words._replace(queries=MappingProxyType({**words.queries, name: sql}))
    for room in (ledger_words, ledger_steps):
        monkeypatch.setattr(room, "words_of", lambda engine: changed)
    try:
        wrong = meanwhile(fleet, mariadb_servers, text, 8.0)
    except (AssertionError, outgrow.Error) as error:
        wrong = [str(error)]
    print(wrong[:3])
    assert wrong
