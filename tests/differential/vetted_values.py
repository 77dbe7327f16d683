"""Edge values by type, as COPY reads them, and how each entry of the vetted list is written in PostgreSQL's words."""

from __future__ import annotations

from collections.abc import Iterator

from outgrow.plan.duck.vetted import Vetted

NULL = None
_TEXTS = (
    NULL, "", "a", "A", "ab", "b", " a", "a ", "  ", "%", "_", "a_b", "100%", "\\", "\\\\", "a\\", "ß", "ẞ", "Äpfel",
    "e\u0301", "\u00e9", "日本", "😀", "👨‍👩‍👧", "x\ty", "x\ny", '"q"', "it's", "{}", "{0}", "NULL", "null", ",", "a,b",
)  # fmt: skip
VALUES: dict[str, tuple[str | None, ...]] = {
    "int2": (NULL, "0", "1", "-1", "2", "7", "-7", "32767", "-32768"),
    "int4": (NULL, "0", "1", "-1", "2", "7", "-7", "40000", "2147483647", "-2147483648"),
    "int8": (NULL, "0", "1", "-1", "3", "-7", "9007199254740993", "9223372036854775807", "-9223372036854775808"),
    "numeric(10,2)": (NULL, "0", "0.01", "-0.01", "1", "-1", "2.5", "-2.5", "3.5", "7.25", "99999999.99",
                      "-99999999.99"),
    "numeric(12,4)": (NULL, "0", "0.0001", "1", "-1", "2.5", "0.5", "-0.3333", "12345678.9012"),
    "numeric(30,10)": (NULL, "0", "1", "0.0000000001", "-99999999999999999999.9999999999", "0.5"),
    "float8": (
        NULL, "0", "-0", "1", "-1", "0.1", "2.5", "-2.5", "3.5", "1e15", "1e16", "1e308", "-1e308", "1e-320", "5e-324",
        "9007199254740993", "NaN", "Infinity", "-Infinity",
    ),
    "text": _TEXTS,
    "varchar(20)": (NULL, "", "a", "a ", "Äpfel", "😀", "b"),
    "char(4)": (NULL, "", "a", "ab", "abcd", " a", "é", "A"),
    "char(6)": (NULL, "", "a", "ab", "abcdef"),
    "bool": (NULL, "t", "f"),
    "date": (
        NULL, "2024-02-29", "2023-12-31", "2024-01-01", "1970-01-01", "0001-01-01", "9999-12-31", "infinity",
        "-infinity", "2000-01-31", "1582-10-10",
    ),
    "timestamp": (
        NULL, "2024-02-29 23:59:59.999999", "1970-01-01 00:00:00", "2000-01-31 12:34:56.5", "0001-01-01 00:00:00",
        "9999-12-31 23:59:59", "infinity", "-infinity", "2024-03-31 02:30:00",
    ),
    "timestamptz": (
        NULL, "2024-02-29 23:59:59.999999+00", "1970-01-01 00:00:00+00", "2024-03-31 01:30:00+00",
        "2024-10-27 00:30:00+00", "2024-10-27 01:30:00+00", "infinity", "-infinity",
    ),
    "uuid": (NULL, "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
             "80000000-0000-4000-8000-000000000001", "7fffffff-0000-4000-8000-000000000001"),
    "bytea": (NULL, "\\x", "\\x00", "\\x00ff", "\\xff00", "\\x616263", "\\x5c"),
}  # fmt: skip
FAMILY_TYPES = {
    "int": ("int2", "int4", "int8"),
    "numeric": ("numeric(10,2)", "numeric(12,4)", "numeric(30,10)"),
    "float8": ("float8",),
    "text": ("text", "varchar(20)"),
    "bpchar": ("char(4)", "char(6)"),
    "bool": ("bool",),
    "date": ("date",),
    "timestamp": ("timestamp",),
    "timestamptz": ("timestamptz",),
    "uuid": ("uuid",),
    "bytea": ("bytea",),
}
PATTERNS = ("a%", "%", "_", "a\\%", "\\_%", "%ß%", "", "%'s", "\\\\", "_b%", "😀_", "é")
INTERVALS = ("1 month", "-1 month", "13 months", "1 day", "-30 days", "1 year", "5 hours", "90 seconds")
#: Both sides must look alike where one of them is the result.
_ALIKE = ("greatest", "least", "coalesce")


def expressions(section: str, entry: Vetted) -> Iterator[tuple[str, str, str]]:
    """(one type, other type, SQL over columns a and b) for every name, family and width of the entry."""
    for takes in {entry.takes.replace("X", family) for family in entry.of.split() or ("",)}:
        for name in entry.names.split():
            for one, other in _types(section, name, takes.split()):
                for sql in _written(section, name, takes.split(), one):
                    yield one, other, sql


def _types(section: str, name: str, takes: list[str]) -> Iterator[tuple[str, str]]:
    families = [FAMILY_TYPES.get(family, (family,)) for family in takes]
    if not families or takes[-1] == "interval" or len(families) == 1:
        yield from ((one, one) for one in (families[0] if families else ("int4",)))
        return
    for one in families[0]:
        for other in families[1]:
            if name in _ALIKE and one != other and "int" not in takes:
                continue
            if takes[0] != takes[1] and other == "int8":
                continue
            if takes == ["text", "int"] and one != "text":
                continue
            yield one, other


def _written(section: str, name: str, takes: list[str], one: str) -> Iterator[str]:
    word = name.replace("-", " ") if len(name) > 2 else name
    if section in ("operator", "moment"):
        if word == "like":
            yield from (f"a LIKE '{pattern.replace(chr(39), chr(39) * 2)}'" for pattern in PATTERNS)
        elif takes[1] == "interval":
            yield from (f"a {word} interval '{interval}'" for interval in INTERVALS)
        else:
            yield f"a {word} b"
    elif section == "prefix":
        yield f"{word} a"
    elif section == "test":
        yield f"a {word}"
    elif section == "function":
        yield f"{name}(a, b, 'x')" if len(takes) == 3 else f"{name}({', '.join('ab'[: len(takes)])})"
    elif section == "cast":
        yield f"a::{one if name == 'X' else name}"
    elif section == "extract":
        yield f"extract({name} FROM a)"


AGGREGATED = ("{0}(a)", "{0}(DISTINCT a)", "{0}(a) FILTER (WHERE b IS NOT NULL)", "{0}(a) OVER (PARTITION BY b)")
