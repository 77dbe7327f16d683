"""Bulk load into real shards: every row where its key says, and nothing anywhere when anything is wrong."""

from __future__ import annotations

import csv
import io
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import psycopg
import pytest

from outgrow.errors import DataError, Error
from outgrow.keyspace import Hash, Keyspace
from outgrow.ledger import queries
from outgrow.moving import (
    LinkTarget,
    LoadColumn,
    Loaded,
    LoadFormat,
    LoadOptions,
    LoadTable,
    load_steps,
    open_source,
    shards_of,
)
from outgrow.moving import load_split as split_module
from outgrow.nodes import Nodes, drive
from outgrow.topology import Copied, Placement, Sharded, ShardMap, Single, TableName, Topology
from outgrow.waits import Steps
from tests.servers import Servers

TABLE = TableName("public", "orders")
COLUMNS = (
    LoadColumn("customer", "int8"),
    LoadColumn("item", "text"),
    LoadColumn("price", "numeric", (10 << 16 | 2) + 4),
    LoadColumn("day", "date"),
)
DDL = "CREATE TABLE orders (customer int8, item text, price numeric(10,2), day date)"


@dataclass
class Place:
    """Fresh databases with the table, and loading into them."""

    servers: Servers
    topology: Topology
    nodes: Nodes

    @property
    def shards(self) -> list[str]:
        return [shard.name for shard in self.topology.domains[0].shards]

    def sql(self, statement: str) -> list[list[Any]]:
        """One list of rows for each shard."""
        out = []
        for shard in self.topology.domains[0].shards:
            with psycopg.connect(shard.primary.dsn, autocommit=True) as connection:
                cursor = connection.execute(statement.encode())
                out.append(cursor.fetchall() if cursor.description else [])
        return out

    @property
    def keyspace(self) -> Keyspace:
        domain = self.topology.domains[0]
        return Keyspace(domain.slots, ShardMap.first(domain))

    def load(
        self,
        data: bytes,
        placement: Placement | None = None,
        format: LoadFormat | None = None,
        options: LoadOptions | None = None,
        **more: Any,
    ) -> Loaded:
        table = LoadTable(TABLE, COLUMNS, placement or Sharded(("customer",)))
        return self.load_into(table, io.BytesIO(data), format or LoadFormat(), options or LoadOptions(), **more)

    def load_into(
        self,
        table: LoadTable,
        source: BinaryIO,
        format: LoadFormat | None = None,
        options: LoadOptions | None = None,
        **more: Any,
    ) -> Loaded:
        return drive(self.load_steps(table, source, format or LoadFormat(), options or LoadOptions(), **more))

    def load_steps(
        self, table: LoadTable, source: BinaryIO, format: LoadFormat, options: LoadOptions, **more: Any
    ) -> Steps[Loaded]:
        """A load with a transaction around it, as a session has one, committed one shard after the other."""
        opened = open_source(source, table, format, options)
        links = {}
        pools = {shard.name: self.nodes.pool(shard.primary) for shard in self.topology.domains[0].shards}
        try:
            for shard in shards_of(table, self.keyspace):
                links[shard] = yield from pools[shard].take_steps()
                yield from links[shard].run_steps("BEGIN")
            targets = {shard: LinkTarget(link) for shard, link in links.items()}
            loaded = yield from load_steps(source, opened, targets, self.keyspace, options, **more)
            for shard in list(links):
                yield from links[shard].run_steps("COMMIT")
            return loaded
        finally:
            for shard, link in links.items():
                if link.in_transaction and not link.broken:
                    yield from link.run_steps("ROLLBACK")
                pools[shard].give(link)

    def counts(self) -> list[int]:
        return [rows[0][0] for rows in self.sql("SELECT count(*) FROM orders")]


@pytest.fixture
def place(fleet_servers: Servers, fresh_topology: Topology) -> Iterator[Place]:
    nodes = Nodes(fresh_topology)
    made = Place(fleet_servers, fresh_topology, nodes)
    made.sql(DDL)
    yield made
    nodes.close()


def orders(count: int, item: str = "item") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["customer", "item", "price", "day"])
    for number in range(count):
        customer = "" if number % 50 == 7 else number * 7919 % 1000
        writer.writerow([customer, f'{item} {number}, "x"\ny' if number % 3 == 0 else item, number / 4, "2024-02-29"])
    return text.getvalue().encode()


