"""Splitting against Python's own csv module: every record goes whole to the shard of its key, none is lost."""

from __future__ import annotations

import csv
import io
import random
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outgrow.errors import DataError
from outgrow.keyspace import Hash, Keyspace, stored
from outgrow.moving import load_split
from outgrow.moving.load_layout import LoadColumn, LoadFormat, LoadTable, layout
from outgrow.moving.load_split import Splitter
from outgrow.topology import Copied, Placement, Sharded, ShardMap, TableName

SHARDS = ("a", "b", "c")
SLOTS = 64


def keyspace(shards: tuple[str, ...] = SHARDS) -> Keyspace:
    return Keyspace(SLOTS, ShardMap("d", 1, shards, tuple(slot % len(shards) for slot in range(SLOTS))))


def splitter(
    columns: dict[str, str], key: Placement, format: LoadFormat | None = None, shards: tuple[str, ...] = SHARDS
) -> Splitter:
    table = LoadTable(TableName("public", "t"), tuple(LoadColumn(name, type) for name, type in columns.items()), key)
    plan = layout(table, format or LoadFormat(header=False), list(columns))
    return Splitter(plan, shards, keyspace() if isinstance(key, Sharded) else None)


def split(made: Splitter, data: bytes) -> list[bytes]:
    out = [b""] * len(made.rows)
    for parts in made.blocks(io.BytesIO(data)):
        out = [old + bytes(new) for old, new in zip(out, parts.data, strict=True)]
    return out


