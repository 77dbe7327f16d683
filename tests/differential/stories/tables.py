"""The tables that random writes change: small, so that keys meet, and full of constraints, so that writes fail.

Every placement and shape of key, foreign keys inside a key (at once, deferred, cascading) and to copied tables, checks,
defaults, generated columns; and columns that no statement names, of types that a row must keep when it moves.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from outgrow.topology import Copied, Placement, Sharded, Single, TableName
from tests.differential.world import RID, Col, Tab, Value, draw

#: One value in so many is NULL where the column may be.
NULLS = 0.12


@dataclass(frozen=True, slots=True)
class Kept:
    """A table with what its DDL says beyond names and types."""

    tab: Tab
    #: column → what stands behind its type.
    clauses: tuple[tuple[str, str], ...] = ()
    #: Table constraints, and columns that statements never name.
    more: tuple[str, ...] = ()
    #: What ON CONFLICT may infer a unique index from.
    targets: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.tab.name

    def ddl(self) -> str:
        clauses = dict(self.clauses)
        columns = [f"{col.name} {col.type} {clauses.get(col.name, '')}".strip() for col in self.tab.cols]
        return f"CREATE TABLE {self.name} ({', '.join([*columns, *self.more])})"


#: Tables whose row ids are unique where that is asked for: in the whole domain, by an index of outgrow's.
UNIQUE = ("customers", "orders", "items", "carts")
CUSTOMER = Col("customer_id", "int8", "int", nulls=0)

TABLES: tuple[Kept, ...] = (
    Kept(
        Tab(
            "countries",
            (RID, Col("code", "char(2)", "txt", nulls=0), Col("name", "text", "txt"), Col("rank", "int2", "int")),
            placement="copied",
        ),
        (("rank", "CHECK (rank <> 13)"), ("name", "DEFAULT 'somewhere'")),
        ("PRIMARY KEY (code)", "double int4 GENERATED ALWAYS AS (rank * 2) STORED"),
        ("(code)",),
    ),
    Kept(
        Tab(
            "products",
            (
                RID, Col("product_id", "int4", "int", nulls=0), Col("title", "text", "txt"),
                Col("price", "numeric(8,2)", "num"), Col("country", "char(2)", "txt"),
            ),
            placement="copied",
        ),
        (("country", "REFERENCES countries (code)"), ("price", "DEFAULT 1.50 CHECK (price > -45)")),
        ("PRIMARY KEY (product_id)",),
        ("(product_id)",),
    ),
    Kept(
        Tab(
            "customers",
            (
                RID, CUSTOMER, Col("name", "text", "txt"), Col("tier", "char(4)", "txt"),
                Col("credit", "numeric(12,2)", "num"), Col("active", "bool", "bool"), Col("born", "date", "date"),
                Col("seen", "timestamptz", "tstz"), Col("country", "char(2)", "txt"),
            ),
            ("customer_id",),
        ),
        (
            ("name", "NOT NULL"), ("credit", "DEFAULT 10 CHECK (credit > -45)"),
            ("country", "REFERENCES countries (code)"), ("customer_id", "PRIMARY KEY"),
        ),
        ("double numeric GENERATED ALWAYS AS (credit * 2) STORED",),
        ("(customer_id)",),
    ),
    Kept(
        Tab(
            "orders",
            (
                RID, CUSTOMER, Col("total", "numeric(10,2)", "num"), Col("qty", "int4", "int"),
                Col("status", "text", "txt"), Col("product_id", "int4", "int"), Col("placed", "timestamp", "ts"),
            ),
            ("customer_id",),
        ),
        (
            ("customer_id", "REFERENCES customers"), ("qty", "CHECK (qty < 58)"), ("status", "DEFAULT 'new'"),
            ("product_id", "REFERENCES products (product_id)"),
        ),
        ("tags text[] DEFAULT ARRAY['a', 'b c', NULL]", "PRIMARY KEY (customer_id, rid)"),
        ("(customer_id, rid)", "(rid, customer_id)"),
    ),
    Kept(
        Tab(
            "items",
            (
                RID, Col("customer_id", "int4", "int", nulls=0), Col("parent", "int4", "int"),
                Col("price", "numeric(8,3)", "num"), Col("note", "text", "txt"),
            ),
            ("customer_id",),
        ),
        (),
        (
            "PRIMARY KEY (customer_id, rid)",
            "FOREIGN KEY (customer_id, parent) REFERENCES items DEFERRABLE INITIALLY DEFERRED",
        ),
        ("(customer_id, rid)",),
    ),
    Kept(
        Tab(
            "carts",
            (RID, CUSTOMER, Col("amount", "int2", "int"), Col("weight", "float8", "flt"), Col("paid", "bool", "bool")),
            ("customer_id",),
        ),
        (("customer_id", "REFERENCES customers ON DELETE CASCADE"), ("amount", "NOT NULL DEFAULT 1")),
        ("UNIQUE (rid, customer_id)",),
        ("(customer_id, rid)",),
    ),
    Kept(
        Tab(
            "docs",
            (
                RID, Col("slug", "text", "txt", nulls=0.1), Col("title", "varchar(20)", "txt"),
                Col("size", "int4", "int"), Col("made", "date", "date"),
            ),
            ("slug",),
        ),
        (("title", "DEFAULT 'untitled'"), ("size", "CHECK (size > -19)")),
        ("UNIQUE (slug, rid)", """extra jsonb DEFAULT '{"a": [1.0, null], "b": "\\u00e4"}'"""),
        ("(slug, rid)",),
    ),
    Kept(
        Tab(
            "events",
            (
                RID, Col("device", "int8", "int", nulls=0.06), Col("sort", "text", "txt", nulls=0.1),
                Col("at", "timestamptz", "tstz"), Col("value", "numeric(9,4)", "num"), Col("n", "int4", "int"),
            ),
            ("device", "sort"),
        ),
        (),
        (
            "feeling mood DEFAULT 'so la la'",
            "CONSTRAINT events_once UNIQUE (device, sort, rid) DEFERRABLE INITIALLY DEFERRED",
        ),
    ),
    Kept(
        Tab(
            "sittings",
            (
                RID, Col("token", "uuid", "uuid", nulls=0.05), Col("started", "timestamp", "ts"),
                Col("hits", "int4", "int"),
            ),
            ("token",),
        ),
        (),
        ("length interval DEFAULT '1 day 02:03:04.5'", "raw bytea DEFAULT '\\x00ff'", "ratio numeric DEFAULT 1.50"),
    ),
    Kept(
        Tab(
            "days",
            (RID, Col("day", "date", "date", nulls=0.05), Col("sales", "numeric(14,2)", "num"),
             Col("visits", "int8", "int")),
            ("day",),
        ),
        (("visits", "DEFAULT 0"),),
    ),
    Kept(
        Tab(
            "settings",
            (RID, Col("name", "text", "txt", nulls=0), Col("value", "text", "txt"), Col("number", "int4", "int")),
            placement="single",
        ),
        (("rid", "PRIMARY KEY"),),
        (),
        ("(rid)",),
    ),
)  # fmt: skip

BY_NAME = {kept.name: kept for kept in TABLES}
SHARDED = tuple(kept for kept in TABLES if kept.tab.key)
COPIED = tuple(kept for kept in TABLES if kept.tab.placement == "copied")
TYPES = "CREATE TYPE mood AS ENUM ('well', 'so la la', 'ill')"
#: The keys that exist at the start of each chapter, so that foreign keys hold.
CUSTOMERS = tuple(range(1, 31))
PRODUCTS = tuple(range(1, 16))
CODES = ("DE", "FR", "US", "jp")
COUNTS = {"customers": len(CUSTOMERS), "products": len(PRODUCTS), "countries": len(CODES), "settings": 6}


def beginning(kept: Kept) -> list[tuple[Value, ...]]:
    """The table's rows at the start of a chapter."""
    rng = random.Random(f"stories/{kept.name}")
    return [_first_row(kept, number, rng) for number in range(1, COUNTS.get(kept.name, 25) + 1)]


