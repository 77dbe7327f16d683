"""Chapters of random writes to a sharded MariaDB domain and to one database: `--engine mariadb --writes N`.

A chapter is one write, or a transaction of several, with savepoints, ended by COMMIT or ROLLBACK.  What the fleet
refuses is not done on the other side; what fails on one must fail on both, and ends the transaction.  After each
chapter both hold the same rows, every copy of a copied table too.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from decimal import Decimal

from tests.differential.block import Case
from tests.differential.compare import Answer, Failure, Verdict, judge
from tests.differential.mariadb import World, case_of, insert, insert_day, insert_item, moment, note
from tests.differential.mariadb_expressions import NAMES, Draw
from tests.differential.run import Report


def run(
    world: World, writes: int, seed: int, first: int = 0, on_progress: Callable[[Report], None] = lambda _: None
) -> Report:
    report = Report(seed)
    chapter = first
    while report.total < writes:
        _chapter(world, random.Random(f"{seed}/{chapter}"), f"{seed}/{chapter}", report)
        if why := world.differs():
            report.wrong += 1
            report.failures.append({"name": f"{seed}/{chapter}", "why": why})
            break
        chapter += 1
        on_progress(report)
    return report


def _chapter(world: World, chance: random.Random, name: str, report: Report) -> None:
    if chance.random() < 0.5:
        _write(world, drawn(chance), name, report)
        return
    _both(world, "BEGIN")
    saved = False
    for _ in range(chance.randrange(1, 6)):
        if not _write(world, drawn(chance), name, report):
            if not saved:
                _both(world, "ROLLBACK")
                return
            _both(world, "ROLLBACK TO here")
        if chance.random() < 0.2:
            _both(world, "SAVEPOINT here")
            saved = True
        elif saved and chance.random() < 0.2:
            _both(world, "ROLLBACK TO here")
    _both(world, chance.choice(("COMMIT", "COMMIT", "COMMIT", "ROLLBACK")))


def _both(world: World, text: str) -> None:
    for answer in (world.ask_plain(text, None), world.ask_fleet(text, None)):
        assert isinstance(answer, Answer), (text, answer)


def _write(world: World, case: Case, name: str, report: Report) -> bool:
    """Whether it went well, or was refused before anything was done."""
    text, params = case.render()
    given = world.ask_fleet(text, params)
    if isinstance(given, Failure) and given.kind == "NotSupportedError":
        verdict, expected = Verdict("refused", given.code), given
    else:
        expected = world.ask_plain(text, params)
        verdict = judge(case, expected, given, lambda: expected)
    report.total += 1
    report.total_by_construct[case.construct] += 1
    note(report, name, case, verdict, expected, given)
    return not isinstance(given, Failure) or verdict.kind == "refused"


# -- statements -------------------------------------------------------------------------------------------------------


def drawn(chance: random.Random) -> Case:
    draw = Draw(chance)
    return chance.choice(_FORMS)(draw)


def _case(draw: Draw, text: str, construct: str) -> Case:
    return case_of(text, list(draw.values) or None, construct)


def _values(draw: Draw, rows: Sequence[Sequence[object]]) -> str:
    """Rows of parameters."""
    for row in rows:
        draw.values += row
    return ", ".join("(" + ", ".join(["%s"] * len(row)) + ")" for row in rows)


def _order_rows(draw: Draw) -> list[list[object]]:
    count = draw.chance.randrange(1, 6)
    return [
        [draw.chance.randrange(260), draw.chance.choice(NAMES), draw.chance.randrange(-50, 50)] for _ in range(count)
    ]


def _inserted(draw: Draw) -> Case:
    text = f"INSERT INTO orders (id, customer, n) VALUES {_values(draw, _order_rows(draw))}"
    return _case(draw, text + draw.one("", "", " RETURNING id, n", " RETURNING n + 1, customer AS `c`"), "insert")


def _upserted(draw: Draw) -> Case:
    what = draw.one(
        "n = VALUES(n)",
        "n = orders.n + VALUES(n), note = 'again'",
        "n = n + 1, region = id",
        "customer = 'x', n = NULL",
    )
    rows = _values(draw, _order_rows(draw))
    text = f"INSERT INTO orders (id, customer, n) VALUES {rows} ON DUPLICATE KEY UPDATE {what}"
    return _case(draw, text + draw.one("", "", " RETURNING id, n"), "upsert")


def _replaced(draw: Draw) -> Case:
    if draw.often(0.2):
        return _case(draw, f"REPLACE orders SET id = {draw.chance.randrange(260)}, n = 1 + 2, note = 'set'", "replace")
    text = f"{draw.one('REPLACE', 'REPLACE INTO')} orders (id, customer, n) VALUES {_values(draw, _order_rows(draw))}"
    return _case(draw, text + draw.one("", "", " RETURNING id"), "replace")


def _wide(draw: Draw) -> str:
    low = draw.chance.randrange(260)
    return draw.one(
        f"n BETWEEN {low - 130} AND {low - 120}",
        f"id BETWEEN {low} AND {low + 9}",
        f"id IN ({low}, {low + 1}, {low + 2})",
        f"id = {low} OR id = {low + 5}",
        f"note = 'bob' AND n > {low - 100}",
        "customer LIKE 'b%%' AND n < 0",
        "total > 80 AND region IS NOT NULL",
        f"id %% 17 = {low % 17}",
        "word = 'SS' OR memo IN ('ann', 'n')",
        f"region IN (SELECT id FROM regions WHERE id = {low % 5}) AND n > 0",
    )


def _updated(draw: Draw) -> Case:
    what = draw.one(
        "n = n + 1", "n = region, region = n", "note = CONCAT(customer, '!')", "total = total * 2", "day = NULL",
        "n = -n, memo = IFNULL(memo, 'none')", "u = u + 1", "kind = 'small'", "rate = rate / 3", "id = id + 1",
        "short = LEFT(customer, 3)", "doc = JSON_OBJECT('a', n)",
    )  # fmt: skip
    return _case(draw, f"UPDATE orders SET {what} WHERE {_wide(draw)}".replace("%%", "%"), "update")


def _deleted(draw: Draw) -> Case:
    where = _wide(draw) + f" AND id %% 3 = {draw.chance.randrange(3)}"
    text = f"DELETE FROM orders WHERE {where}" + draw.one("", "", " RETURNING id, n, total", " RETURNING n * 2")
    return _case(draw, text.replace("%%", "%"), "delete")


def _items(draw: Draw) -> Case:
    rows = [
        [draw.chance.randrange(210), draw.chance.randrange(1, 4), draw.chance.randrange(-9, 99), 0.5] for _ in "123"
    ]
    return draw.chance.choice(
        (
            lambda: _case(draw, f"INSERT INTO items VALUES {_values(draw, rows)}", "insert"),
            lambda: _case(
                draw, f"INSERT INTO items VALUES {_values(draw, rows)} ON DUPLICATE KEY UPDATE qty = qty + 1", "upsert"
            ),
            lambda: _case(
                draw, f"UPDATE items SET qty = qty + 1 WHERE price > {draw.chance.randrange(-5, 5)}", "update"
            ),
            lambda: _case(draw, "UPDATE items SET qty = qty + 32000 WHERE pos = 1 AND qty > 700", "update"),
            lambda: _case(draw, f"DELETE FROM items WHERE qty = {draw.chance.randrange(-9, 99)}", "delete"),
            lambda: _case(
                draw,
                "INSERT INTO items (order_id, pos, qty) SELECT id, 9, region FROM orders "
                f"WHERE n = {draw.chance.randrange(-50, 50)}",
                "insert select",
            ),
        )
    )()


def _others(draw: Draw) -> Case:
    name = draw.chance.choice(NAMES)
    rows = [[draw.chance.choice(NAMES), draw.chance.randrange(5), draw.chance.randrange(9)] for _ in "123"]
    days = [[draw.chance.randrange(6), moment(draw.chance).date(), draw.chance.randrange(9)] for _ in "123"]
    return draw.chance.choice(
        (
            lambda: _case(draw, f"REPLACE INTO customers VALUES {_values(draw, rows)}", "replace"),
            lambda: _case(draw, "UPDATE customers SET score = score + 1 WHERE region < 3", "update"),
            lambda: case_of("DELETE FROM customers WHERE name = %s OR score > 12", [name], "delete"),
            lambda: _case(draw, f"INSERT INTO days VALUES {_values(draw, days)}", "insert"),
            lambda: _case(draw, f"DELETE FROM days WHERE hits = {draw.chance.randrange(9)} AND device < 4", "delete"),
            lambda: insert_day(draw.chance),
            lambda: insert_item(draw.chance),
            lambda: insert(draw.chance, draw.chance.randrange(260)),
        )
    )()


def _copied(draw: Draw) -> Case:
    id = draw.chance.randrange(9)
    text = draw.one(
        f"INSERT INTO regions VALUES ({id}, 'x'), ({id + 1}, 'y')",
        f"INSERT IGNORE INTO regions VALUES ({id}, 'i'), ({id + 1}, 'j')",
        f"REPLACE INTO regions VALUES ({id}, 'r'), ({id + 2}, 's') RETURNING id, title",
        f"INSERT INTO regions VALUES ({id}, 'u') ON DUPLICATE KEY UPDATE title = CONCAT(title, VALUES(title))",
        f"UPDATE regions SET title = LEFT(CONCAT('n', title), 20) WHERE id > {id}",
        f"DELETE FROM regions WHERE id = {id} RETURNING title",
        f"UPDATE regions SET id = id + 10 WHERE id = {id}",
    )
    return _case(draw, text, "copied")


def _keyed(draw: Draw) -> Case:
    id = draw.chance.randrange(260)
    values = [Decimal(draw.chance.randrange(999)) / 100, json.dumps({"a": id})]
    return case_of("UPDATE orders SET total = %s, doc = %s WHERE id = %s", [*values, id], "keyed")


_FORMS = (_inserted, _upserted, _replaced, _updated, _updated, _deleted, _items, _others, _copied, _keyed)