def records(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


@pytest.fixture(params=[64, 4096, 1 << 19])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(load_split, "BLOCK", request.param)
    return int(request.param)


field = st.text(st.sampled_from('ab,"\n\r é日0'), max_size=8)
integer = st.integers(-(2**63), 2**63 - 1).map(str) | st.integers(-99, 99).map(str) | st.just("") | st.just(" +7 ")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(
    rows=st.lists(st.tuples(field, integer, field), min_size=1, max_size=60),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
)
def test_records_go_whole_to_the_shard_of_their_key(
    block: int, rows: list[tuple[str, str, str]], quoting: Any, end: str, last: bool
) -> None:
    if quoting == csv.QUOTE_ALL:
        # A quoted empty field is an empty string, which is no integer.
        rows = [(a, key or "0", c) for a, key, c in rows]
    else:
        # The module would leave a lone carriage return bare, which no COPY takes.
        rows = [(a.replace("\r", "\r\n"), key, c.replace("\r", "\r\n")) for a, key, c in rows]
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting, lineterminator=end).writerows(rows)
    data = text.getvalue().encode()
    made = splitter({"x": "text", "k": "int8", "y": "text"}, Sharded(("k",)))
    parts = split(made, data if last else data.removesuffix(end.encode()))
    hash = Hash(("int8",), SLOTS)
    wanted: list[list[list[str]]] = [[], [], []]
    for row in records(data):
        wanted[hash.slot((int(row[1]) if row[1] else None,)) % 3].append(row)
    assert [records(part) for part in parts] == wanted
    assert made.rows == [len(part) for part in wanted]
    # Not a byte is changed: the parts are the file's records in another order.  (How the line of one lone record
    # without a line end would have ended, nobody can tell.)
    if len(rows) > 1 or last or end == "\n":
        assert sorted(b"".join(parts)) == sorted(data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(rows=st.lists(st.tuples(field, field), min_size=1, max_size=40))
def test_text_keys_with_quotes_inside(block: int, rows: list[tuple[str, str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    parts = split(splitter({"k": "text", "y": "text"}, Sharded(("k",))), text.getvalue().encode())
    hash = Hash(("text",), SLOTS)
    for shard, part in enumerate(parts):
        for row in records(part):
            assert hash.slot((row[0],)) % 3 == shard


@pytest.mark.parametrize(
    ("type", "values"),
    [
        ("uuid", [str(uuid.UUID(int=n * 7919)) for n in range(50)]),
        ("uuid", [str(uuid.UUID(int=5)), "{" + str(uuid.UUID(int=6)) + "}", str(uuid.UUID(int=7)).upper()]),
        ("date", ["2020-01-01", "1999-12-31", "2020-01-01"]),
        ("timestamptz", ["2020-01-01 00:00:00+02", "infinity"]),
        ("numeric", ["1.50", "1.5", "-0", "1e5"]),
        ("bool", ["t", "FALSE", "yes"]),
        ("int8", ["1234567890123456789", "-9223372036854775808", "9223372036854775807", "007", " 5"]),
        ("int2", ["32767", "-32768", "0"]),
        ("varchar", ["", "x" * 300, "é"]),
    ],
)
def test_each_type_of_key(type: str, values: list[str]) -> None:
    empty = '""'
    data = "".join(f"{number},{value or empty}\n" for number, value in enumerate(values)).encode()
    parts = split(splitter({"n": "int4", "k": type}, Sharded(("k",))), data)
    hash = Hash((type,), SLOTS)
    for number, value in enumerate(values):
        shard = hash.slot((stored(type, -1, value),)) % 3
        assert f"{number}," in parts[shard].decode(), value


def test_compound_keys_and_null_markers() -> None:
    rows = [("5", "x"), ("NA", "x"), ("5", "NA"), ("NA", "NA"), ("6", '"NA"'), ("7", "")]
    data = "".join(f"{a},{b}\n" for a, b in rows).encode()
    made = splitter({"a": "int8", "b": "text"}, Sharded(("a", "b")), LoadFormat(null="NA", header=False))
    parts = split(made, data)
    hash = Hash(("int8", "text"), SLOTS)
    for a, b in rows:
        key = (None if a == "NA" else int(a), None if b == "NA" else b.strip('"'))
        assert f"{a},{b}\n".encode() in parts[hash.slot(key) % 3]


def test_varchar_keys_lose_the_blanks_that_the_column_drops() -> None:
    table = LoadTable(TableName("public", "t"), (LoadColumn("k", "varchar", 5 + 4),), Sharded(("k",)))
    made = Splitter(layout(table, LoadFormat(header=False), ["k"]), SHARDS, keyspace())
    parts = split(made, b"abcde   \nabcde\n")
    assert sorted(map(len, parts)) == [0, 0, 15]


def test_copied_tables_go_everywhere() -> None:
    data = b'1,"a\nb"\n2,c'
    made = splitter({"n": "int4", "t": "text"}, Copied())
    assert split(made, data) == [data + b"\n"] * 3
    assert made.rows == [2, 2, 2]


def test_parts_outlive_the_blocks_they_are_of(block: int, tmp_path: Path) -> None:
    """The buffers are filled again only when nobody has a part of them any more; also of files read in place."""
    data = "".join(f"{number},{'x' * (number % 90)}\n" for number in range(9000)).encode()
    path = tmp_path / "file.csv"
    path.write_bytes(data)
    for key in (Sharded(("k",)), Copied()):
        wanted = split(splitter({"k": "int8", "v": "text"}, key), data)
        with open(path, "rb") as source:
            kept = list(splitter({"k": "int8", "v": "text"}, key).blocks(source))
        assert [b"".join(parts.data[shard] for parts in kept) for shard in range(3)] == wanted
        assert sum(parts.taken for parts in kept) == len(data)


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("widths", [(0, 3), (6, 9), (0, 40), (100, 300)])
def test_keys_behind_fields_of_any_length(place: int, widths: tuple[int, int]) -> None:
    rng = random.Random(place)
    rows = []
    for number in range(500):
        fields = ["x" * rng.randint(*widths) for _ in range(5)]
        fields[place] = str(number)
        rows.append(",".join(fields) + "\n")
    columns = {f"c{at}": "int8" if at == place else "text" for at in range(5)}
    hash = Hash(("int8",), SLOTS)
    wanted = ["".join(row for n, row in enumerate(rows) if hash.slot((n,)) % 3 == shard) for shard in range(3)]
    parts = split(splitter(columns, Sharded((f"c{place}",))), "".join(rows).encode())
    assert parts == [part.encode() for part in wanted]


@pytest.mark.parametrize("key", ["a", "b", "c"])
def test_ragged_records_that_make_up_for_each_other(key: str) -> None:
    """COPY will refuse them; until then each is placed by its own key, or refused here when it has none."""
    data = b"1,1,1\n2,2\n3,3,3,3\n4,4,4\n"
    made = splitter({"a": "int8", "b": "int8", "c": "int8"}, Sharded((key,)))
    if key != "a":
        with pytest.raises(DataError) as caught:
            split(made, data)
        assert caught.value.code in ("OG-LOAD-003", "OG-LOAD-004") and "line 2:" in caught.value.message
        return
    parts = split(made, data)
    assert sorted(b"".join(parts).splitlines()) == sorted(data.splitlines())
    for shard, part in enumerate(parts):
        for number, line in enumerate(part.splitlines(), 1):
            assert made.line_of(io.BytesIO(data), shard, number) == int(line[:1])


@pytest.mark.parametrize("length", [1, 62, 63, 64, 65, 127, 128, 129, 1000, 4094, 4095, 4096, 5000, 100_000])
def test_records_of_any_length_between_short_ones(length: int) -> None:
    rows = [f"{number},{'x' * (length if number % 7 == 0 else number % 3)}\n" for number in range(60)]
    made = splitter({"k": "int8", "v": "text"}, Sharded(("k",)))
    hash = Hash(("int8",), SLOTS)
    wanted = ["".join(row for n, row in enumerate(rows) if hash.slot((n,)) % 3 == shard) for shard in range(3)]
    assert split(made, "".join(rows).encode()) == [part.encode() for part in wanted]


def test_many_shards() -> None:
    names = tuple(f"s{number:02}" for number in range(16))
    table = LoadTable(TableName("public", "t"), (LoadColumn("k", "int8"),), Sharded(("k",)))
    made = Splitter(layout(table, LoadFormat(header=False), ["k"]), names, keyspace(names))
    parts = split(made, "".join(f"{number}\n" for number in range(2000)).encode())
    hash = Hash(("int8",), SLOTS)
    assert all(hash.slot((int(line),)) % 16 == shard for shard, part in enumerate(parts) for line in part.split())
    assert sum(made.rows) == 2000


def test_shards_left_out_get_nothing_and_the_others_the_same() -> None:
    data = "".join(f"{number}\n" for number in range(500)).encode()
    whole = split(splitter({"k": "int8"}, Sharded(("k",))), data)
    assert split(splitter({"k": "int8"}, Sharded(("k",)), shards=("c", "a")), data) == [whole[2], whole[0]]
    assert split(splitter({"k": "int8"}, Sharded(("k",)), shards=("b",)), data) == [whole[1]]


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"1,a\n2\n3,c\n", "OG-LOAD-003", "line 2:"),
        (b"1,a\n2,b,c\n", "OG-LOAD-003", "line 2:"),
        (b'1,"a\nb"\n2\n', "OG-LOAD-003", "line 3:"),
        (b"1,a\n\n", "OG-LOAD-003", "line 2:"),
        (b"1,a\nx,b\n", "OG-LOAD-004", "line 2:"),
        (b'1,"\n\n"\n"",b\n', "OG-LOAD-004", "line 4:"),
        (b"99999999999999999999,b\n", "OG-LOAD-004", "line 1:"),
        (b"1,a\n2,\xff\n", "OG-LOAD-005", "line 2:"),
        (b"1,a\n2,\x00\n", "OG-LOAD-005", "line 2:"),
        (b'1,a\n2,"b\n3,c\n', "OG-LOAD-006", "line 2"),
        (b"1,a\r2,b", "OG-LOAD-003", "line 1:"),
    ],
)
def test_bad_files_are_refused_with_their_line(data: bytes, code: str, line: str) -> None:
    with pytest.raises(DataError) as caught:
        split(splitter({"k": "int8", "v": "text"}, Sharded(("k",))), data)
    assert caught.value.code == code
    assert line in caught.value.message
    assert caught.value.cure


def test_a_key_that_only_the_server_knows_is_refused() -> None:
    with pytest.raises(DataError, match=r"OG-LOAD-004.*only the server knows"):
        split(splitter({"k": "timestamptz"}, Sharded(("k",))), b"2020-01-01 00:00:00\n")


def test_line_of_finds_a_shards_record_again(block: int) -> None:
    data = "".join(f'{number},"a\nb"\n' for number in range(300)).encode()
    made = splitter({"k": "int8", "v": "text"}, Sharded(("k",)))
    parts = split(made, data)
    for shard, part in enumerate(parts):
        for record, row in enumerate(records(part)):
            # A server does not count the newline that the very first record quotes.
            for line in (2 * record, 2 * record + 1) if record else (1,):
                assert made.line_of(io.BytesIO(data), shard, line) == int(row[0]) * 2 + 1
    assert made.line_of(io.BytesIO(data), 0, 1000) is None
    assert made.line_of(None, 0, 1) is None


@pytest.mark.parametrize(
    ("names", "code"), [(["k", "w"], "OG-LOAD-001"), (["k", "k"], "OG-LOAD-001"), (["v"], "OG-LOAD-002")]
)
def test_columns_that_do_not_fit(names: list[str], code: str) -> None:
    table = LoadTable(TableName("public", "t"), (LoadColumn("k", "int8"), LoadColumn("v", "text")), Sharded(("k",)))
    with pytest.raises(DataError) as caught:
        layout(table, LoadFormat(), names)
    assert caught.value.code == code


def test_the_copy_command_quotes_what_it_must() -> None:
    table = LoadTable(TableName("s", 'a"b'), (LoadColumn("o'k", "int8"),), Copied())
    plan = layout(table, LoadFormat(";", "\\N"), ["o'k"])
    assert plan.copy_sql == (
        """COPY "s"."a""b" ("o'k") FROM STDIN (FORMAT csv, DELIMITER ';', NULL  E'\\\\N', ENCODING 'UTF8')"""
    )