def _first_row(kept: Kept, number: int, rng: random.Random) -> tuple[Value, ...]:
    row: dict[str, Any] = {}
    for col in kept.tab.cols:
        row[col.name] = None if col.nulls and rng.random() < NULLS else draw(col, rng)
    row["rid"] = number
    fixed = {
        ("customers", "customer_id"): number, ("products", "product_id"): number, ("settings", "name"): f"s{number}",
        ("countries", "code"): CODES[(number - 1) % len(CODES)], ("items", "parent"): None,
    }  # fmt: skip
    sure = {
        "customer_id": rng.choice(CUSTOMERS), "product_id": rng.choice(PRODUCTS), "country": rng.choice(CODES),
        "rank": number, "name": f"n{number}", "qty": number, "size": number, "amount": number % 9, "price": number,
        "credit": number,
    }  # fmt: skip
    for col in kept.tab.cols:
        row[col.name] = fixed.get((kept.name, col.name), sure.get(col.name, row[col.name]))
    return tuple(row.values())


def placements(shards: list[str]) -> dict[TableName, Placement]:
    """What `fleet.yaml` would say; the single table lives on the last shard."""
    found: dict[TableName, Placement] = {}
    for kept in TABLES:
        others: dict[str, Placement] = {"copied": Copied(), "single": Single(shards[-1])}
        found[TableName("public", kept.name)] = others.get(kept.tab.placement, Sharded(kept.tab.key))
    return found