def test_rows_lie_where_their_keys_say(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split_module, "BLOCK", 4096)
    seen: list[int] = []
    data = orders(5000)
    loaded = place.load(data, progress=lambda done, total: seen.append(done))
    assert loaded.rows == 5000 == sum(loaded.rows_by_shard.values()) == sum(place.counts())
    assert list(loaded.rows_by_shard.values()) == place.counts()
    formula = Hash(("int8",), place.topology.domains[0].slots).sql(["customer"])
    slots = place.sql(f"SELECT DISTINCT {formula} FROM orders")
    for shard, found in zip(place.shards, slots, strict=True):
        assert found and all(place.keyspace.owners[slot] == shard for (slot,) in found)
    stored = sorted(
        (item, price) for rows in place.sql("SELECT item, price::float8 FROM orders") for item, price in rows
    )
    assert stored == sorted((row["item"], float(row["price"])) for row in csv.DictReader(io.StringIO(data.decode())))
    assert seen == sorted(seen) and seen[-1] == len(data)


def test_copied_and_single_tables(place: Place) -> None:
    assert place.load(orders(100), Copied()).rows == 100
    assert place.counts() == [100, 100]
    place.sql("TRUNCATE orders")
    assert place.load(orders(30), Single(place.shards[1])).rows_by_shard == {place.shards[1]: 30}
    assert place.counts() == [0, 30]


def test_columns_in_another_order_and_fewer(place: Place) -> None:
    place.load(b"item;customer\r\nx;5\r\ny;NA\r\n", format=LoadFormat(";", "NA"))
    found = [row for rows in place.sql("SELECT customer, item, price FROM orders") for row in rows]
    assert sorted(found, key=str) == [(5, "x", None), (None, "y", None)]
    place.load(
        b"7,z\n", format=LoadFormat(header=False), options=LoadOptions(columns=("customer", "item"), append=True)
    )
    assert sum(place.counts()) == 3


def test_a_byte_order_mark_and_a_missing_last_line_end(place: Place) -> None:
    place.load(b"\xef\xbb\xbfcustomer,item\r\n1,a\r\n2,b")
    assert sum(place.counts()) == 2


def test_a_table_with_rows_is_left_alone(place: Place) -> None:
    place.load(orders(60))
    with pytest.raises(DataError, match="OG-LOAD-008"):
        place.load(orders(60))
    assert sum(place.counts()) == 60
    place.load(orders(60), options=LoadOptions(append=True))
    assert sum(place.counts()) == 120
    place.load(orders(10), options=LoadOptions(truncate_first=True))
    assert sum(place.counts()) == 10


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (b"5,x", "OG-LOAD-003", "line 3003"),
        (b"five,x,1,2024-01-01", "OG-LOAD-004", "line 3003"),
        (b"5,\xff,1,2024-01-01", "OG-LOAD-005", "line 3003"),
        (b'5,"x,1,2024-01-01', "OG-LOAD-006", "never closed"),
        (b"5,x,1,2024-13-01", "OG-LOAD-009", "line 3003, column day"),
        (b"5,x,123456789.5,2024-01-01", "OG-LOAD-009", "line 3003, column price"),
    ],
)
@pytest.mark.parametrize("truncate", [False, True])
def test_one_bad_line_loads_nothing(place: Place, line: bytes, code: str, words: str, truncate: bool) -> None:
    if truncate:
        place.load(orders(20))
    before = place.counts()
    rows = b"".join(b'%d,"a\nb",1,2024-01-01\n' % number for number in range(1500))
    tail = b"".join(b"%d,a,1,2024-01-01\n" % number for number in range(30_000))
    # Before the bad line: the header, 1500 records of two lines, one of one line.
    data = b"customer,item,price,day\n" + rows + b"1,a,1,2024-01-01\n" + line + b"\n" + tail
    with pytest.raises(DataError) as caught:
        place.load(data, options=LoadOptions(truncate_first=truncate))
    assert caught.value.code == code
    assert words in caught.value.message
    assert place.counts() == before
    # The links are as good as new.
    place.load(orders(40), options=LoadOptions(truncate_first=True))
    assert sum(place.counts()) == 40


