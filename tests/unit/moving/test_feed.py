"""Input cut at every byte makes the same parts as input in one piece."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

import pytest

from outgrow.errors import DataError
from outgrow.keyspace import Hash, Keyspace
from outgrow.moving import BINARY_HEADER, BINARY_TRAILER, LoadColumn, LoadFormat, LoadTable, RowForm, SplitFeed, layout
from outgrow.moving import load_split as split_module
from outgrow.moving.feed import header_size
from outgrow.topology import Sharded, ShardMap, TableName

SHARDS = ("a", "b", "c")
KEYSPACE = Keyspace(64, ShardMap("d", 1, SHARDS, tuple(slot % 3 for slot in range(64))))
COLUMNS = {"k": "int8", "v": "text", "w": "text"}


def feed(format: LoadFormat, columns: dict[str, str] | None = None, key: str = "k") -> SplitFeed:
    columns = columns or COLUMNS
    table = LoadTable(
        TableName("public", "t"), tuple(LoadColumn(name, type) for name, type in columns.items()), Sharded((key,))
    )
    return SplitFeed(layout(table, format, list(columns)), SHARDS, KEYSPACE)


def poured(made: SplitFeed, pieces: Sequence[bytes]) -> list[bytes]:
    parts = [b""] * len(SHARDS)
    for piece in pieces:
        for given in made.put(memoryview(piece)):
            parts = [old + bytes(new) for old, new in zip(parts, given, strict=True)]
    for given in made.end():
        parts = [old + bytes(new) for old, new in zip(parts, given, strict=True)]
    return parts


FIELDS = [
    b"5",
    b"plain",
    b'q"u',
    b"new\nline",
    b"back\\slash",
    b"tab\t,",
    "日本é".encode(),
    b"",
    None,
    b"\\.",
    b"\\N",
    b"x'y",
]
FORMATS = [
    LoadFormat(header=False),
    LoadFormat(";", "NA", header=False, quote="'", escape="\\"),
    LoadFormat(quote="'", escape="'"),
    LoadFormat.of("text", header=False),
    LoadFormat.of("text", delimiter="|", null="nil"),
    LoadFormat.of("binary"),
]


def rows(format: LoadFormat, fields: Sequence[bytes | None] = FIELDS) -> tuple[list[bytes], bytes]:
    """Every pair of fields with its key, as rows and as the whole input."""
    form = RowForm(format)
    made = []
    for number, (one, other) in enumerate((a, b) for a in fields for b in fields):
        key = struct.pack(">q", number) if format.kind == "binary" else str(number).encode()
        made.append(form.row([key, one, other]))
    header = b"the,header\n" if format.header else b""
    if format.kind == "binary":
        return made, BINARY_HEADER + b"".join(made) + BINARY_TRAILER
    return made, header + b"".join(made)


@pytest.mark.parametrize("format", FORMATS)
def test_cut_at_every_byte(format: LoadFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    for block, fields in ((700, FIELDS), (50, FIELDS[2:7:2])):
        monkeypatch.setattr(split_module, "BLOCK", block)
        made, data = rows(format, fields)
        hash = Hash(("int8",), 64)
        wanted = [b"".join(row for n, row in enumerate(made) if hash.slot((n,)) % 3 == shard) for shard in range(3)]
        if format.kind == "binary":
            wanted = [BINARY_HEADER + part + BINARY_TRAILER for part in wanted]
        elif format.header:
            wanted = [b"the,header\n" + part for part in wanted]
        assert poured(feed(format), [data]) == wanted
        assert poured(feed(format), [data[at : at + 1] for at in range(len(data))]) == wanted
    for at in range(len(data)):
        assert poured(feed(format), [data[:at], data[at:]]) == wanted, at


@pytest.mark.parametrize("format", FORMATS)
def test_rows_come_back_as_they_were(format: LoadFormat) -> None:
    made, _ = rows(format)
    found = [fields[1:] for fields in RowForm(format).rows(b"".join(made))]
    assert found == [[a, b] for a in FIELDS for b in FIELDS]


def test_text_keys_in_every_spelling() -> None:
    """A key is placed by what its escapes stand for."""
    spelt = {
        "a\tb": [b"a\\tb", b"a\\\tb", b"a\\011b", b"a\\x9b"[:-1] + b"\\x62", b"\\a\\t\\142"],
        "\\": [b"\\\\", b"\\134", b"\\x5c"],
        "N": [b"\\x4e", b"N"],
        "a\nb": [b"a\\nb", b"a\\\nb", b"a\\12b"],
        "é": ["é".encode(), b"\\303\\251", b"\\xc3\\xa9", "\\é".encode()],
        "8": [b"\\8", b"8"],
        "x": [b"\\xx"[:2] + b"78", b"x"],
    }
    hash = Hash(("text",), 64)
    for value, spellings in spelt.items():
        for spelling in spellings:
            parts = poured(feed(LoadFormat.of("text", header=False), {"k": "text"}), [b"1\n" + spelling + b"\n2\n"])
            assert spelling + b"\n" in parts[hash.slot((value,)) % 3], (value, spelling)


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"1\tx\ty\n2\tx\n", "OG-LOAD-003", "line 2:"),
        (b"1\tx\ty\n2\tx\\\ty\n", "OG-LOAD-003", "line 2:"),
        (b"1\tx\\\n\ty\nz\tx\ty\n", "OG-LOAD-004", "line 3:"),
        (b"1\tx\ty\n2\tx\ty\\", "OG-LOAD-006", "line 2:"),
        (b"1\tx\ty\n2\tx\\.\ty\n", "OG-LOAD-013", "line 2:"),
        (b"1\tx\ty\n\\.x\n", "OG-LOAD-013", "line 2:"),
        (b"1\tx\ty\r\n2\tx\ty\n", "OG-LOAD-014", "line 2:"),
        (b"1\tx\ty\n2\tx\ty\r\n", "OG-LOAD-014", "line 2:"),
        (b"1\tx\ty\n2\t\xff\ty\n", "OG-LOAD-005", "line 2:"),
    ],
)
def test_bad_text_is_refused_with_its_line(data: bytes, code: str, words: str) -> None:
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
        with pytest.raises(DataError) as caught:
            poured(feed(LoadFormat.of("text", header=False)), pieces)
        assert caught.value.code == code and words in caught.value.message


def test_the_end_mark_ends_text() -> None:
    for behind in (b"", b"\n", b"\r\n", b"\nnot\tread\n"):
        line = b"\r\n" if behind == b"\r\n" else b"\n"
        data = b"1\tx\ty" + line + b"\\." + behind
        for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
            assert b"".join(poured(feed(LoadFormat.of("text", header=False)), pieces)) == b"1\tx\ty" + line


def test_a_mark_that_servers_disagree_about_is_refused_in_csv() -> None:
    with pytest.raises(DataError, match="OG-LOAD-013"):
        poured(feed(LoadFormat(header=False), {"k": "text"}), [b"a\n\\.\nb\n"])
    assert b"".join(sorted(poured(feed(LoadFormat(header=False), {"k": "text"}), [b'"\\."\n']))) == b'"\\."\n'


def test_a_header_of_carriage_returns_is_no_header() -> None:
    with pytest.raises(DataError, match="OG-LOAD-006"):
        poured(feed(LoadFormat()), [b"k,v,w\r1,x,y\r"])
    assert poured(feed(LoadFormat()), [b"k,v,w"]) == [b"k,v,w"] * 3


def test_where_headers_end() -> None:
    assert header_size(b'a,"b\n""",c\nd', LoadFormat()) == 11
    assert header_size(b"a,'b\\'\n',c\nd", LoadFormat(quote="'", escape="\\")) == 11
    assert header_size(b"a\\\nb\nc", LoadFormat.of("text")) == 5
    assert header_size(b'a,"b\n', LoadFormat()) == 0


