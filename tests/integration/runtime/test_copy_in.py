"""COPY into shards beside COPY into one PostgreSQL: the same bytes in, the same rows, or nothing anywhere."""

from __future__ import annotations

import asyncio
import io

import pytest

from outgrow.errors import DataError, Error, IntegrityError, InterfaceError, NotSupportedError, ProgrammingError
from outgrow.moving import LoadFormat, LoadOptions
from tests.integration.runtime.copies import CSV, TEXT, Sides, cut
from tests.servers import Servers


@pytest.mark.parametrize(
    ("sql", "data"),
    [
        ("COPY items FROM STDIN (FORMAT csv)", CSV),
        ("COPY items (key, name, price, day) FROM STDIN WITH CSV", CSV),
        ("COPY items FROM STDIN (FORMAT csv, HEADER)", b'k,"n\n",p,d\n' + CSV),
        ("COPY items FROM STDIN (FORMAT csv, HEADER MATCH)", b"key,name,price,day\n" + CSV),
        ("COPY items FROM STDIN", TEXT),
        ("COPY items FROM STDIN", TEXT + b"\\.\nwhatever comes then\n"),
        ("COPY items FROM STDIN (HEADER)", b"a\tb\n" + TEXT),
        ("COPY items FROM STDIN (FORMAT csv)", CSV.replace(b"\n", b"\r\n")),
        ("COPY items FROM STDIN (FORMAT csv)", CSV[:-1]),
        ("COPY items FROM STDIN (FORMAT csv)", b""),
        ("COPY items FROM STDIN (FORMAT csv, HEADER)", b"key,name,price,day"),
        ("COPY items FROM STDIN", b"\\.\n"),
        ("COPY items (name, key) FROM STDIN (FORMAT csv, DELIMITER ';', NULL 'NA', QUOTE '''', ESCAPE '\\')",
         b"'it\\'s; \\\\';5\nx;NA\n'NA';'6'\n'';7\n'a''b';8\n"),
        ("COPY items (name, key) FROM STDIN (FORMAT csv, FORCE_NULL (key), FORCE_NOT_NULL (name))",
         b'x,""\n,5\n"",6\n'),
        ("COPY items (name, key) FROM STDIN (DELIMITER '|', NULL 'nil')", b"a\\|b|5\nnil|nil\n\\nil|6\n"),
        ("COPY items FROM STDIN (FORMAT csv) WHERE key % 2 = 0", CSV),
        ("COPY everywhere FROM STDIN (FORMAT csv)", b'a,b\n"c","d\ne"\n'),
        ("COPY everywhere (code) FROM STDIN", b"a\nb\n"),
        ("COPY alone FROM STDIN", b"a\tb\nc\t\\N\n"),
        ("COPY pairs FROM STDIN",
         b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\tx\tt\n{A0EEBC999C0B4EF8BB6D6BB9BD380A12}\ty\t\\N\n"),
    ],
)  # fmt: skip
def test_the_same_bytes_make_the_same_rows(sides: Sides, sql: str, data: bytes) -> None:
    for seed in range(2):
        assert sides.copy_in(sql, *cut(data, seed)) == (None, None)
        for table in ("items", "everywhere", "alone", "pairs"):
            sides.same(table)
        sides.clear()


def test_rows_lie_where_routing_looks_for_them(sides: Sides) -> None:
    assert sides.copy_in("COPY items FROM STDIN", *cut(TEXT, 3)) == (None, None)
    with sides.fleet.session(level="strong") as session:
        for (key,) in sides.one.execute("SELECT DISTINCT key FROM items WHERE key < 60").fetchall():
            ours = session.execute("SELECT count(*) FROM items WHERE key = %s", [key]).fetchone()
            assert ours == sides.one.execute("SELECT count(*) FROM items WHERE key = %s", [key]).fetchone()


@pytest.mark.parametrize(
    ("sql", "data"),
    [
        ("COPY items FROM STDIN (FORMAT csv)", b"1,a,1,2024-01-01\n2,b\n"),
        ("COPY items FROM STDIN (FORMAT csv)", b"1,a,1,2024-01-01\nx,b,1,2024-01-01\n"),
        ("COPY items FROM STDIN (FORMAT csv)", b"1,a,1,2024-01-01\n99999999999999999999,b,1,\n"),
        ("COPY items FROM STDIN (FORMAT csv)", b'1,a,1,2024-01-01\n2,"b,1,\n'),
        ("COPY items FROM STDIN (FORMAT csv)", b"1,a,666,2024-01-01\n2,b,1,\n3,c,1,\n4,d,1,\n"),
        ("COPY items FROM STDIN (FORMAT csv)", b"1,a,1,\r\n2,b,1,\n"),
        ("COPY items FROM STDIN (FORMAT csv)", b"1,a\xff,1,\n2,b,1,\n"),
        ("COPY items FROM STDIN (FORMAT csv, HEADER MATCH)", b"key,nom,price,day\n1,a,1,\n"),
        ("COPY items FROM STDIN", b"1\ta\t1\n"),
        ("COPY items FROM STDIN", b"1\ta\t1\t\\N\nx\\.y\t\n"),
        ("COPY items FROM STDIN (FORMAT csv, FORCE_NOT_NULL (key))", b",a,1,\n"),
        ("COPY items FROM STDIN (FORMAT csv, DELIMITER 'ab')", b"1,a,1,\n"),
        ("COPY items (nothing) FROM STDIN", b"1\n"),
        ("COPY items (double, key) FROM STDIN", b"1\t1\n"),
        ("COPY nowhere FROM STDIN", b"1\n"),
        ("COPY pairs FROM STDIN", b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\tx\tt\n" * 2),
        ("COPY pairs FROM STDIN", b"\\N\tx\tt\n"),
        ("COPY everywhere FROM STDIN", b"a\tb\na\tb\n"),
        ("COPY items FROM STDIN (FORMAT binary)", b"nothing of the kind"),
    ],
)
def test_what_one_server_refuses_leaves_nothing_anywhere(sides: Sides, sql: str, data: bytes) -> None:
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
        ours, theirs = sides.copy_in(sql, *pieces)
        assert ours is not None and theirs is not None, (ours, theirs)
        assert ours.code
    for table in ("items", "pairs", "everywhere"):
        assert sides.same(table) == 0


@pytest.mark.parametrize(
    ("sql", "data", "code", "words"),
    [
        ("COPY items FROM STDIN (FORMAT csv)", b'1,"a\n",1,\n2,b,1,\n3,c,1,2024-13-01\n', None, "line 4, column day: "),
        ("COPY items FROM STDIN", b"1\ta\t1\t\\N\n2\tb\t1\t\\N\n3\tc\tmany\t\\N\n", None, "line 3, column price: "),
        ("COPY items FROM STDIN", b"1\ta\t1\t\\N\n2\tb\t1\t\\N\n3\tc\t666\t\\N\n", None, "line 3: "),
        ("COPY items FROM STDIN (HEADER)", b"k\n1\ta\t1\t\\N\n2\tb\tmany\t\\N\n", None, "line 3, column price: "),
        ("COPY items FROM STDIN", b"1\ta\t1\t\\N\n2\tb\n", "OG-LOAD-003", "line 2: "),
        ("COPY items FROM STDIN", b"1\ta\t1\t\\N\nx\tb\t1\t\\N\n", "OG-LOAD-004", "line 2: "),
        ("COPY everywhere FROM STDIN", b"a\tb\nb\tc\na\tb\n", "OG-NODE-110", "line 3: "),
    ],
)
def test_errors_name_the_line_of_the_input(sides: Sides, sql: str, data: bytes, code: str | None, words: str) -> None:
    ours, _ = sides.copy_in(sql, *cut(data, 1))
    assert words in ours.message
    assert code is None or ours.code == code


def test_a_violated_constraint_keeps_its_class(sides: Sides) -> None:
    with sides.fleet.session() as session:
        with pytest.raises(IntegrityError), session.copy("COPY everywhere FROM STDIN") as copy:
            copy.write("a\tb\na\tb\n")
        # The session is as good as new.
        with session.copy("COPY everywhere FROM STDIN") as copy:
            copy.write("a\tb\n")
        assert copy.rowcount == 1
        assert session.execute("SELECT code, name FROM everywhere").fetchall() == [("a", "b")]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("COPY items (name) FROM STDIN", "OG-COPY-005"),
        ("COPY items FROM STDIN (FREEZE)", "OG-COPY-006"),
        ("COPY items FROM STDIN (ENCODING 'LATIN1')", "OG-COPY-004"),
        ("COPY spelt (key) FROM STDIN", "OG-COPY-007"),
        ("COPY stamped (code) FROM STDIN", "OG-COPY-008"),
        ("COPY everywhere FROM STDIN WHERE random() < 0.5", "OG-COPY-006"),
        ("COPY items FROM '/etc/passwd'", "OG-COPY-002"),
        ("COPY items TO PROGRAM 'cat'", "OG-COPY-002"),
        ("COPY items FROM STDIN (FORMAT tea)", "OG-COPY-001"),
        ("SELECT 1", "OG-COPY-001"),
        ("COPY (SELECT * FROM items ORDER BY key) TO STDOUT", "OG-COPY-017"),
        ("COPY (SELECT * FROM items LIMIT 3) TO STDOUT", "OG-COPY-017"),
        ("COPY (SELECT DISTINCT name FROM items) TO STDOUT", "OG-COPY-017"),
        ("COPY (SELECT name, count(*) FROM items GROUP BY name) TO STDOUT", "OG-COPY-017"),
        ("COPY (DELETE FROM items WHERE key = 1 RETURNING key) TO STDOUT", "OG-COPY-016"),
        ("COPY (SELECT rank() OVER (ORDER BY key) FROM items) TO STDOUT", "OG-COPY-017"),
    ],
)
def test_what_several_shards_cannot_do_is_refused_by_name(sides: Sides, sql: str, code: str) -> None:
    with sides.fleet.session() as session:
        with pytest.raises(Error) as caught, session.copy(sql):
            pass
        assert caught.value.code.startswith(code) and caught.value.cure
        assert session.execute("SELECT 1").fetchall() == [(1,)]


