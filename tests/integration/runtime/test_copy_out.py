"""COPY out of shards, rows of values, the binary form and asyncio, beside one PostgreSQL."""

from __future__ import annotations

import asyncio
import datetime
import struct
import tracemalloc
from decimal import Decimal

import pytest

import outgrow
from tests.integration.runtime.copies import CSV, TEXT, Sides, cut

OUT = [
    "COPY items TO STDOUT",
    "COPY items (name, key) TO STDOUT (FORMAT csv, FORCE_QUOTE *)",
    "COPY items TO STDOUT (FORMAT csv, HEADER, NULL 'none', DELIMITER ';')",
    "COPY items TO STDOUT (FORMAT binary)",
    "COPY (SELECT key AS \"the key\", name || 'x', price * 2, 'a' FROM items WHERE price > 10) TO STDOUT (HEADER)",
    "COPY (SELECT key, name, price FROM items WHERE price > 10) TO STDOUT (FORMAT binary)",
    "COPY (SELECT * FROM items WHERE key = 5 ORDER BY name LIMIT 2) TO STDOUT (HEADER)",
    "COPY (SELECT i.key, e.name FROM items i JOIN everywhere e ON e.code = i.name) TO STDOUT",
    "COPY (SELECT key, count(*) FROM items GROUP BY key) TO STDOUT (FORMAT csv, HEADER)",
    "COPY (SELECT * FROM items WHERE false) TO STDOUT (FORMAT csv, HEADER)",
    "COPY (SELECT key FROM items WHERE price < -5) TO STDOUT (FORMAT binary)",
    "COPY everywhere TO STDOUT",
    "COPY alone TO STDOUT (FORMAT csv, HEADER)",
]  # fmt: skip


def test_the_same_bytes_come_out(sides: Sides) -> None:
    assert sides.copy_in("COPY items FROM STDIN", TEXT) == (None, None)
    assert sides.copy_in("COPY items FROM STDIN (FORMAT csv)", CSV) == (None, None)
    assert sides.copy_in("COPY everywhere FROM STDIN", b"plain\tx\n") == (None, None)
    assert sides.copy_in("COPY alone FROM STDIN", b"plain\tx\n") == (None, None)
    for sql in OUT:
        ours, theirs = sides.copy_out(sql)
        assert len(ours) == len(theirs), sql
        if "binary" in sql:
            assert ours[:19] == theirs[:19] and ours[-2:] == theirs[-2:] == b"\xff\xff"
            assert sorted(binary_rows(ours)) == sorted(binary_rows(theirs)), sql
        else:
            assert sorted(ours.split(b"\n")) == sorted(theirs.split(b"\n")), sql
        if "HEADER" in sql:
            assert ours.split(b"\n")[0] == theirs.split(b"\n")[0]


def binary_rows(data: bytes) -> list[bytes]:
    rows, at = [], 19
    while (count := struct.unpack_from(">h", data, at)[0]) >= 0:
        begun, at = at, at + 2
        for _ in range(count):
            at += 4 + max(0, struct.unpack_from(">i", data, at)[0])
        rows.append(data[begun:at])
    assert at + 2 == len(data)
    return rows


KEYS: dict[str, list[str]] = {
    "int2": ["1", "-32768", "32767", "0"],
    "int4": ["1", "-2147483648", "2147483647"],
    "int8": ["1", "-9223372036854775808", "5000000000"],
    "text": ["", "é", "x" * 300, "a"],
    "varchar(3)": ["", "abc", "é"],
    "uuid": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "date": ["2024-02-29", "1999-12-31", "0001-01-01"],
    "timestamp(3)": ["2024-02-29 01:02:03.4567", "1999-12-31 00:00:00", "infinity"],
    "timestamptz": ["2024-02-29 01:02:03.456789+02", "-infinity"],
    "boolean": ["t", "f"],
    "numeric": ["0", "-0.000", "1.50", "1e20", "123456.789", "-9999.00001", "NaN", "Infinity"],
    "numeric(10,2)": ["1.5", "10000.25", "-0.01"],
}


@pytest.mark.parametrize("type", KEYS)
def test_binary_keys_of_every_type(sides: Sides, type: str) -> None:
    """What the server writes in binary is placed where the text form of the same value is."""
    table = "keyed_by_" + "".join(filter(str.isalnum, type))
    for side in (sides.one, *sides.shards):
        side.execute(f"CREATE TABLE {table} (key {type}, name text)".encode())
    for value in [*KEYS[type], None]:
        sides.one.execute(f"INSERT INTO {table} VALUES (%s, 'binary')".encode(), [value])
    with sides.one.cursor().copy(f"COPY {table} TO STDOUT (FORMAT binary)".encode()) as out:
        data = b"".join(map(bytes, out))
    with sides.fleet.session(level="strong") as session:
        for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
            with session.copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:
                for piece in pieces:
                    copy.write(piece)
            assert copy.rowcount == len(KEYS[type]) + 1
        with session.copy(f"COPY {table} TO STDOUT") as text:
            rows = b"".join(text)
        # The same rows as text, where keys are read in another way, come to lie beside them.
        with session.copy(f"COPY {table} FROM STDIN") as copy:
            copy.write(rows.replace(b"binary", b"text"))
    for shard in sides.shards:
        counts = shard.execute(
            f"SELECT key::text, count(*) FILTER (WHERE name = 'binary'), count(*) FILTER (WHERE name = 'text')"
            f" FROM {table} GROUP BY key".encode()
        ).fetchall()
        assert all(binary == text for _, binary, text in counts), counts