def test_lines_are_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split_module, "BLOCK", 512)
    rng = random.Random(7)
    for format in (LoadFormat(header=False), LoadFormat(), LoadFormat.of("text", header=False)):
        tall = rng.sample(range(300), 100)
        lines: dict[int, int] = {}
        data, line = b"h,h,h\n" if format.header else b"", 2 if format.header else 1
        for number in range(300):
            lines[number] = line
            long = number in tall
            if format.kind == "csv":
                data += b'%d,"a\nb\nc",x\n' % number if long else b"%d,a,x\n" % number
            else:
                data += b"%d\ta\\\nb\\\nc\tx\n" % number if long else b"%d\ta\tx\n" % number
            line += 3 if long else 1
        made = feed(format)
        parts = poured(made, [data])
        for shard, part in enumerate(parts):
            # As a server counts: in CSV all lines (but those inside of its first record), in text records.
            at = 0
            for place, fields in enumerate(RowForm(format).rows(part.replace(b"\\\n", b"\\n"))):
                quoted = 0 if not place and not format.header else (fields[1] or b"").count(b"\n")
                at += 1 + (quoted if format.kind == "csv" else 0)
                if format.header and not place:
                    continue
                key = int(fields[0] or b"")
                assert made.lines(shard, at) == (lines[key], lines[key]), (format.kind, key, at)


def test_rows_beyond_what_is_remembered_have_a_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split_module, "BLOCK", 512)
    monkeypatch.setattr("outgrow.moving.load_trail.KEPT_MAX", 100)
    made = feed(LoadFormat(header=False))
    poured(made, [b"".join(b"%d,a,x\n" % number for number in range(1000))])
    first, last = made.lines(0, 300) or (0, 0)
    assert first < last