def test_a_transaction_sees_what_was_copied_and_rolls_it_back(sides: Sides) -> None:
    with sides.fleet.session() as session:
        with pytest.raises(ZeroDivisionError), session.transaction():
            with session.copy("COPY items FROM STDIN (FORMAT csv)") as copy:
                copy.write(CSV)
            assert session.execute("SELECT count(*) FROM items").fetchall() == [(400,)]
            with session.copy("COPY items TO STDOUT") as out:
                assert sum(block.count(b"\n") for block in out) == 400
            raise ZeroDivisionError
        assert session.execute("SELECT count(*) FROM items").fetchall() == [(0,)]
        with session.transaction():
            session.execute("INSERT INTO items (key, name) VALUES (1, 'before')")
            with pytest.raises(DataError), session.transaction(), session.copy("COPY items FROM STDIN") as copy:
                copy.write("1\tx\t1\t\\N\n2\ty\t1\t\\N\n3\tz\tmany\t\\N\n4\n")
            with pytest.raises(ZeroDivisionError), session.transaction(), session.copy("COPY items FROM STDIN") as copy:
                copy.write("1\tx\t1\t\\N\n" * 100_000)
                raise ZeroDivisionError
            with session.copy("COPY items TO STDOUT") as out:
                out.read()
            with session.copy("COPY items FROM STDIN") as copy:
                copy.write_row([2, "after", None, None])
        assert sorted(session.execute("SELECT name FROM items").fetchall()) == [("after",), ("before",)]


