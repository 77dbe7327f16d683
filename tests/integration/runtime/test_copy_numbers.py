"""Columns that the input lacks and a sequence fills: every row has its number, in the input's order."""

from __future__ import annotations

import io
from struct import pack
from typing import Any

import pytest

from outgrow.errors import Error
from outgrow.moving import BINARY_HEADER, BINARY_TRAILER, LoadFormat, LoadOptions
from tests.integration.runtime.copies import Sides, cut
from tests.servers import Servers

ROWS = [(f'k{n}, "{n}"\n', n % 7) for n in range(500)]
CSV = "".join(f'"k{n}, ""{n}""\n",{n % 7}\n' for n in range(500)).encode()
TEXT = "".join(f'k{n}, "{n}"\\n\t{n % 7}\n' for n in range(500)).encode()
BINARY = (
    BINARY_HEADER
    + b"".join(pack(">hi", 2, len(k)) + k + pack(">ih", 2, n) for k, n in ((k.encode(), n) for k, n in ROWS))
    + BINARY_TRAILER
)
FORMS = {
    "(FORMAT csv)": CSV,
    "(FORMAT csv, HEADER)": b'"key","n"\n' + CSV,
    "(FORMAT csv, HEADER MATCH)": b"key,n\n" + CSV,
    "(FORMAT csv, FORCE_NULL *)": CSV,
    "(FORMAT csv) WHERE n >= 0": CSV.replace(b"\n", b"\r\n"),
    "": TEXT + b"\\.\n",
    "(HEADER MATCH)": b"key\tn\n" + TEXT[:-1],
    "(FORMAT binary)": BINARY,
}


@pytest.fixture
def tables(sides: Sides) -> Sides:
    for table in ("numbered", "counted", "told"):
        with sides.fleet.session() as session:
            session.execute(f"TRUNCATE {table}")
        sides.one.execute(f"TRUNCATE {table}".encode())
    return sides


def ids(sides: Sides, table: str) -> list[tuple[Any, ...]]:
    with sides.fleet.session(level="strong") as session:
        return sorted(session.execute(f"SELECT id, key, n FROM {table}").fetchall())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("table", ["numbered", "counted", "told"])
def test_every_row_has_the_next_number(tables: Sides, table: str, form: str, fleet_servers: Servers) -> None:
    if "*" in form and fleet_servers.major < 17:
        pytest.skip("FORCE_NULL * is PostgreSQL 17's")
    data = FORMS[form]
    carriage = "\r" if b'"\r\n' in data or b",0\r\n" in data else ""
    assert tables.copy_in(f'COPY {table} ("key", n) FROM STDIN {form}', *cut(data, 5)) == (None, None)
    found = ids(tables, table)
    first = found[0][0]
    assert found == [(first + n, key.replace("\n", carriage + "\n"), k) for n, (key, k) in enumerate(ROWS)]
    # As one server would have numbered them.
    theirs = tables.one.execute(f"SELECT id, key, n FROM {table} ORDER BY id".encode()).fetchall()
    assert [(id - theirs[0][0], *rest) for id, *rest in theirs] == [(id - first, *rest) for id, *rest in found]
    with tables.fleet.session() as session:
        session.execute(f"INSERT INTO {table} (key, n) VALUES ('more', 1)")
        (later,) = session.execute(f"SELECT id FROM {table} WHERE key = 'more'").fetchone() or (0,)
    # The next one, unless a slow server had it lease two blocks at once.
    assert later not in {id for id, *_ in found}


def test_rows_lie_where_their_numbers_say(tables: Sides) -> None:
    tables.copy_in("COPY counted (key, n) FROM STDIN (FORMAT csv)", CSV)
    with tables.fleet.session(level="strong") as session:
        for id, key, _ in ids(tables, "counted")[:60]:
            assert session.execute("SELECT key FROM counted WHERE id = %s", [id]).fetchall() == [(key,)]
    assert all(shard.execute("SELECT count(*) FROM counted").fetchone() > (50,) for shard in tables.shards)


def test_copies_agree(tables: Sides) -> None:
    tables.copy_in("COPY told (key, n) FROM STDIN", TEXT)
    one, *others = (shard.execute("SELECT id, key FROM told ORDER BY id").fetchall() for shard in tables.shards)
    assert len(one) == 500 and all(other == one for other in others)


@pytest.mark.parametrize("kind", ["csv", "text", "binary"])
@pytest.mark.parametrize("table", ["numbered", "counted", "told"])
def test_a_file_without_the_numbers_is_loaded(tables: Sides, table: str, kind: str) -> None:
    data = {"csv": b"key,n\n" + CSV, "text": b"key\tn\n" + TEXT, "binary": BINARY}[kind]
    options = LoadOptions(columns=("key", "n") if kind == "binary" else None)
    with tables.fleet.session() as session:
        loaded = session.load(io.BytesIO(data), table, form=LoadFormat.of(kind), options=options)
    assert loaded.rows == 500
    found = ids(tables, table)
    assert [row[1:] for row in found] == ROWS
    assert found[-1][0] - found[0][0] == 499


@pytest.mark.parametrize(
    ("data", "words"),
    [(CSV + b"last,one,more\n", "line 1001: "), (CSV + b"last,many\n", "line 1001, column n: ")],
)
def test_errors_name_the_line_and_nothing_stays(tables: Sides, data: bytes, words: str) -> None:
    ours, theirs = tables.copy_in("COPY counted (key, n) FROM STDIN (FORMAT csv)", *cut(data, 2))
    assert words in ours.message and theirs is not None
    assert ids(tables, "counted") == []


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("COPY spelt (key) FROM STDIN", "OG-COPY-007"),
        ("COPY numbered (key, n) FROM STDIN (NULL '7')", "OG-COPY-019"),
        ("COPY numbered (key, n) FROM STDIN (FORMAT csv, QUOTE '1')", "OG-COPY-019"),
    ],
)
def test_what_cannot_be_numbered_is_refused_by_name(tables: Sides, sql: str, code: str) -> None:
    with tables.fleet.session() as session:
        with pytest.raises(Error) as caught, session.copy(sql):
            pass
        assert caught.value.code == code and caught.value.cure


def test_a_number_beyond_its_column_is_an_error(tables: Sides) -> None:
    tables.fleet.sequence("little_seq").skip_to(32_768)
    row = BINARY_HEADER + pack(">hi", 1, 1) + b"a" + BINARY_TRAILER
    with tables.fleet.session() as session:
        for form, data in (("binary", row), ("text", b"a\n")):
            with pytest.raises(Error) as caught, session.copy(f"COPY little (key) FROM STDIN (FORMAT {form})") as copy:
                copy.write(data)
            assert caught.value.sqlstate == "22003"
