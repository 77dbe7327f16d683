"""The fleet that the examples use: `fleet.yaml` given as an argument, or a temporary one with two shards.

A given file is written anew: the tables below are added to its first domain, and its comments are lost.  Its fleet gets
the ledger and these tables, where they are missing.  What the examples change there they say.

customers, orders   sharded by customer_id, so that a customer's orders lie beside the customer
countries           copied to every shard
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

import outgrow
from outgrow import local

TABLES = {
    "customers": {"shard_by": "customer_id"},
    "orders": {"shard_by": "customer_id"},
    "countries": {"copy": "everywhere"},
}

CREATE = (
    "CREATE TABLE IF NOT EXISTS customers (customer_id int8 PRIMARY KEY, name text NOT NULL, country text NOT NULL)",
    "CREATE TABLE IF NOT EXISTS orders (customer_id int8, number int4, total numeric(10,2) NOT NULL,"
    " PRIMARY KEY (customer_id, number))",
    "CREATE TABLE IF NOT EXISTS countries (country text PRIMARY KEY, name text NOT NULL)",
)


@contextlib.contextmanager
def shop() -> Iterator[Path]:
    """The path of a `fleet.yaml` whose tables exist."""
    if len(sys.argv) > 1:
        yield _with_tables(Path(sys.argv[1]))
        return
    with local.temporary(shards=2, replicas=1) as (_, directory):
        yield _with_tables(directory / "fleet.yaml")


def _with_tables(path: Path) -> Path:
    told = yaml.safe_load(path.read_text())
    domain = next(iter(told["domains"].values()))
    domain["tables"] = {**(domain.get("tables") or {}), **TABLES}
    path.write_text(yaml.safe_dump(told, sort_keys=False))
    with outgrow.open(path, install=True) as fleet, fleet.session() as session:
        for statement in CREATE:
            session.execute(statement)
    return path