def test_what_the_transaction_has_defined_is_refused(sides: Sides) -> None:
    """The columns of a table that was altered a moment ago are not those that rows would be split by."""
    with sides.fleet.session() as session:
        for sql in ("COPY items FROM STDIN", "COPY items TO STDOUT", "COPY (SELECT * FROM items) TO STDOUT"):
            with pytest.raises(NotSupportedError, match="OG-RUN-062"), session.transaction():
                session.execute("ALTER TABLE items DROP COLUMN name")
                with session.copy(sql):
                    pass
        with pytest.raises(NotSupportedError, match="OG-RUN-062"), session.transaction():
            session.execute("ALTER TABLE items DROP COLUMN name")
            session.load(io.BytesIO(b"key\n1\n"), "items")
        with session.copy("COPY items FROM STDIN") as copy:
            copy.write("1\tx\t1\t\\N\n")


def test_a_load_in_a_transaction_is_a_part_of_it(sides: Sides) -> None:
    data = b"key,name\n" + b"".join(b"%d,x\n" % key for key in range(100))
    with sides.fleet.session() as session:
        with pytest.raises(ZeroDivisionError), session.transaction():
            assert session.load(io.BytesIO(data), "items", options=LoadOptions(load_id="one")).rows == 100
            assert session.execute("SELECT count(*) FROM items").fetchall() == [(100,)]
            raise ZeroDivisionError
        with session.transaction():
            with pytest.raises(DataError), session.transaction():
                session.load(io.BytesIO(data + b"x,y\n"), "items")
            assert session.load(io.BytesIO(data), "items", options=LoadOptions(load_id="one")).rows == 100
        again = session.load(io.BytesIO(data), "items", options=LoadOptions(load_id="one"))
        assert again.rows == 0 and sum(again.skipped.values()) == 100
        text = io.BytesIO()
        assert session.unload("items", text, form=LoadFormat.of("text")).rows == 100
        text.seek(0)
        truncated = LoadOptions(truncate_first=True)
        assert session.load(text, "items", form=LoadFormat.of("text"), options=truncated).rows == 100
        assert session.execute("SELECT count(*) FROM items").fetchall() == [(100,)]

    async def run() -> None:
        async with sides.fleet.async_session() as session:
            assert (await session.load(io.BytesIO(data), "items", options=truncated)).rows == 100
            assert (await session.unload("items", text)).rows == 100

    asyncio.run(run())