@pytest.mark.parametrize("pair", [(b"5,x,1", b"6,x,1,2024-01-01,7"), (b"6,x,1,2024-01-01,7", b"5,x,1")])
def test_ragged_lines_that_make_up_for_each_other_load_nothing(place: Place, pair: tuple[bytes, bytes]) -> None:
    """The number of delimiters is right, so the splitter lets them pass; the servers do not."""
    rows = [b"%d,a,1,2024-01-01" % number for number in range(3000)]
    rows[1000:1000] = pair
    with pytest.raises(DataError) as caught:
        place.load(b"customer,item,price,day\n" + b"\n".join(rows) + b"\n")
    assert caught.value.code == "OG-LOAD-009"
    # Whichever server is first to see the one that it has.
    assert re.match(r".*line 100[23][:,]", caught.value.message)
    assert sum(place.counts()) == 0


def test_a_line_that_older_servers_take_for_the_end_loses_nothing(place: Place) -> None:
    place.sql("CREATE TABLE words (word text)")
    table = LoadTable(TableName("public", "words"), (LoadColumn("word", "text"),), Sharded(("word",)))
    data = io.BytesIO(
        b"".join(b"word%d\n" % n for n in range(50)) + b"\\.\n" + b"".join(b"more%d\n" % n for n in range(50))
    )
    if place.servers.major >= 18:
        assert place.load_into(table, data, LoadFormat(header=False)).rows == 101
    else:
        with pytest.raises(Error):
            place.load_into(table, data, LoadFormat(header=False))
        assert place.sql("SELECT count(*) FROM words") == [[(0,)], [(0,)]]


def test_a_rule_that_drops_rows_is_noticed(place: Place) -> None:
    place.sql(
        "CREATE FUNCTION drop_some() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN IF NEW.customer = 5 THEN RETURN NULL; END IF; RETURN NEW; END$$"
    )
    place.sql("CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION drop_some()")
    with pytest.raises(DataError, match="OG-LOAD-010"):
        place.load(b"customer\n4\n5\n6\n")
    assert place.counts() == [0, 0]


def _ledger(place: Place) -> None:
    for name in ("v1_schema", "v1_loads"):
        place.sql(queries()[name])


def test_a_load_that_one_shard_has_not_goes_on_where_it_was(place: Place) -> None:
    _ledger(place)
    data, options = orders(300), LoadOptions(load_id="first")
    place.load(data, options=options)
    # As if the second shard had never committed its part.
    with psycopg.connect(place.topology.domains[0].shards[1].primary.dsn, autocommit=True) as connection:
        connection.execute("TRUNCATE orders, outgrow.loads")
    first = place.counts()
    assert first[0] > 0 and first[1] == 0
    again = place.load(data, options=options)
    assert dict(again.skipped) == {place.shards[0]: first[0]}
    assert place.counts() == [first[0], 300 - first[0]]
    once_more = place.load(data, options=options)
    assert once_more.rows == 0 and sum(once_more.skipped.values()) == 300
    assert sum(place.counts()) == 300


def test_a_server_that_is_killed_half_way_loses_nothing(place: Place) -> None:
    """One backend dies in the middle of its COPY: no shard has anything."""
    domain = place.topology.domains[0]
    killed: list[int] = []

    def kill(done: int, total: int | None) -> None:
        if not killed and done > 2_000_000:
            query = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY%' AND datname = current_database()"
            with psycopg.connect(domain.shards[1].primary.dsn) as connection:
                killed.extend(pid for (pid,) in connection.execute(query).fetchall())
            for pid in killed:
                os.kill(pid, signal.SIGTERM)

    data = b"customer,item\n" + b"".join(b"%d,%s\n" % (number, b"x" * 100) for number in range(60_000))
    with pytest.raises(Error):
        place.load(data, progress=kill)
    assert killed
    assert place.counts() == [0, 0]
    assert place.load(data).rows == 60_000


class Interrupting(io.BytesIO):
    """Ctrl-C in the middle of the file."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 1_000_000:
            raise KeyboardInterrupt
        return super().read(size)


def test_an_interrupted_load_loads_nothing(place: Place) -> None:
    data = b"customer,item\n" + b"".join(b"%d,%s\n" % (number, b"x" * 100) for number in range(60_000))
    table = LoadTable(TABLE, COLUMNS, Sharded(("customer",)))
    with pytest.raises(KeyboardInterrupt):
        place.load_into(table, Interrupting(data))
    assert place.counts() == [0, 0]
    assert place.load(data).rows == 60_000
