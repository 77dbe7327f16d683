"""Random SELECTs for MariaDB: expressions in every clause, joins, groups, subqueries, windows and set operations."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.differential.block import Block, Case
from tests.differential.mariadb_expressions import Draw

#: With a unique column at its end an order is total.
_TOTAL = "total"


def _case(draw: Draw, text: str, construct: str, order: str = "none") -> Case:
    return Case(Block(raw=text), tuple(draw.values), construct, order)


def _named(draw: Draw, items: list[str]) -> list[str]:
    """Some with an alias; with a parameter in it an expression needs one."""
    named = []
    for number, item in enumerate(items):
        bare = item.isidentifier() and draw.often(0.8)
        named.append(item if bare or ("\x01" not in item and draw.often(0.4)) else f"{item} AS c{number}")
    return named


def _ordered(draw: Draw, keys: list[str]) -> str:
    return " ORDER BY " + ", ".join(key + draw.one("", "", " DESC", " ASC") for key in keys)


def _limit(draw: Draw) -> str:
    if draw.often(0.5):
        return ""
    if draw.often(0.15):
        return f" LIMIT {draw.number(0, 20)}, {draw.number(0, 30)}"
    limit = f" LIMIT {draw.number(0, 30)}"
    return limit + f" OFFSET {draw.number(0, 20)}" if draw.often(0.3) else limit


def rows(draw: Draw) -> Case:
    items = _named(draw, [draw.any() for _ in range(draw.chance.randrange(1, 4))])
    head = f"SELECT {', '.join(items)} FROM orders o"
    if draw.often(0.1):
        head = "SELECT * FROM orders o"
    where = draw.where()
    if draw.often(0.3):
        return _case(draw, head + where, "rows")
    keys = [draw.any() for _ in range(draw.chance.randrange(3))]
    keys += [f"c{at}" for at, item in enumerate(items) if f" AS c{at}" in item and draw.often(0.2) and "*" not in head]
    return _case(draw, head + where + _ordered(draw, [*keys, "o.id"]) + _limit(draw), "rows", _TOTAL)


def distinct(draw: Draw) -> Case:
    items = [draw.key() for _ in range(draw.chance.randrange(1, 3))]
    text = f"SELECT DISTINCT {', '.join(_named(draw, items))} FROM orders o{draw.where()}"
    if draw.often(0.6):
        return _case(
            draw, text + _ordered(draw, [str(at + 1) for at in range(len(items))]) + _limit(draw), "distinct", _TOTAL
        )
    return _case(draw, text, "distinct")


def grouped(draw: Draw) -> Case:
    keys = [draw.key() for _ in range(draw.chance.choice((0, 1, 1, 1, 2)))]
    shown = keys if draw.often(0.9) else []
    made = [draw.computed() if draw.often(0.3) else draw.aggregate() for _ in range(draw.chance.randrange(1, 4))]
    items = _named(draw, [*shown, *made])
    text = f"SELECT {', '.join(items)} FROM orders o{draw.where()}"
    if keys:
        text += " GROUP BY " + ", ".join(keys)
    aliased = [at for at, item in enumerate(items) if f" AS c{at}" in item and at >= len(shown)]
    if aliased and draw.often(0.2):
        text += f" HAVING c{aliased[0]} > {draw.number()}"
    elif draw.often(0.3):
        text += f" HAVING {draw.having()}"
    if keys and shown and draw.often(0.6):
        positions = [str(at + 1) for at in range(len(keys))]
        if draw.often(0.3):
            positions.insert(0, draw.one(*(str(len(keys) + at + 1) for at in range(len(made)))))
        floats = any("ratio" in item for item in made)
        return _case(
            draw,
            text + _ordered(draw, positions) + _limit(draw),
            "grouped",
            "none" if floats and len(positions) > len(keys) else _TOTAL,
        )
    return _case(draw, text, "grouped")


def joined(draw: Draw) -> Case:
    kind = draw.one("JOIN", "INNER JOIN", "LEFT JOIN")
    on = draw.one("i.order_id = o.id", "o.id = i.order_id", f"i.order_id = o.id AND i.qty > {draw.number(0, 40)}")
    source = draw.one(
        f"orders o {kind} items i ON {on}",
        f"items i {draw.one('JOIN', 'LEFT JOIN')} orders o ON o.id = i.order_id",
        "orders o, items i",
        f"orders o {kind} regions r ON r.id = o.region {kind} items i ON {on}",
        f"orders o {kind} items i ON {on} {kind} regions r ON r.id = o.region",
        "items i RIGHT JOIN orders o ON i.order_id = o.id",
        "orders o JOIN (SELECT order_id, COUNT(*) AS pos, SUM(qty) AS qty, MAX(price) AS price FROM items "
        "GROUP BY order_id) i ON i.order_id = o.id",
    )
    conditions = ["o.id = i.order_id"] if source == "orders o, items i" else []
    if draw.often(0.5):
        keyed = draw.one(f"o.id = {draw.id()}", f"i.order_id IN ({draw.id()}, {draw.id()})")
        other = draw.one(f"i.qty < {draw.number()}", f"o.n > {draw.number()}", "i.pos IS NULL", "o.customer = 'bob'")
        conditions.append(draw.one(keyed, other))
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    if draw.often(0.5):
        title = "r.title" if " regions r" in source else "o.customer"
        items = f"o.id, i.pos, i.qty, o.n, {title}"
        keys = ["o.id", "i.pos"] if "FROM items GROUP" in source else ["o.id", "i.pos", "i.order_id"]
        return _case(
            draw,
            f"SELECT {items} FROM {source}{where}{_ordered(draw, keys)}{_limit(draw)}",
            "joined",
            _TOTAL,
        )
    key = draw.one("o.region", "o.customer", "o.id", "i.pos", "o.kind")
    made = draw.one("COUNT(*)", "SUM(i.qty)", "AVG(i.qty)", "MAX(o.total)", "COUNT(DISTINCT o.id)", "SUM(i.qty * o.n)",
                    "SUM(i.price)", "COUNT(i.pos)", "COUNT(DISTINCT o.note)")  # fmt: skip
    return _case(
        draw,
        f"SELECT {key}, {made} AS made FROM {source}{where} GROUP BY {key}{_ordered(draw, [key])}",
        "joined",
        _TOTAL,
    )


def nested(draw: Draw) -> Case:
    inner = draw.one(f"qty > {draw.number()}", "pos = 1", f"order_id < {draw.number(0, 200)}")
    test = draw.one(
        f"o.id IN (SELECT order_id FROM items WHERE {inner})",
        f"EXISTS (SELECT 1 FROM items i WHERE i.order_id = o.id AND {inner})",
        f"NOT EXISTS (SELECT * FROM items i WHERE i.order_id = o.id AND {inner})",
        f"(SELECT SUM(qty) FROM items i WHERE i.order_id = o.id) > {draw.number()}",
        f"o.n > (SELECT MIN(i.qty) FROM items i WHERE i.order_id = o.id AND {inner})",
        "o.region IN (SELECT id FROM regions WHERE title > 'region 1')",
        f"o.id NOT IN (SELECT order_id FROM items WHERE {inner})",
        "o.customer IN (SELECT name FROM customers)",
        f"(o.id, o.n) IN (SELECT order_id, qty FROM items WHERE {inner})",
    )
    if draw.often(0.4):
        return _case(
            draw, f"SELECT region, COUNT(*) AS c, SUM(n) AS s FROM orders o WHERE {test} GROUP BY region", "nested"
        )
    items = draw.one("o.id, n", "o.id, (SELECT COUNT(*) FROM items i WHERE i.order_id = o.id) AS c", "o.id, o.note")
    return _case(
        draw, f"SELECT {items} FROM orders o WHERE {test}{_ordered(draw, ['o.id'])}{_limit(draw)}", "nested", _TOTAL
    )


def derived(draw: Draw) -> Case:
    inner = draw.one(
        "SELECT id, n, region, customer, total FROM orders WHERE n > 0",
        f"SELECT id, n + 1 AS n, region, customer, total * 2 AS total FROM orders o{draw.where()}",
        "SELECT order_id AS id, SUM(qty) AS n, COUNT(*) AS region, 'x' AS customer, AVG(price) AS total FROM items "
        "GROUP BY order_id",
        "SELECT DISTINCT id, n, region, customer, total FROM orders",
        "SELECT id, n, region, customer, total FROM orders UNION ALL SELECT order_id, qty, pos, NULL, NULL FROM items",
        "SELECT id, ROW_NUMBER() OVER (PARTITION BY id ORDER BY total) AS n, region, customer, total FROM orders",
    )
    source = f"({inner}) x" if draw.often(0.5) else "x"
    head = f"WITH x AS ({inner}) " if source == "x" else ""
    outer = draw.one(
        "SELECT region, COUNT(*) AS c, SUM(n) AS s FROM {x} GROUP BY region ORDER BY region",
        "SELECT id, n, region FROM {x} WHERE id < 60 ORDER BY id, n, region, total",
        "SELECT MAX(n) AS m, MIN(id) AS i, COUNT(DISTINCT region) AS d FROM {x}",
        "SELECT x.id, i.pos FROM {x} JOIN items i ON i.order_id = x.id WHERE x.n > 3",
        "SELECT COUNT(*) FROM {x}",
        "SELECT * FROM {x} WHERE region = 1",
    ).replace("{x}", source)
    return _case(draw, head + outer, "derived", _TOTAL if "ORDER BY region" in outer and "GROUP" in outer else "none")


def windowed(draw: Draw) -> Case:
    function = draw.one(
        "ROW_NUMBER()", "RANK()", "SUM(qty)", "COUNT(*)", "LAG(qty)", "MAX(pos)", "AVG(qty)", "MIN(price)"
    )
    partition = draw.one("order_id", "order_id", "order_id, pos", "pos")
    frame = draw.one("", "", " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW")
    over = f"{function} OVER (PARTITION BY {partition} ORDER BY qty, pos, order_id{frame})"
    return _case(
        draw, f"SELECT order_id, pos, {over} AS w FROM items{_ordered(draw, ['order_id', 'pos'])}", "windowed", _TOTAL
    )


def united(draw: Draw) -> Case:
    def arm() -> str:
        items = f"{draw.one('id', 'n', 'region')}, {draw.one('customer', 'customer', 'UPPER(customer)', 'note')}"
        return f"SELECT {items} FROM orders o{draw.where()}"

    arms = [arm(), arm()]
    if draw.often(0.3):
        arms[1] = "SELECT region, name FROM customers"
    operator = draw.one("UNION ALL", "UNION", "UNION DISTINCT", "INTERSECT", "EXCEPT")
    text = f"{arms[0]} {operator} {arms[1]}"
    return _case(
        draw,
        text + draw.one("", " ORDER BY 1"),
        "united",
    )


def customers(draw: Draw) -> Case:
    where = draw.one(
        f"name = {draw.name()}", f"name IN ({draw.name()}, {draw.name()})",
        f"name = {draw.name()} OR name = {draw.name()}", f"name = {draw.number(0, 9)}", f"name > {draw.name()}",
        f"name LIKE 'b%' AND name <> {draw.name()}",
        f"(name, region) = ({draw.name()}, 1)", f"name = {draw.name()} AND score > {draw.number(0, 9)}",
    )  # fmt: skip
    return _case(draw, f"SELECT name, region, score FROM customers WHERE {where} ORDER BY name", "text key", _TOTAL)


def days(draw: Draw) -> Case:
    device, day = draw.number(0, 6), draw.date()
    where = draw.one(
        f"device = {device} AND day = {day}", f"device = {device}", f"(device, day) = ({device}, {day})",
        f"day = {day}", f"(device, day) IN (({device}, {day}), ({draw.number(0, 6)}, {draw.date()}))",
        f"day >= {day} AND device < {device}",
        f"device IN ({device}, {draw.number(0, 6)}) AND day IN ({day}, {draw.date()}, {draw.date()})",
    )  # fmt: skip
    if draw.often(0.5):
        return _case(
            draw, f"SELECT device, day, hits FROM days WHERE {where} ORDER BY device, day", "compound key", _TOTAL
        )
    text = f"SELECT device, SUM(hits) AS s, MIN(day) AS d FROM days WHERE {where} GROUP BY device ORDER BY device"
    return _case(draw, text, "compound key", _TOTAL)


_KINDS: dict[Callable[[Draw], Case], float] = {
    rows: 5,
    grouped: 7,
    distinct: 1.5,
    joined: 2.5,
    nested: 1.5,
    derived: 1,
    windowed: 0.7,
    united: 1,
    customers: 1,
    days: 1,
}


def drawn(chance: random.Random) -> Case:
    """A random SELECT."""
    return chance.choices(list(_KINDS), list(_KINDS.values()))[0](Draw(chance))