def test_an_exception_in_the_block_leaves_nothing(sides: Sides) -> None:
    with sides.fleet.session() as session:
        for error in (ZeroDivisionError, KeyboardInterrupt):
            with pytest.raises(error), session.copy("COPY items FROM STDIN (FORMAT csv)") as copy:
                for _ in range(200):
                    copy.write(CSV)
                raise error
        with pytest.raises(InterfaceError, match="OG-COPY-003"), session.copy("COPY items FROM STDIN") as copy:
            copy.write("1\tx\t1\t\\N\n")
            session.execute("SELECT 1")
        with pytest.raises(DataError), session.copy("COPY items FROM STDIN") as copy:
            with pytest.raises(DataError):
                copy.write("x\n" * 500_000)
            with pytest.raises(ProgrammingError, match="OG-COPY-015"):
                copy.write("more")
        with pytest.raises(InterfaceError, match="OG-COPY-014"):
            copy.write("outside")
        with pytest.raises(InterfaceError, match="OG-COPY-014"), session.copy("COPY items TO STDOUT") as copy:
            copy.write("wrong way")
        with pytest.raises(NotSupportedError, match=r"OG-COPY-013.*\n.*session.copy"):
            session.execute("COPY items FROM STDIN")
        assert session.execute("SELECT count(*) FROM items").fetchall() == [(0,)]


def test_a_backend_that_dies_in_the_middle_leaves_nothing(sides: Sides, fleet_servers: Servers) -> None:
    for shard in sides.fleet.topology.domains[0].shards:
        with sides.fleet.session() as session:
            with pytest.raises(Error), session.copy("COPY items FROM STDIN (FORMAT csv)") as copy:
                for turn in range(400):
                    copy.write(CSV)
                    if turn == 100:
                        killed = fleet_servers.sql(
                            shard.primary,
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                            " WHERE query LIKE 'COPY%' AND datname = current_database()",
                        )
                        assert killed == [(True,)]
            assert session.execute("SELECT count(*) FROM items").fetchall() == [(0,)]
