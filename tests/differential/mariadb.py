"""The same statements on a sharded MariaDB domain and on one database of MariaDB: `--engine mariadb`.

Random SELECTs, and random writes of one key that both sides keep; after every hundred writes all rows are compared.
A fleet may refuse by a code; an answer must be the plain database's, names, types and values.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import outgrow
from outgrow import local
from outgrow.errors import Error
from outgrow.topology import parse
from tests.differential import mariadb_selects
from tests.differential.block import Block, Case
from tests.differential.compare import Answer, Failure, Verdict, judge
from tests.differential.corpus import corpus
from tests.differential.mariadb_expressions import IDS, KINDS, NAMES
from tests.differential.run import EXAMPLES_MAX, Report, told_of

_BINARY = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
TABLES = f"""
CREATE TABLE orders (id BIGINT PRIMARY KEY, customer VARCHAR(20) {_BINARY}, region INT, total DECIMAL(10,2),
                     note VARCHAR(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, day DATE, made DATETIME(6),
                     n INT, memo VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
                     word VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci,
                     short CHAR(8) CHARACTER SET latin1 COLLATE latin1_swedish_ci, at DATETIME, stamp TIMESTAMP(3) NULL,
                     clock TIME(3), u BIGINT UNSIGNED, ratio DOUBLE, rate DECIMAL(12,5),
                     kind ENUM('small', 'Large', 'medium'), doc JSON);
CREATE TABLE items (order_id BIGINT, pos INT, qty SMALLINT, price DOUBLE, PRIMARY KEY (order_id, pos));
CREATE TABLE customers (name VARCHAR(20) {_BINARY} PRIMARY KEY, region INT, score INT UNSIGNED);
CREATE TABLE days (device INT, day DATE, hits INT, PRIMARY KEY (device, day));
CREATE TABLE regions (id INT PRIMARY KEY, title VARCHAR(20) {_BINARY})
"""
PLACEMENTS = """
      orders: {shard_by: id}
      items: {shard_by: order_id}
      customers: {shard_by: name}
      days: {shard_by: [device, day]}
      regions: {copy: everywhere}
"""
#: Split points that are values of rows, and stand between them; shards have more than one range.
RANGES = """
    ranges:
      int8: [{to: 3, shard: s1}, {to: 60, shard: s2}, {to: 61, shard: s1}, {to: 150, shard: s2}, {shard: s1}]
      text: [{to: "ann", shard: s2}, {to: "bob ", shard: s1}, {to: "ss", shard: s2}, {to: "ñ", shard: s1}, {shard: s2}]
"""
DIRECTORY = """
    directory: {int8: {assign: least_keys}, text: {assign: round_robin}}
"""
WRITES_BETWEEN_LOOKS = 100
CORPUS = Path(__file__).with_name("mariadb_corpus.sql")


@dataclass
class World:
    fleet: outgrow.Fleet
    session: outgrow.Session
    plain: Any

    def ask_plain(self, text: str, params: list[object] | None) -> Answer | Failure:
        from outgrow.nodes.mariadb.fields import fields_of
        from outgrow.nodes.mariadb.translate import from_driver

        with self.plain.cursor() as cursor:
            try:
                cursor.execute(text, params)
            except Exception as error:
                node = self.fleet.topology.domains[0].home.primary
                failed = from_driver(error, node)
                return Failure("", failed.sqlstate or "", type(failed).__name__, str(failed))
            if cursor.description is None:
                return Answer((), (), [("affected", cursor.rowcount)])
            fields = fields_of(cursor._result.fields)
            names, types = tuple(field.name for field in fields), tuple(field.type for field in fields)
            return Answer(names, types, list(cursor.fetchall()))

    def ask_fleet(self, text: str, params: list[object] | None) -> Answer | Failure:
        try:
            result = self.session.execute(text, params)
            if not result.fields:
                return Answer((), (), [("affected", result.rowcount)])
            return Answer(result.columns, tuple(field.type for field in result.fields), result.fetchall())
        except Error as error:
            return Failure(error.code, error.sqlstate or "", type(error).__name__, str(error))

    def verdict(self, case: Case) -> tuple[Verdict, Answer | Failure, Answer | Failure]:
        text, params = case.render()
        expected, given = self.ask_plain(text, params), self.ask_fleet(text, params)
        if isinstance(given, Failure) and not given.code.startswith("OG-NODE") and isinstance(expected, Answer):
            return Verdict("refused", given.code), expected, given
        return judge(case, expected, given, lambda: expected), expected, given

    def differs(self) -> str:
        """What the fleet holds otherwise than the plain database; "" for nothing."""
        for table in ("orders", "items", "customers", "days"):
            expected = self.ask_plain(f"SELECT * FROM {table}", None)
            held = self.ask_fleet(f"SELECT * FROM {table}", None)
            if isinstance(expected, Failure) or isinstance(held, Failure):
                return f"{table} cannot be read: {held}"
            if sorted(map(repr, expected.rows)) != sorted(map(repr, held.rows)):
                return f"{table} holds other rows"
        expected = self.ask_plain("SELECT * FROM regions ORDER BY id", None)
        for shard in self.fleet.topology.domains[0].shards:
            copy = self.session.execute("SELECT * FROM regions ORDER BY id", shard=shard.name).fetchall()
            if isinstance(expected, Failure) or copy != expected.rows:
                return f"regions holds other rows on {shard.name}"
        return ""


@contextlib.contextmanager
def opened(shards: int, strategy: str = "hash") -> Iterator[World]:
    """A fleet whose shards are databases of one server, and a plain database beside them, with the same rows."""
    import pymysql
    from pymysql.constants import CLIENT

    with contextlib.ExitStack() as stack:
        [server] = stack.enter_context(local.temporary_mariadb(1))
        address = {"host": "127.0.0.1", "port": server.port, "user": "app", "password": server.password}
        databases = ["plain", *(f"s{number}" for number in range(1, shards + 1))]
        plain = pymysql.connect(**address, autocommit=True, charset="utf8mb4", client_flag=CLIENT.FOUND_ROWS)
        stack.callback(plain.close)
        with plain.cursor() as cursor:
            for database in reversed(databases):
                cursor.execute(f"CREATE DATABASE {database}")
                cursor.execute(f"USE {database}")
                for sql in TABLES.split(";"):
                    cursor.execute(sql)
                cursor.executemany("INSERT INTO regions VALUES (%s, %s)", [(n, f"region {n}") for n in range(5)])
        lines = "".join(f'      {name}: {{primary: "{server.dsn(name)}"}}\n' for name in databases[1:])
        head = f"fleet: shop\ndomains:\n  sales:\n    engine: mariadb\n    strategy: {strategy}\n    slots: 64\n"
        ranges = {"range": RANGES, "directory": DIRECTORY}.get(strategy, "")
        text = f"{head}{ranges}    shards:\n{lines}    tables:{PLACEMENTS}"
        fleet = stack.enter_context(outgrow.open(parse(text), install=True, rows_in_place=True))
        world = World(fleet, stack.enter_context(fleet.session()), plain)
        _fill(world, random.Random("rows"))
        yield world


def _fill(world: World, chance: random.Random) -> None:
    cases = [insert(chance, id) for id in range(IDS)] + [insert_item(chance) for _ in range(300)]
    for case in cases + [insert_day(chance) for _ in range(200)]:
        world.verdict(case)
    for name in NAMES:
        score = chance.randrange(9)
        world.verdict(case_of("INSERT INTO customers VALUES (%s, %s, %s)", [name, chance.randrange(5), score]))
    assert world.differs() == ""


def compared(
    statements: int,
    seed: int,
    shards: int,
    on_progress: Callable[[Report], None] = lambda _: None,
    strategy: str = "hash",
) -> Report:
    """The fixed corpus, and so many random statements, every third a write."""
    report = Report(seed)
    writes = 0
    with opened(shards, strategy) as world:
        for name, case, _ in corpus(CORPUS):
            report.total += 1
            report.total_by_construct[case.construct] += 1
            note(report, name, case, *world.verdict(case))
        for number in range(statements):
            chance = random.Random(f"{seed}/{number}")
            writing = number % 3 == 0
            case = drawn_write(chance) if writing else drawn(chance)
            verdict, plain, fleet = world.verdict(case)
            writes += writing
            if verdict.kind == "refused" and writing:
                # Both sides must keep holding the same: what the fleet refused is undone by doing it nowhere else.
                raise AssertionError(f"a write of one key was refused: {case.render()}: {fleet}")
            if writing and writes % WRITES_BETWEEN_LOOKS == 0 and (why := world.differs()):
                verdict = Verdict("wrong", why)
            report.total += 1
            report.total_by_construct[case.construct] += 1
            note(report, f"{seed}/{number}", case, verdict, plain, fleet)
            on_progress(report)
        if why := world.differs():
            report.wrong += 1
            report.failures.append({"name": "at the end", "why": why})
    return report


def note(
    report: Report, name: str, case: Case, verdict: Verdict, plain: Answer | Failure, fleet: Answer | Failure
) -> None:
    text, params = case.render()
    if verdict.kind == "right":
        report.right += 1
    elif verdict.kind == "refused":
        report.refused += 1
        report.refused_by_code[verdict.why] += 1
        report.refused_by_construct[case.construct] += 1
        assert isinstance(fleet, Failure)
        report.refused_examples.setdefault(verdict.why, [f"{text} -- {fleet.message}"])
    else:
        report.wrong += 1
        if len(report.failures) < EXAMPLES_MAX:
            told = {"name": name, "text": text, "params": repr(params), "why": verdict.why}
            report.failures.append(told | {"plain": told_of(plain), "fleet": told_of(fleet)})


# -- statements -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Written(Case):
    """A case whose text is MariaDB's, written out."""

    params: list[object] | None = None

    def render(self, unlimited: bool = False) -> tuple[str, list[object] | None]:
        return self.block.raw, self.params


def case_of(text: str, params: list[object] | None = None, construct: str = "write", order: str = "none") -> Case:
    return _Written(Block(raw=text), (), construct, order, params=params)


def moment(chance: random.Random) -> datetime.datetime:
    return datetime.datetime(2024, 1, 1) + datetime.timedelta(microseconds=chance.randrange(10**14))


def _maybe(chance: random.Random, value: Any) -> Any:
    return None if chance.random() < 0.15 else value


def insert(chance: random.Random, id: int) -> Case:
    made = moment(chance)
    values = [chance.choice(NAMES), chance.randrange(5), Decimal(chance.randrange(-9999, 9999)) / 100]
    values += [chance.choice(NAMES), made.date(), made, chance.randrange(-50, 50), chance.choice(NAMES)]
    values += [
        chance.choice(NAMES),
        chance.choice(("ab", "AB", "ab ", "é", "e", "ß", "")),
        made.replace(microsecond=0),
    ]
    values += [made.replace(microsecond=made.microsecond // 1000 * 1000), made.time().isoformat("milliseconds")]
    values += [chance.randrange(1 << 64) if chance.random() < 0.5 else chance.randrange(9), chance.uniform(-5, 5)]
    values += [Decimal(chance.randrange(-999999, 999999)) / 100000, chance.choice(KINDS)]
    values.append(json.dumps({"a": chance.randrange(9), "b": chance.choice(NAMES)}))
    given = [_maybe(chance, value) for value in values]
    return case_of(f"INSERT INTO orders VALUES ({', '.join(['%s'] * 19)})", [id, *given])


def insert_day(chance: random.Random) -> Case:
    values = [chance.randrange(6), moment(chance).date(), _maybe(chance, chance.randrange(-9, 99))]
    return case_of("INSERT INTO days VALUES (%s, %s, %s)", values)


def insert_item(chance: random.Random) -> Case:
    values = [chance.randrange(210), chance.randrange(1, 4), chance.randrange(-9, 99), chance.uniform(-5, 5)]
    return case_of("INSERT INTO items VALUES (%s, %s, %s, %s)", values)


def drawn_write(chance: random.Random) -> Case:
    """A write of one key."""
    id = chance.randrange(260)
    match chance.randrange(8):
        case 0:
            return insert(chance, id)
        case 1:
            return insert_item(chance)
        case 6:
            return insert_day(chance)
        case 2:
            return case_of("UPDATE orders SET n = n + %s, note = %s WHERE id = %s", [1, chance.choice(NAMES), id])
        case 3:
            return case_of(f"DELETE FROM orders WHERE id = {id} AND n > 10")
        case 4:
            return case_of('UPDATE `customers` SET score = 7, region = NULL WHERE name = "bob"')
        case 5:
            return case_of(
                "UPDATE customers SET score = %s WHERE name = %s", [chance.randrange(9), chance.choice(NAMES)]
            )
        case _:
            return case_of("UPDATE items SET qty = qty + 30000 WHERE order_id = %s AND pos IN (1, 2)", [id])


_ODD = (
    "SELECT id FROM orders FULL JOIN regions r ON true ORDER BY id",
    "SELECT id FROM orders UNION SELECT id FROM regions",
    "SELECT id FROM orders ORDER BY id LIMIT 3, 4",
    "SELECT id FROM orders ORDER BY id LIMIT 4 OFFSET 3",
    "SELECT 7 DIV 2, 5 / 2 FROM orders WHERE id = {i}",
    "SELECT o.id, r.title FROM orders o JOIN regions r ON r.id = o.region ORDER BY o.id",
    "SELECT o.id, i.pos FROM orders o JOIN items i ON i.order_id = o.id ORDER BY o.id, i.pos",
    "SELECT o.id, i.pos FROM orders o LEFT JOIN items i ON i.order_id = o.id AND i.qty > 3 ORDER BY o.id, i.pos",
    "SELECT c.name FROM customers c JOIN orders o ON o.customer = c.name",
    "SELECT name, score FROM customers WHERE name IN ('bob', 'ann', \"it's\") ORDER BY name",
    "SELECT name FROM customers WHERE name = 5",
    "SELECT name FROM customers WHERE name = 'BOB'",
    "SELECT id FROM orders WHERE id IN (SELECT order_id FROM items WHERE qty > 50) ORDER BY id",
    "SELECT region, COUNT(*) FROM orders GROUP BY region HAVING COUNT(*) > 10 ORDER BY region",
    "SELECT * FROM orders WHERE id = {i}",
    "SELECT * FROM orders ORDER BY id",
    "SELECT DISTINCT customer FROM orders ORDER BY customer",
    "SELECT DISTINCT note FROM orders",
    "SELECT SUM(price), COUNT(*) FROM items",
    "SELECT MIN(price) FROM items",
    "SELECT order_id, SUM(qty) FROM items GROUP BY order_id ORDER BY order_id",
    "SELECT COUNT(*) FROM regions",
    "SELECT title FROM regions WHERE id = 3",
    "SELECT 1 + 1",
    "SELECT id /* a comment */ FROM orders # another\nORDER BY id",
    "SELECT id FROM orders WHERE customer = 'a' 'b'",
    "SELECT 'a' || 'b' FROM orders WHERE id = {i}",
    "SELECT id AS `order`, n AS `n``x` FROM orders ORDER BY id",
    "SELECT CASE WHEN n > 0 THEN 'more' ELSE 'less' END AS w, COUNT(*) FROM orders GROUP BY w",
)  # fmt: skip


def drawn(chance: random.Random) -> Case:
    """A random SELECT."""
    if chance.random() < 0.1:
        text = _filled(chance.choice(_ODD), chance)
        return case_of(text, None, "odd", "total" if "ORDER BY" in text else "none")
    return mariadb_selects.drawn(chance)


def _filled(text: str, chance: random.Random) -> str:
    numbers = {name: chance.randrange(210) for name in "ijk"}
    return text.format(**numbers, n=chance.randrange(-50, 50), c=chance.choice(("bob", "ann", "béa"))).replace(
        "%%", "%"
    )
