"""The tables that random statements ask, and their rows: the same on both sides, full of NULLs and of traps.

Columns know more than their type: whether equal values always look equal (an unbounded numeric that holds both 1.0
and 1.00 makes DISTINCT choose freely, which no comparison could judge), and whether arithmetic may overflow.
"""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

Value = object


@dataclass(frozen=True, slots=True)
class Col:
    name: str
    #: PostgreSQL's type as DDL spells it.
    type: str
    #: "int", "num", "flt", "txt", "bool", "date", "ts", "tstz", "uuid".
    kind: str
    #: May be used in arithmetic without overflowing.
    small: bool = True
    #: The pools of values by kind are few, so that joins and groups find partners; None is added by `nulls`.
    nulls: float = 0.15


@dataclass(frozen=True, slots=True)
class Tab:
    name: str
    cols: tuple[Col, ...]
    #: Sharded by these; () for copied and single tables.
    key: tuple[str, ...] = ()
    #: "sharded", "copied", "single"
    placement: str = "sharded"
    #: A column that is never NULL and never twice: what makes an order total.
    unique: str = "rid"
    rows: int = 120

    def col(self, name: str) -> Col:
        return next(col for col in self.cols if col.name == name)


RID = Col("rid", "int4", "int", nulls=0)

TABLES: tuple[Tab, ...] = (
    Tab(
        "customers",
        (
            RID, Col("customer_id", "int8", "int", nulls=0.04), Col("name", "text", "txt"),
            Col("city", "varchar(20)", "txt"), Col("tier", "char(4)", "txt"), Col("credit", "numeric(12,2)", "num"),
            Col("score", "float8", "flt"), Col("active", "bool", "bool"), Col("born", "date", "date"),
            Col("seen", "timestamptz", "tstz"), Col("rank", "int2", "int"), Col("country", "char(2)", "txt"),
        ),
        ("customer_id",),
        rows=60,
    ),
    Tab(
        "orders",
        (
            RID, Col("customer_id", "int8", "int", nulls=0.08), Col("placed", "timestamp", "ts"),
            Col("total", "numeric(10,2)", "num"), Col("qty", "int4", "int"), Col("status", "text", "txt", nulls=0.25),
            Col("country", "char(2)", "txt"), Col("ratio", "numeric", "num"), Col("paid", "bool", "bool"),
            Col("big", "int8", "int", small=False), Col("product_id", "int4", "int"),
        ),
        ("customer_id",),
        rows=160,
    ),
    Tab(
        "items",
        (
            RID, Col("customer_id", "int4", "int", nulls=0.05), Col("product_id", "int4", "int"),
            Col("price", "numeric(8,3)", "num"), Col("amount", "int2", "int"), Col("weight", "float8", "flt"),
            Col("note", "text", "txt", nulls=0.4), Col("token", "uuid", "uuid"), Col("shipped", "date", "date"),
        ),
        ("customer_id",),
        rows=140,
    ),
    Tab(
        "docs",
        (
            RID, Col("slug", "text", "txt", nulls=0.05), Col("title", "text", "txt"), Col("lang", "varchar(5)", "txt"),
            Col("size", "int4", "int"), Col("made", "date", "date"),
        ),
        ("slug",),
        rows=50,
    ),
    Tab(
        "tags",
        (
            RID, Col("slug", "varchar(30)", "txt", nulls=0.05), Col("tag", "text", "txt"), Col("weight", "int2", "int"),
            Col("product_id", "int4", "int"),
        ),
        ("slug",),
        rows=90,
    ),
    Tab(
        "events",
        (
            RID, Col("device", "int8", "int", nulls=0.06), Col("sort", "text", "txt", nulls=0.06),
            Col("at", "timestamptz", "tstz"), Col("value", "numeric(9,4)", "num"), Col("n", "int4", "int"),
        ),
        ("device", "sort"),
        rows=120,
    ),
    Tab(
        "readings",
        (
            RID, Col("device", "int8", "int", nulls=0.06), Col("sort", "text", "txt", nulls=0.06),
            Col("level", "float8", "flt"), Col("ok", "bool", "bool"), Col("code", "char(2)", "txt"),
        ),
        ("device", "sort"),
        rows=90,
    ),
    Tab(
        "sittings",
        (
            RID, Col("token", "uuid", "uuid", nulls=0.05), Col("customer_id", "int8", "int"),
            Col("started", "timestamp", "ts"), Col("hits", "int4", "int"),
        ),
        ("token",),
        rows=60,
    ),
    Tab(
        "days",
        (
            RID, Col("day", "date", "date", nulls=0.05), Col("sales", "numeric(14,2)", "num"),
            Col("remark", "text", "txt"), Col("visits", "int8", "int"),
        ),
        ("day",),
        rows=60,
    ),
    Tab(
        "countries",
        (
            RID, Col("code", "char(2)", "txt", nulls=0), Col("name", "text", "txt"),
            Col("population", "int8", "int"), Col("eu", "bool", "bool"),
        ),
        placement="copied",
        rows=6,
    ),
    Tab(
        "products",
        (
            RID, Col("product_id", "int4", "int", nulls=0), Col("title", "text", "txt"),
            Col("price", "numeric(8,2)", "num"), Col("sort", "varchar(10)", "txt"),
        ),
        placement="copied",
        rows=15,
    ),
    Tab(
        "settings",
        (RID, Col("name", "text", "txt", nulls=0), Col("value", "text", "txt"), Col("number", "int4", "int")),
        placement="single",
        rows=12,
    ),
)  # fmt: skip