def test_binary_that_ends_early_or_goes_on_is_refused(sides: Sides) -> None:
    header = b"PGCOPY\n\xff\r\n\0" + bytes(8)
    row = struct.pack(">hiqiiii", 4, 8, 5, 1, -1, -1, -1)[:-8]
    row = struct.pack(">hiqiii", 4, 8, 5, -1, -1, -1)
    for data in (
        header[:-3],
        header + row[:-2],
        header + row + b"\xff\xff" + row,
        header + struct.pack(">h", 3),
        header + struct.pack(">hiiiii", 4, 4, 5, -1, -1, -1),
        header + struct.pack(">hi", 4, -7),
        b"PGCOPX",
    ):
        ours, theirs = sides.copy_in("COPY items FROM STDIN (FORMAT binary)", data)
        assert ours is not None and theirs is not None, data
        assert sides.same("items") == 0
    for data in (header + row, header + row + b"\xff\xff"):
        assert sides.copy_in("COPY items FROM STDIN (FORMAT binary)", data) == (None, None)
    assert sides.same("items") == 2


ROWS = [
    (1, 'q"uo\nte', None, None),
    (2, "x", Decimal("1.50"), None),
    (3, "\\N\t;'", Decimal("2.00"), datetime.date(2024, 2, 29)),
    (4, "\\.", Decimal("2.00"), None),
    (5, None, Decimal("2.00"), None),
    (6, "", None, None),
]


@pytest.mark.parametrize(
    "options",
    [
        "",
        "(FORMAT csv)",
        "(FORMAT binary)",
        "(FORMAT csv, QUOTE '''', ESCAPE '\\', NULL 'x')",
        "(DELIMITER ';', NULL 'nil')",
    ],
)
def test_rows_of_values_in_and_out(sides: Sides, options: str) -> None:
    with sides.fleet.session() as session:
        with session.copy(f"COPY items (key, name, price, day) FROM STDIN {options}") as copy:
            if "binary" in options:
                copy.set_types(["int8", "text", "numeric", "date"])
            for row in ROWS:
                copy.write_row(row)
        assert copy.rowcount == len(ROWS)
        found = session.execute("SELECT key, name, price, day FROM items").fetchall()
        assert sorted(found) == ROWS
        with session.copy(f"COPY items TO STDOUT {options}") as copy:
            copy.set_types(["int8", "text", "numeric", "date"])
            assert sorted(copy.rows()) == ROWS
        assert copy.rowcount == len(ROWS)
        with session.copy("COPY (SELECT key, name FROM items WHERE key = %s) TO STDOUT", [2]) as copy:
            assert list(copy.rows()) == [("2", "x")]


def test_an_empty_text_that_would_be_null_is_refused(sides: Sides) -> None:
    with sides.fleet.session() as session:
        with (
            pytest.raises(outgrow.DataError, match="OG-COPY-018"),
            session.copy("COPY items (key, name) FROM STDIN (NULL '')") as copy,
        ):
            copy.write_row([1, None])
            copy.write_row([2, ""])
        assert session.execute("SELECT count(*) FROM items").fetchall() == [(0,)]
        with session.copy("COPY items (key, name) FROM STDIN (NULL 'nil')") as copy:
            copy.write_row([1, None])
            copy.write_row([2, "nil"])
        assert sorted(session.execute("SELECT key, name FROM items").fetchall()) == [(1, None), (2, "nil")]


def test_binary_rows_take_the_columns_types(sides: Sides) -> None:
    with sides.fleet.session() as session:
        with session.copy("COPY items (key, name) FROM STDIN (FORMAT binary)") as copy:
            for key in range(10):
                copy.write_row([key, "x"])
        assert session.execute("SELECT count(*) FROM items").fetchall() == [(10,)]


def test_asyncio_has_the_same(sides: Sides) -> None:
    async def run() -> None:
        async with sides.fleet.async_session() as session:
            async with session.copy("COPY items FROM STDIN (FORMAT csv)") as copy:
                for piece in cut(CSV, 5):
                    await copy.write(piece)
            assert copy.rowcount == 400
            async with session.copy("COPY items TO STDOUT") as out:
                assert sum([block.count(b"\n") async for block in out]) == 400
            async with session.copy("COPY items (key) TO STDOUT") as out:
                out.set_types(["int8"])
                assert len([row async for row in out.rows()]) == 400
            with pytest.raises(ZeroDivisionError):
                async with session.copy("COPY items FROM STDIN (FORMAT csv)") as copy:
                    await copy.write_row([1, "x", None, None])
                    raise ZeroDivisionError
            cancelled = asyncio.ensure_future(forever(session))
            await asyncio.sleep(0.3)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            assert (await session.execute("SELECT count(*) FROM items")).fetchall() == [(400,)]

    async def forever(session: outgrow.AsyncSession) -> None:
        async with session.copy("COPY items FROM STDIN (FORMAT csv)") as copy:
            while True:
                await copy.write(CSV)
                await asyncio.sleep(0)

    asyncio.run(run())


def test_memory_does_not_grow_with_the_input(sides: Sides) -> None:
    with sides.fleet.session() as session, session.copy("COPY items FROM STDIN (FORMAT csv)") as copy:
        piece = CSV * 300
        tracemalloc.start()
        for _ in range(11):
            copy.write(piece)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 40 << 20 < 11 * len(piece), "what is queued for servers that are slow has its bound, too"