#: 'a' and 'A' are equal under it, where the servers have ICU; else it is a collation of one's own like any other.
COLLATION = """
    DO $$ BEGIN
        CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    EXCEPTION WHEN feature_not_supported THEN
        CREATE COLLATION blind FROM "C";
    END $$
"""
#: For fixed statements alone.
FIXED = (
    Tab(
        "handles",
        (RID, Col("customer_id", "int8", "int", nulls=0.05), Col("nick", "text COLLATE blind", "txt")),
        ("customer_id",),
        rows=60,
    ),
)
EVERY = (*TABLES, *FIXED)

BY_NAME = {table.name: table for table in TABLES}

#: Column names that are the same key to the shard map, wherever they stand.
COLOCATED = (("customers", "orders", "items"), ("docs", "tags"), ("events", "readings"), ("sittings",), ("days",))

TEXTS = ("a", "A", "ab", "b", "B b", "", " x", "x ", "zebra", "Äpfel", "ärger", "straße", "100%", "a_b", "it's", "\\")
SLUGS = (*(f"doc-{n}" for n in range(24)), "", "Ä", "doc-1 ")
SORTS = ("temp", "door", "Door", "")
CODES = ("DE", "FR", "US", "jp", "X", "ZZ")
TOKENS = tuple(uuid.UUID(int=n * 0x1234567890ABCDEF1234567) for n in range(1, 25))
DAYS = (*(dt.date(2024, 1, 1) + dt.timedelta(days=9 * n) for n in range(25)), dt.date(1969, 7, 20))
START = dt.datetime(2024, 3, 1)


def _of_type(col: Col) -> Callable[[random.Random], Value]:
    """How to draw one value that is not NULL."""
    special: dict[str, Callable[[random.Random], Value]] = {
        "customer_id": lambda r: r.randint(1, 40),
        "device": lambda r: r.choice((1, 2, 3, 4, 5, -7, 2**40)),
        "slug": lambda r: r.choice(SLUGS),
        "sort": lambda r: r.choice(SORTS),
        "token": lambda r: r.choice(TOKENS),
        "product_id": lambda r: r.randint(1, 18),
        "country": lambda r: r.choice(CODES),
        "code": lambda r: r.choice(CODES),
        "big": lambda r: r.randint(-(2**60), 2**62),
        "population": lambda r: r.randint(1, 10**9),
        "tier": lambda r: r.choice(("gold", "tin", "x", "")),
        "nick": lambda r: r.choice("abcdefABCDEF"),
        "status": lambda r: r.choice(("new", "paid", "sent", "New", "")),
        # Equal values look equal (no trailing zeros), but scales differ from value to value.
        "ratio": lambda r: r.choice([Decimal(t) for t in ("0.5", "1.25", "3", "-2.125", "1000000.000001", "7.1", "0")]),
    }
    if col.name in special:
        return special[col.name]
    width = int(col.type.rstrip(")").split("(")[1]) if col.kind == "txt" and "(" in col.type else None
    by_kind: dict[str, Callable[[random.Random], Value]] = {
        "int": lambda r: r.randint(-20, 60),
        "num": lambda r: Decimal(r.randint(-5000, 90000)).scaleb(-int(col.type.rstrip(")").split(",")[-1])),
        "flt": lambda r: r.choice((0.1, 0.2, 0.3, 1.5, 2.75, 1e-3, 1234.5678, 99.9)) * r.randint(1, 9),
        "txt": lambda r: r.choice(TEXTS)[:width],
        "bool": lambda r: r.random() < 0.5,
        "date": lambda r: r.choice(DAYS),
        "ts": lambda r: START + dt.timedelta(hours=7 * r.randint(0, 300), microseconds=r.choice((0, 1))),
        "tstz": lambda r: START.replace(tzinfo=dt.UTC) + dt.timedelta(minutes=97 * r.randint(0, 900)),
        "uuid": lambda r: r.choice(TOKENS),
    }
    return by_kind[col.kind]


def draw(col: Col, rng: random.Random) -> Value:
    """A value that such a column may hold, not NULL."""
    return _of_type(col)(rng)


def rows_of(table: Tab, seed: int) -> list[tuple[Value, ...]]:
    """The table's rows, the same for the same seed."""
    rng = random.Random(f"{seed}/{table.name}")
    draws = [(col, _of_type(col)) for col in table.cols]
    rows = []
    for number in range(1, table.rows + 1):
        row = [None if rng.random() < col.nulls else one(rng) for col, one in draws]
        row[0] = number
        if table.name == "countries":
            row[1] = CODES[number - 1]
        elif table.name == "products":
            row[1] = number
        rows.append(tuple(row))
    return rows


def ddl(table: Tab) -> str:
    """CREATE TABLE; copied tables get a primary key, as they would have."""
    columns = ", ".join(f"{c.name} {c.type}{'' if c.nulls else ' NOT NULL'}" for c in table.cols)
    keys = {"countries": ", PRIMARY KEY (code)", "products": ", PRIMARY KEY (product_id)"}
    return f"CREATE TABLE {table.name} ({columns}{keys.get(table.name, '')})"
